//! Carries out a plan, step by step; after the first that fails the others are not tried.

use std::{fs, io, path::Path};

use super::{Act, Settings};
use crate::{
    report::{Outcome, Plan, State},
    system::{
        Context, crontab, file,
        state::{Mode, write},
    },
};

/// Brings about what was planned. A second call after a failure goes on where the first stopped: each step is planned from
/// what is there.
pub async fn apply(plan: Plan<Act>, settings: &Settings, context: &Context) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut failed = false;
    for step in plan.steps {
        let action = step.action.word().to_owned();
        let (state, detail, fix) = if failed {
            (State::Skipped, "a step before it failed".to_owned(), None)
        } else {
            match carry_out(&step.action, settings, context).await {
                Ok(()) => (State::Done, String::new(), None),
                Err((why, fix)) => {
                    failed = true;
                    (State::Failed, why, Some(fix))
                }
            }
        };
        outcomes.push(Outcome { action, target: step.target, state, detail, fix });
    }
    outcomes
}

/// The error is why, and what to do.
async fn carry_out(act: &Act, settings: &Settings, context: &Context) -> Result<(), (String, String)> {
    let scope = settings.home.scope;
    let by_hand =
        |words: &str| format!("mend the cause (`{} {words}` says more) and run the command again", scope.by_hand());
    match act {
        Act::Disable(unit) => {
            scope.disable(unit, context).await.map_err(|why| (why, by_hand(&format!("status {unit}"))))
        }
        Act::Enable(unit, now) => {
            scope.enable(unit, *now, context).await.map_err(|why| (why, by_hand(&format!("status {unit}"))))
        }
        Act::Reload => scope.reload(context).await.map_err(|why| (why, by_hand("daemon-reload"))),
        Act::Restart(unit) => {
            scope.restart(unit, context).await.map_err(|why| (why, by_hand(&format!("status {unit}"))))
        }
        Act::Remove(path) => {
            remove(path).map_err(|error| (file::why(&error), format!("remove it by hand: `rm {}`", path.display())))
        }
        Act::Table(table) => crontab::write(table, context)
            .await
            .map_err(|trouble| (trouble.to_string(), "see whether `crontab -e` works for this user".to_owned())),
        Act::Write(path, text) => {
            let made = path.parent().map_or(Ok(()), fs::create_dir_all);
            made.map_err(|error| {
                (file::why(&error), "run it as root, or as the user whose units these are".to_owned())
            })?;
            write(path, text.as_bytes(), Mode::Exactly(0o644)).map_err(|error| {
                (error.why.join(": "), "run it as root, or as the user whose units these are".to_owned())
            })
        }
    }
}

/// Removes a unit, and what lets it start at boot where systemd was not there to be told.
fn remove(path: &Path) -> io::Result<()> {
    if let (Some(folder), Some(name)) = (path.parent(), path.file_name()) {
        for target in ["timers.target.wants", "multi-user.target.wants", "default.target.wants"] {
            absent_is_fine(fs::remove_file(folder.join(target).join(name)))?;
        }
    }
    absent_is_fine(fs::remove_file(path))
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
