//! The Runtime API of AWS Lambda: how a function is given its events (AWS Lambda Developer Guide, "Using the Lambda runtime
//! API"). Plain HTTP on the machine's own loopback, four calls; a client library would be larger than they are.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::Context;
use crate::error::{Error, Kind, Result};

/// The runtime that started this process.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// Host and port.
    address: String,
}

/// One event to act on.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Its number, for the answer.
    pub id: String,
    /// When Lambda ends the process.
    pub deadline: Option<Timestamp>,
    /// The event.
    pub event: Value,
}

/// The version of the API.
const API: &str = "/2018-06-01/runtime";

/// No event of EventBridge Scheduler is larger (256 kB), and no answer of the API.
const LARGEST: usize = 8 << 20;

impl Runtime {
    /// The runtime, where there is one: `$AWS_LAMBDA_RUNTIME_API` says its address.
    pub fn find(context: &Context) -> Option<Self> {
        context.variable("AWS_LAMBDA_RUNTIME_API").map(|address| Self { address: address.to_owned() })
    }

    /// Waits for the next event, however long that takes.
    ///
    /// # Errors
    ///
    /// The runtime does not answer, or not as it should: then this process is of no use any more.
    pub async fn next(&self) -> Result<Invocation> {
        let (head, body) = self.ask(Method::GET, "/invocation/next", Value::Null, &[]).await?;
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let id = header("lambda-runtime-aws-request-id");
        let id = id.ok_or_else(|| self.error("the event has no number"))?;
        let deadline = header("lambda-runtime-deadline-ms").and_then(|text| text.parse().ok());
        let deadline = deadline.and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok());
        // An event that is no JSON asks for nothing in particular.
        Ok(Invocation { id, deadline, event: serde_json::from_slice(&body).unwrap_or(Value::Null) })
    }

    /// Says what came of an event.
    ///
    /// # Errors
    ///
    /// The runtime does not take it.
    pub async fn respond(&self, invocation: &Invocation, answer: Value) -> Result<()> {
        let path = format!("/invocation/{}/response", invocation.id);
        self.ask(Method::POST, &path, answer, &[]).await.map(drop)
    }

    /// Says that nothing good came of an event: Lambda tries it again, and counts it as an error.
    ///
    /// # Errors
    ///
    /// The runtime does not take it.
    pub async fn fail(&self, invocation: &Invocation, kind: &str, message: &str) -> Result<()> {
        let path = format!("/invocation/{}/error", invocation.id);
        let error = json!({ "errorType": kind, "errorMessage": message, "stackTrace": [] });
        self.ask(Method::POST, &path, error, &[("lambda-runtime-function-error-type", kind)]).await.map(drop)
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Value,
        headers: &[(&str, &str)],
    ) -> Result<(http::Parts, Bytes)> {
        let stream = TcpStream::connect(&self.address).await.map_err(|cause| self.error(cause))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|cause| self.error(cause))?;
        // It ends with its only exchange.
        let driver = tokio::spawn(connection);
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let mut request = Request::builder().method(method).uri(format!("{API}{path}")).header("host", &self.address);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).map_err(|cause| self.error(cause))?;
        let response = sender.send_request(request).await.map_err(|cause| self.error(cause))?;
        let (head, body) = response.into_parts();
        let body = http_body_util::Limited::new(body, LARGEST).collect().await.map_err(|cause| self.error(cause))?;
        drop(sender);
        driver.abort();
        if !head.status.is_success() {
            return Err(self.error(format!("it answered {}", head.status)));
        }
        Ok((head, body.to_bytes()))
    }

    fn error(&self, cause: impl std::fmt::Display) -> Error {
        Error::new(Kind::Failed, format!("speak with the Lambda runtime at {}", self.address))
            .because(cause)
            .hint("outside of Lambda, unset AWS_LAMBDA_RUNTIME_API")
    }
}

/// The head of an answer.
mod http {
    pub use hyper::http::response::Parts;
}
