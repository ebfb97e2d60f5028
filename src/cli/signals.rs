//! Turns signals into the cancel flag, and says at once that they were heard.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::system::Context;

/// The signals that end a run in good order, with their exit codes 128 + number.
const ENDING: [(SignalKind, u8); 4] =
    [(SignalKind::hangup(), 1), (SignalKind::interrupt(), 2), (SignalKind::quit(), 3), (SignalKind::terminate(), 15)];

/// Listens until the runtime ends; each signal raises the flag once.
pub fn listen(context: &Context) {
    for (kind, number) in ENDING {
        match signal(kind) {
            Ok(stream) => drop(tokio::spawn(forward(stream, number, context.clone()))),
            Err(error) => tracing::warn!(number, %error, "could not listen to a signal"),
        }
    }
}

async fn forward(mut stream: Signal, number: u8, context: Context) {
    while stream.recv().await.is_some() {
        context.cancel.raise(number);
    }
}
