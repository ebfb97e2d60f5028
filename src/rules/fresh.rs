//! Whether a running nginx has read the files as they are now.
//!
//! `nginx -T` reads the files on the disk, not the running configuration, so every judgement of a dump holds only as
//! long as this one passes. A reload forks new workers and keeps the master, so a live worker that is older than a file
//! has not read it.

use jiff::{SignedDuration, Timestamp};

use crate::{
    report::{Finding, Status},
    rules::nginx::{Config, Directive},
};

/// What was seen of a running nginx and of its files.
#[derive(Clone, Debug, PartialEq)]
pub struct Freshness {
    /// What it runs in, as a person would say it: "container `web`", "this machine".
    pub place: String,
    /// The workers, or why they cannot be seen.
    pub workers: Result<Vec<Worker>, String>,
    /// The files of the configuration and of its certificates.
    pub files: Vec<File>,
    /// The main file that the master was told to read (`-c`), when it was told.
    pub started_with: Option<String>,
    /// The main file that was looked at.
    pub looked_at: Option<String>,
    /// How a reload is asked for there.
    pub reload: String,
}

/// One worker process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Worker {
    /// Its pid.
    pub pid: u32,
    /// When it was forked; may be a little late, never early.
    pub started: Option<Timestamp>,
    /// Whether a reload has told it to end.
    pub leaving: bool,
}

/// One file that nginx reads when it starts or is reloaded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct File {
    /// Its path where nginx runs.
    pub path: String,
    /// When it was changed last, or why that is not known.
    pub modified: Result<Timestamp, String>,
}

/// A file's time may be this far ahead of the clock before it is disbelieved.
const SKEW: SignedDuration = SignedDuration::from_secs(5);

/// The `data.reason` where some workers have read the files and some have not: for a moment so after every reload.
pub const MIXED: &str = "mixed-workers";

/// Judges `nginx.fresh`.
pub fn judge(subject: &str, seen: &Freshness, now: Timestamp) -> Finding {
    let new = |status, summary: String| Finding::new("nginx.fresh", subject, status, summary);
    if let (Some(told), Some(read)) = (&seen.started_with, &seen.looked_at)
        && told != read
    {
        return new(Status::Fail, format!("nginx runs with `{told}`, not with `{read}`"))
            .expected(format!("the master process runs with `{read}`"))
            .observed(format!("the master process was started with `-c {told}`"))
            .fix(format!("put the configuration into `{told}`, or start nginx with `-c {read}`"))
            .data("reason", "other-file");
    }
    let workers = match &seen.workers {
        Ok(workers) => workers,
        Err(why) => {
            return new(Status::Unknown, "the workers of nginx cannot be seen".to_owned())
                .observed(why.clone())
                .fix("look at the processes by hand")
                .data("reason", "no-processes");
        }
    };
    let live: Vec<&Worker> = workers.iter().filter(|worker| !worker.leaving).collect();
    if live.is_empty() {
        return new(Status::Fail, "nginx has no worker that takes requests".to_owned())
            .observed(format!("{} workers, all shutting down", workers.len()))
            .fix(format!("see the error log of nginx, then {}", seen.reload))
            .data("reason", "no-worker");
    }
    let starts: Vec<Timestamp> = live.iter().filter_map(|worker| worker.started).collect();
    let (Some(&oldest), Some(&newest)) = (starts.iter().min(), starts.iter().max()) else {
        return new(Status::Unknown, "the start times of the workers cannot be seen".to_owned())
            .cause("the `ps` of the engine's host does not tell them")
            .fix("install procps on the engine's host")
            .data("reason", "no-start-times");
    };
    let mut dated: Vec<(&str, Timestamp)> = Vec::new();
    let mut unread: Vec<String> = Vec::new();
    let mut ahead: Vec<&str> = Vec::new();
    for file in &seen.files {
        match &file.modified {
            Err(why) => unread.push(format!("`{}`: {why}", file.path)),
            Ok(modified) if *modified > now + SKEW => ahead.push(&file.path),
            Ok(modified) => dated.push((&file.path, *modified)),
        }
    }
    dated.sort_by_key(|(path, modified)| (std::cmp::Reverse(*modified), *path));
    let facts = |finding: Finding| {
        let finding = finding
            .data("workers_started", newest.to_string())
            .data("workers", live.len())
            .data("files", seen.files.len());
        match dated.first() {
            Some((path, modified)) => finding.data("newest_file", *path).data("changed", modified.to_string()),
            None => finding,
        }
    };
    let newer: Vec<&(&str, Timestamp)> = dated.iter().filter(|(_, modified)| *modified > oldest).collect();
    if let Some((path, modified)) = newer.first() {
        let names: Vec<String> = newer.iter().take(5).map(|(path, at)| format!("`{path}` ({})", short(*at))).collect();
        let observed = format!(
            "changed: {}; workers started: {}",
            names.join(", "),
            if oldest == newest { short(oldest) } else { format!("{} to {}", short(oldest), short(newest)) }
        );
        let expected = "every worker was started after the last change of the files";
        let finding = if *modified > newest {
            new(Status::Fail, format!("reload pending: `{path}` was changed after nginx read it"))
                .cause("nginx answers with the configuration that it has in memory; the other nginx findings describe the files")
                .data("reason", "reload-pending")
        } else {
            new(Status::Warn, format!("some workers are older than `{path}`"))
                .cause("a reload is under way, or one worker was replaced after a crash and the rest have not read the file")
                .data("reason", MIXED)
        };
        return facts(finding.expected(expected).observed(observed).fix(seen.reload.clone()));
    }
    if !ahead.is_empty() {
        return facts(new(Status::Unknown, format!("`{}` was changed in the future", ahead[0])))
            .cause("the clocks of the two machines differ, or the file's time was set by hand")
            .fix("set the clocks, then `touch` the file and reload nginx")
            .data("reason", "clock");
    }
    if !unread.is_empty() || dated.is_empty() {
        let observed = if unread.is_empty() { "no file".to_owned() } else { unread[..unread.len().min(5)].join("; ") };
        return facts(new(Status::Unknown, "not every file's time could be read".to_owned()))
            .observed(observed)
            .fix("let mainstay read these files: run it with sudo, or where they are")
            .data("reason", "unreadable");
    }
    let (path, modified) = dated[0];
    facts(new(Status::Pass, format!("{} runs the files as they are", seen.place))).observed(format!(
        "last change {} (`{path}`), workers started {}",
        short(modified),
        short(oldest)
    ))
}

/// The certificate files that a configuration names anywhere, as nginx completes their paths. Those with variables are
/// read for every connection, so a reload is nothing to them.
pub fn certificates(config: &Config) -> Vec<String> {
    let mut paths = Vec::new();
    let mut blocks: Vec<&[Directive]> = vec![&config.top];
    while let Some(block) = blocks.pop() {
        for directive in block {
            if directive.name == "ssl_certificate"
                && let Some(path) = certificate_path(config, directive.arg())
            {
                paths.push(path);
            }
            blocks.push(directive.children());
        }
    }
    paths.sort();
    paths.dedup();
    paths
}

/// The path of a certificate that is a file: nginx completes it with the folder of the main file.
pub fn certificate_path(config: &Config, written: &str) -> Option<String> {
    if written.is_empty()
        || written.contains('$')
        || ["data:", "engine:", "store:"].iter().any(|kind| written.starts_with(kind))
    {
        return None;
    }
    let folder = config.files().first().and_then(|main| main.rsplit_once('/')).map_or("", |(folder, _)| folder);
    Some(if written.starts_with('/') { written.to_owned() } else { format!("{folder}/{written}") })
}

fn short(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-23T18:00:00Z";

    fn at(text: &str) -> Timestamp {
        format!("2026-11-23T{text}Z").parse().unwrap()
    }

    fn file(path: &str, modified: &str) -> File {
        File { path: path.into(), modified: Ok(at(modified)) }
    }

    fn worker(pid: u32, started: &str, leaving: bool) -> Worker {
        Worker { pid, started: Some(at(started)), leaving }
    }

    fn seen(workers: Vec<Worker>, files: Vec<File>) -> Freshness {
        let reload = "run `docker exec web nginx -s reload`".to_owned();
        Freshness {
            place: "container `web`".into(),
            workers: Ok(workers),
            files,
            reload,
            started_with: None,
            looked_at: None,
        }
    }

    fn judged(seen: &Freshness) -> (Status, Option<String>) {
        let finding = judge("prime", seen, NOW.parse().unwrap());
        crate::report::assert_one_voice(&finding);
        assert!(finding.status == Status::Pass || finding.fix.is_some(), "{finding:?}");
        (finding.status, finding.data.get("reason").map(|reason| reason.as_str().unwrap().to_owned()))
    }

    fn reason(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn case_41_a_file_newer_than_every_worker_is_a_pending_reload() {
        let files = vec![file("/etc/nginx/nginx.conf", "12:00:00"), file("/etc/nginx/conf.d/a.conf", "17:00:00")];
        let stale = seen(vec![worker(1, "13:00:00", false), worker(2, "13:00:00", false)], files.clone());
        assert_eq!(judged(&stale), (Status::Fail, reason("reload-pending")), "a ruling of the design: fail, not warn");
        let finding = judge("prime", &stale, NOW.parse().unwrap());
        assert!(finding.summary.contains("/etc/nginx/conf.d/a.conf"));
        assert_eq!(finding.fix.as_deref(), Some("run `docker exec web nginx -s reload`"));
        let fresh = seen(vec![worker(1, "17:00:00", false)], files);
        assert_eq!(judged(&fresh), (Status::Pass, None));
    }

    #[test]
    fn case_41_a_worker_that_is_shutting_down_does_not_count() {
        let files = vec![file("a", "16:00:00")];
        let leaving = seen(vec![worker(1, "12:00:00", true), worker(2, "17:00:00", false)], files.clone());
        assert_eq!(judged(&leaving), (Status::Pass, None));
        let only_old = seen(vec![worker(1, "17:00:00", true)], files);
        assert_eq!(judged(&only_old), (Status::Fail, reason("no-worker")));
    }

    #[test]
    fn a_worker_replaced_after_a_crash_hides_nothing() {
        let mixed = seen(vec![worker(1, "12:00:00", false), worker(2, "17:00:00", false)], vec![file("a", "16:00:00")]);
        assert_eq!(judged(&mixed), (Status::Warn, reason("mixed-workers")));
    }

    #[test]
    fn another_file_than_the_masters_is_a_failure() {
        let mut other = seen(vec![worker(1, "17:00:00", false)], vec![file("a", "16:00:00")]);
        other.started_with = Some("/x/prod.conf".into());
        other.looked_at = Some("/etc/nginx/nginx.conf".into());
        assert_eq!(judged(&other), (Status::Fail, reason("other-file")));
        other.looked_at = Some("/x/prod.conf".into());
        assert_eq!(judged(&other), (Status::Pass, None));
    }

    #[test]
    fn what_cannot_be_seen_is_never_a_pass() {
        let young = || vec![worker(1, "17:00:00", false)];
        let mut unread = seen(young(), vec![file("a", "16:00:00")]);
        unread.files.push(File { path: "b".into(), modified: Err("permission denied".into()) });
        assert_eq!(judged(&unread), (Status::Unknown, reason("unreadable")));
        assert_eq!(judged(&seen(young(), vec![])), (Status::Unknown, reason("unreadable")));
        assert_eq!(judged(&seen(young(), vec![file("a", "18:30:00")])), (Status::Unknown, reason("clock")));
        let timeless = seen(vec![Worker { pid: 1, started: None, leaving: false }], vec![file("a", "16:00:00")]);
        assert_eq!(judged(&timeless), (Status::Unknown, reason("no-start-times")));
        let mut blind = seen(vec![], vec![file("a", "16:00:00")]);
        blind.workers = Err("the engine went away".into());
        assert_eq!(judged(&blind), (Status::Unknown, reason("no-processes")));
        let mut stale = seen(vec![worker(1, "12:00:00", false)], vec![file("a", "16:00:00")]);
        stale.files.push(File { path: "b".into(), modified: Err("gone".into()) });
        assert_eq!(judged(&stale).0, Status::Fail, "one newer file is enough");
    }
}
