//! Plain HTTP: opens the connection itself.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::{
    Limits, Request,
    exchange::{Deadline, converse, of_io},
};
use crate::rules::http::{Answer, HttpFailure, Stage};

/// Asks `address` over plain HTTP; connecting and answering share the deadline.
///
/// # Errors
///
/// Whatever kept a whole header from coming.
pub async fn get_plain(address: SocketAddr, request: Request, limits: Limits) -> Result<Answer, HttpFailure> {
    let deadline = Deadline::starting(limits.deadline);
    let stream = deadline.of(Stage::Connect, TcpStream::connect(address)).await?.map_err(|error| of_io(&error))?;
    converse(stream, false, request, limits, deadline).await
}
