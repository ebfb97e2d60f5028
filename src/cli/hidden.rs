//! Commands for mainstay itself, by a hidden first word: they are on no help page, and no shell completes them.

use std::{ffi::OsString, sync::Arc};

use super::{exit, progress};
use crate::{
    renew_cert::outage,
    system::{Context, process::session},
};

/// Carries out a hidden command and returns its exit code; `None` when the words are not one.
pub(super) async fn run(arguments: &[OsString], context: &Context) -> Option<u8> {
    let (word, rest) = arguments.get(1..)?.split_first()?;
    match word.to_str()? {
        session::LEASH => {
            let error = session::hold(rest);
            anstream::eprintln!("{error}");
            // As a shell says that there is no such program.
            Some(127)
        }
        session::GUARDIAN => {
            let context = Context { progress: Arc::new(progress::Bar::new(false, true)), ..context.clone() };
            // What ends the run that it guards must not end it.
            super::signals::listen(&context);
            Some(if outage::guard(rest, &context).await { 0 } else { exit::FAILED })
        }
        _ => None,
    }
}
