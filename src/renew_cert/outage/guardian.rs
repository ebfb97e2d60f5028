//! The process that starts everything again when the one that stopped it is gone.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::recover;
use crate::{
    report::State as Came,
    system::{
        Cancel, Context,
        process::session::{self, Watch},
        state::State,
    },
};

/// How long another run may be at work on the journal: it starts everything itself, or dies.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Starts the guardian of this run.
pub(super) async fn start(own: &Path, state: &State) -> io::Result<Watch> {
    let folder: OsString = std::path::absolute(state.folder())?.into();
    Watch::start(own, &[folder]).await
}

/// A guardian's life (`mainstay __guardian STATE`): it waits for the end of its parent, and unless it was dismissed, it
/// recovers. What it says goes to the parent's standard error. Whether nothing is owed any more.
pub async fn guard(arguments: &[OsString], context: &Context) -> bool {
    let [folder] = arguments else { return false };
    // Signals are for the run that it guards; while something is owed they do not end this one.
    let context = Context { cancel: Cancel::default(), ..context.clone() };
    if !session::watch().await {
        return true;
    }
    let state = State::at(PathBuf::from(folder));
    match recover(&state, "renew-cert (guardian)", PATIENCE, &context).await {
        Ok(None) => true,
        Ok(Some(recovered)) => {
            for outcome in recovered.ended.outcomes.iter().filter(|outcome| outcome.state == Came::Failed) {
                context.progress.say(&outcome.detail);
            }
            recovered.ended.back
        }
        Err(error) => {
            context.progress.say(&error.to_string());
            false
        }
    }
}
