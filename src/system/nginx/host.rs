//! The nginx of this machine, without a container engine.

use std::{path::Path, time::Duration};

use super::{About, Fault, Nginx, Place, Start, find, refusal, shelf, warnings, words};
use crate::{
    rules::nginx::{parse_dump, parse_files},
    system::{
        Context,
        docker::Process,
        file,
        process::{Command, Failure},
        procfs, program,
    },
};

/// Looks at the nginx that runs on this machine outside every container.
pub(super) async fn observe(context: &Context, timeout: Duration) -> Result<Nginx, Fault> {
    let (processes, others) = processes(context);
    let found = find(&processes).ok_or_else(|| match others.first() {
        None => Fault {
            reason: "no-nginx",
            what: "no nginx runs on this machine (outside containers)".to_owned(),
            fix: "start it, or name the container that it runs in (`container = \"…\"`)".to_owned(),
        },
        Some(other) => Fault {
            reason: "foreign-nginx",
            what: format!(
                "the nginx with pid {} belongs to user {}, and its program is not run for it",
                other.pid, other.owner
            ),
            fix: format!("run mainstay as that user (`sudo -u '#{}' mainstay …`)", other.owner),
        },
    })?;
    let start = found.start;
    let run = |arguments: Vec<&str>| {
        let mut arguments = arguments.into_iter();
        let program = program::reachable(arguments.next().unwrap_or("nginx"), context);
        context.runner.run(Command::new(program).args(arguments).timeout(timeout))
    };
    let about = run(vec![&start.program, "-V"]).await.map(|output| About::read(&output)).unwrap_or_default();
    let (config, said, warned) = match run(words(&start, "-T")).await {
        Ok(output) if output.success() && !output.truncated => (parse_dump(&output.text()), None, warnings(&output)),
        Ok(output) => (from_files(&about.main_file(&start))?, Some(refusal(&output)), warnings(&output)),
        Err(Failure::Cancelled) => {
            return Err(Fault { reason: "cancelled", what: "cancelled".to_owned(), fix: "run it again".to_owned() });
        }
        Err(failure) => (from_files(&about.main_file(&start))?, Some(failure.to_string()), Vec::new()),
    };
    Ok(Nginx {
        place: Place::Host,
        start: Some(start),
        version: about.version,
        config,
        refusal: said,
        untested: false,
        warnings: warned,
        notes: found.note.into_iter().collect(),
        context: context.clone(),
        timeout,
    })
}

/// How the master among these processes of this machine was started; `None` where none of them is one.
pub fn master_among(pids: &[u32], context: &Context) -> Option<Start> {
    let now = context.clock.now();
    let own = rustix::process::geteuid().as_raw();
    pids.iter().find_map(|pid| {
        let seen = procfs::process(*pid, now).filter(|seen| !seen.contained)?;
        match super::role(&seen.arguments.join(" "))? {
            super::Role::Master(start) if seen.owner == 0 || seen.owner == own => Some(start),
            // The program in another user's title is not run for it.
            super::Role::Master(_) => Some(Start { program: "nginx".to_owned(), ..Start::default() }),
            _ => None,
        }
    })
}

/// The processes of nginx outside containers, and the masters that are not to be trusted.
///
/// The title of a process is its own to choose, and the program in it is going to be run: only root's, or ours.
pub(super) fn processes(context: &Context) -> (Vec<Process>, Vec<procfs::Seen>) {
    let now = context.clock.now();
    let seen = procfs::find(|arguments| super::role(&arguments.join(" ")).is_some(), now);
    let own = rustix::process::geteuid().as_raw();
    let (trusted, others): (Vec<_>, Vec<_>) = seen
        .into_iter()
        .filter(|one| !one.contained)
        .partition(|one| one.owner == 0 || one.owner == own || is_child(&one.arguments));
    let process = |one: procfs::Seen| Process {
        pid: one.pid,
        parent: one.parent,
        started: one.started,
        arguments: one.arguments.join(" "),
    };
    (trusted.into_iter().map(process).collect(), others)
}

type Parsed = Result<crate::rules::nginx::Config, crate::rules::nginx::ParseError>;

fn from_files(main: &str) -> Result<Parsed, Fault> {
    file::read_text(Path::new(main), super::FILE_LIMIT).map_err(|error| Fault {
        reason: "unreadable",
        what: format!("`{main}`: {}", file::why(&error)),
        fix: "run mainstay with sudo".to_owned(),
    })?;
    Ok(parse_files(main, &shelf::Local::here()))
}

/// Workers run as another user than their master; they are only counted, never run.
fn is_child(arguments: &[String]) -> bool {
    !matches!(super::role(&arguments.join(" ")), Some(super::Role::Master(_)))
}
