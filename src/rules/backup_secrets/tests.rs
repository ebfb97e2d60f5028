//! Each sort of trouble, in a table.

use super::*;
use crate::report::assert_one_voice;

const GOOD: InGit =
    InGit { top: PathBuf::new(), place: PathBuf::new(), tracked: false, ignored: true, history: History::Never };

fn secret(name: &str, git: InGit) -> Secret {
    let git = Some(InGit { top: "/srv/prime".into(), place: name.into(), ..git });
    Secret { path: format!("/srv/prime/{name}").into(), sign: Sign::Name, open: None, git }
}

fn judged(secrets: Vec<Secret>) -> Vec<(Status, String, String)> {
    let findings = judge("app", &Observation { secrets, ..Observation::default() });
    findings.iter().for_each(assert_one_voice);
    let reason = |finding: &Finding| finding.data.get("reason").map_or("", |r| r.as_str().unwrap()).to_owned();
    findings.iter().map(|finding| (finding.status, reason(finding), finding.summary.clone())).collect()
}

#[test]
fn each_trouble_with_git_has_its_verdict() {
    use Status::{Fail, Pass, Warn};
    let table = [
        (GOOD, Pass, "", "1 secret file is ignored by git and not for everybody to read"),
        (InGit { tracked: true, history: History::AsItIs, ..GOOD }, Fail, "tracked", "`.env` is in git"),
        (InGit { tracked: true, ignored: false, ..GOOD }, Fail, "tracked", "`.env` is in git"),
        (
            InGit { history: History::AsItIs, ..GOOD },
            Fail,
            "in-history",
            "`.env` is in the history of git with today's content",
        ),
        (
            InGit { history: History::Before, ..GOOD },
            Warn,
            "was-in-history",
            "`.env` is in the history of git with other content",
        ),
        (
            InGit { ignored: false, ..GOOD },
            Warn,
            "not-ignored",
            "`.env` is not ignored by git: one `git add .` commits it",
        ),
    ];
    for (git, status, reason, summary) in table {
        assert_eq!(judged(vec![secret(".env", git)]), [(status, reason.to_owned(), summary.to_owned())]);
    }
    let both = judged(vec![secret(".env", InGit { ignored: false, history: History::Before, ..GOOD })]);
    assert_eq!(both.len(), 2, "two things to do are two findings: {both:?}");
}

#[test]
fn what_may_be_harmless_only_warns() {
    let credential = |git| Secret { sign: Sign::Credential, ..secret("docker-compose.yml", git) };
    let found = judged(vec![credential(InGit { tracked: true, ..GOOD })]);
    assert_eq!((found[0].0, found[0].1.as_str()), (Status::Warn, "tracked"));
}

#[test]
fn many_files_are_one_finding_that_names_the_first() {
    let all = ["a.key", "b c.key", "c.key", "d.key", "e.key"];
    let secrets = all.map(|name| secret(name, InGit { tracked: true, ..GOOD })).to_vec();
    let findings = judge("app", &Observation { secrets, ..Observation::default() });
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].summary, "`a.key`, `'b c.key'`, `c.key` and 2 more are in git");
    assert!(findings[0].fix.as_ref().unwrap().contains("git -C /srv/prime rm --cached -- a.key 'b c.key' c.key"));
    assert_eq!(findings[0].data["files"].as_array().unwrap().len(), 5);
}

#[test]
fn what_everybody_can_read_is_a_warning_with_its_mode() {
    let open = Secret { open: Some(0o644), git: None, ..secret(".env", GOOD) };
    let findings = judge("app", &Observation { secrets: vec![open], ..Observation::default() });
    assert_one_voice(&findings[0]);
    assert_eq!((findings[0].status, findings[0].observed.as_deref()), (Status::Warn, Some("mode 0644")));
    assert!(findings[0].fix.as_ref().unwrap().contains("chmod o-rwx /srv/prime/.env"));
}

#[test]
fn backup_case_53_a_destination_in_a_work_tree_fails_unless_it_is_ignored() {
    let place = |ignored, tracked| InTree {
        destination: "/srv/prime/backups".into(),
        top: "/srv/prime".into(),
        place: "backups".into(),
        ignored,
        tracked,
    };
    for (ignored, tracked, reason) in
        [(false, false, Some("destination-in-git")), (true, true, Some("destination-tracked")), (true, false, None)]
    {
        let seen = Observation { destinations: vec![place(ignored, tracked)], ..Observation::default() };
        let findings = judge("app", &seen);
        findings.iter().for_each(assert_one_voice);
        assert_eq!(findings[0].data.get("reason").and_then(|reason| reason.as_str()), reason);
        assert_eq!(findings[0].status == Status::Fail, reason.is_some());
    }
}

#[test]
fn where_git_cannot_be_asked_nothing_passes() {
    for reason in ["git-missing", "git-owner", "git-slow", "git-failed"] {
        let blind = vec![Blind { top: "/srv/prime".into(), reason, why: "it is so".into() }];
        let secrets = vec![Secret { git: None, ..secret(".env", GOOD) }];
        let findings = judge("app", &Observation { secrets, blind, ..Observation::default() });
        findings.iter().for_each(assert_one_voice);
        assert_eq!(findings.iter().map(|finding| finding.status).collect::<Vec<_>>(), [Status::Unknown]);
    }
}
