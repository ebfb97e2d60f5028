//! The checks of backups on real folders, with real signatures and the real git.
#![expect(clippy::disallowed_methods, reason = "tests make the folders and modes that they look at")]

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Backup, Settings, run};
use crate::{
    backup::{self, Drill, Good, Last, Padlock, Record, Set},
    report::{Finding, Status, assert_one_voice},
    rules::{
        archive_id::ArchiveId,
        sidecar::{Contents, Proof, SCHEMA, Sidecar, StoredFile, Verified},
    },
    system::{
        Context, archive,
        clock::Fixed,
        git::testing::Tree,
        signature::Signer,
        state::State,
        store::{self, Mounted, Options, Place},
    },
};

/// A backup of a work tree, its destination and its state, in a world at a fixed time.
struct Bed {
    tree: Tree,
    other: tempfile::TempDir,
    context: Context,
    set: Set,
    state: State,
}

fn now() -> Timestamp {
    "2026-11-23T18:00:00Z".parse().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a test makes the world that is looked at")]
impl Bed {
    /// A tracked program, an ignored `.env`, an empty destination elsewhere.
    async fn new() -> Self {
        let tree = Tree::new();
        tree.write("app.py", "");
        tree.write(".gitignore", ".env\n");
        tree.commit("first");
        tree.write(".env", "TOKEN=1");
        let other = tempfile::tempdir().unwrap();
        let mut context = Context::real(BTreeMap::new(), PathBuf::from("/"));
        context.clock = Arc::new(Fixed(now()));
        let to = other.path().join("to");
        std::fs::create_dir(&to).unwrap();
        let state = State::find(&context, Some(&other.path().join("state"))).unwrap();
        let set = set(tree.path().to_owned(), Place::Folder(to));
        let bed = Self { tree, other, context, set, state };
        let place = store::open(&bed.set.to[0], &Options::default(), &bed.context).unwrap();
        place.prepare().await.unwrap();
        bed
    }

    /// Puts an archive there that was made so many hours ago, as `create` leaves it.
    fn store(&self, sequence: u64, hours: i64, change: impl Fn(&mut Sidecar)) -> String {
        let created = now() - SignedDuration::from_hours(hours);
        let id = ArchiveId::new("prime", "app", created, sequence).to_string();
        let file = StoredFile { name: format!("{id}.tar.gz.age"), bytes: 6, sha256: "00".repeat(32) };
        let mut sidecar = Sidecar {
            schema: SCHEMA,
            id: id.clone(),
            project: "prime".into(),
            name: "app".into(),
            host: "web-1".into(),
            tool: "mainstay 0.1.0".into(),
            created,
            sequence,
            previous: None,
            file,
            contents: Contents::default(),
            sealed_for: Vec::new(),
            verified: Verified { at: created, how: Proof::Decrypted },
            suspect: None,
        };
        change(&mut sidecar);
        let bytes = sidecar.to_bytes();
        let signature = Signer::open(&self.state).unwrap().sign(&bytes, "x").unwrap();
        for (end, content) in
            [(".tar.gz.age", &b"sealed"[..]), (".json", &bytes), (".json.minisig", signature.as_bytes())]
        {
            std::fs::write(self.to().join(format!("{id}{end}")), content).unwrap();
        }
        id
    }

    fn to(&self) -> PathBuf {
        self.other.path().join("to")
    }

    /// Lets the host remember this.
    fn remember(&self, change: impl Fn(&mut Record)) {
        let mut record = Record::load(&self.state, "prime", "app").unwrap();
        change(&mut record);
        record.save(&self.state, "prime", "app").unwrap();
    }

    fn backups(&self) -> Vec<Backup> {
        Backup::all(backup::Settings {
            project: "prime".into(),
            sets: vec![self.set.clone()],
            state: self.state.clone(),
            host: "web-1".into(),
            config: None,
            lock_wait: Duration::ZERO,
            command: String::new(),
        })
    }

    async fn look(&self, id: &str) -> Vec<Finding> {
        let backups = self.backups();
        let only = vec![id.to_owned()];
        let settings = Settings {
            sites: Vec::new(),
            backups,
            certificates: Vec::new(),
            schedules: Vec::new(),
            hosts: Vec::new(),
            domains: Vec::new(),
            only,
            skip: Vec::new(),
            wait: None,
            strict: false,
            concurrency: 4,
        };
        let findings = run(&settings, &self.context).await;
        findings.iter().for_each(assert_one_voice);
        assert!(findings.iter().all(|finding| finding.subject == "app" && finding.by_hand.is_some()));
        findings
    }

    /// The verdict on the one destination.
    async fn fresh(&self) -> (Status, Option<String>) {
        verdict(&self.look("backup.fresh").await[0])
    }
}

fn verdict(finding: &Finding) -> (Status, Option<String>) {
    (finding.status, finding.data.get("reason").and_then(Value::as_str).map(str::to_owned))
}

fn verdicts(findings: &[Finding]) -> Vec<(Status, Option<String>)> {
    findings.iter().map(verdict).collect()
}

fn is(status: Status, reason: &str) -> (Status, Option<String>) {
    (status, Some(reason.to_owned()))
}

fn set(root: PathBuf, to: Place) -> Set {
    Set {
        name: "app".into(),
        root,
        include: [".env", ".env.*", "config/"].map(str::to_owned).to_vec(),
        include_is_default: true,
        exclude: Vec::new(),
        optional: Vec::new(),
        lock: Padlock::Recipients { keys: Vec::new(), file: None },
        to: vec![to.clone()],
        required: vec![to],
        compression: archive::Compression::Gzip,
        mounted: Mounted::Auto,
        signers: Vec::new(),
        timezone: "UTC".into(),
        min_good: 3,
        one_file_system: true,
        after_restore: None,
        keep: Default::default(),
        max_age: Duration::from_secs(7 * 86_400),
        max_drill_age: Duration::from_secs(90 * 86_400),
        dumps: Vec::new(),
        s3: Default::default(),
    }
}

#[tokio::test]
async fn freshness_needs_no_key_and_counts_only_what_is_whole_signed_and_undoubted() {
    let bed = Bed::new().await;
    assert_eq!(bed.fresh().await, is(Status::Fail, "none"));
    bed.store(1, 200, |_| {});
    assert_eq!(bed.fresh().await, is(Status::Fail, "stale"));
    let second = bed.store(2, 30, |_| {});
    let findings = bed.look("backup.fresh").await;
    assert_eq!(verdicts(&findings), [(Status::Pass, None), is(Status::Warn, "drill-never")]);
    assert_eq!((&findings[0].data["archive"], &findings[0].data["age_seconds"]), (&second.into(), &108_000.into()));
    // Row 9 and 10 of what nobody has: bit rot that was noticed, without a key.
    let third = bed.store(3, 29, |_| {});
    bed.remember(|record| record.at(&bed.set.to[0].to_string()).damaged = vec![third.clone()]);
    assert_eq!(bed.fresh().await, is(Status::Warn, "suspect"));
    bed.store(4, 28, |sidecar| sidecar.suspect = Some("shrunk".into()));
    let finding = bed.look("backup.fresh").await.remove(0);
    assert_eq!(verdict(&finding), is(Status::Warn, "suspect"));
    assert!(finding.summary.contains("shrunk"), "the newest is told first: {finding:#?}");
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test plants what it looks for")]
async fn backup_case_02_and_13_leftovers_warn_and_a_planted_archive_fails() {
    let bed = Bed::new().await;
    let first = bed.store(1, 2, |_| {});
    let late = ArchiveId::new("prime", "app", now() - SignedDuration::from_hours(1), 2);
    std::fs::write(bed.to().join(format!("{late}.tar.gz.age")), "half").unwrap();
    assert_eq!(bed.fresh().await, (Status::Pass, None), "a run that is going on looks like this");
    let old = ArchiveId::new("prime", "app", now() - SignedDuration::from_hours(30), 3);
    std::fs::write(bed.to().join(format!("{old}.tar.gz.age")), "half").unwrap();
    assert_eq!(bed.fresh().await, is(Status::Warn, "incomplete"));
    let sidecar = bed.to().join(format!("{first}.json"));
    let planted = std::fs::read_to_string(&sidecar).unwrap().replace("web-1", "web-2");
    bed.store(4, 1, |_| {});
    std::fs::write(&sidecar, planted).unwrap();
    assert_eq!(bed.fresh().await, is(Status::Fail, "origin"));
}

#[tokio::test]
async fn a_change_of_the_files_since_the_newest_archive_fails() {
    let bed = Bed::new().await;
    let id = bed.store(1, 2, |_| {});
    let digest = || {
        let survey = archive::survey(&bed.backups()[0].recipe().unwrap(), &bed.context.cancel, |_| {}).unwrap();
        survey.metadata.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let metadata = digest();
    bed.remember(|record| {
        record.last = Some(Last { id: id.clone(), sequence: 1, metadata: metadata.clone(), ..Last::default() });
    });
    let finding = bed.look("backup.fresh").await.remove(0);
    assert_eq!((finding.status, &finding.data["changed"]), (Status::Pass, &false.into()));
    // The same bytes written anew are no change, where it is remembered what was in the files.
    let before = archive::content(&bed.backups()[0].recipe().unwrap(), &bed.context.cancel).unwrap();
    let same = std::fs::read(bed.tree.path().join(".env")).unwrap();
    std::fs::remove_file(bed.tree.path().join(".env")).unwrap();
    bed.tree.write(".env", std::str::from_utf8(&same).unwrap());
    assert_eq!(bed.fresh().await, is(Status::Fail, "changed"));
    let content: String = before.iter().map(|byte| format!("{byte:02x}")).collect();
    bed.remember(|record| record.last.as_mut().unwrap().content = content.clone());
    let finding = bed.look("backup.fresh").await.remove(0);
    assert_eq!((finding.status, &finding.data["changed"]), (Status::Pass, &false.into()), "{finding:?}");
    // A destination that missed the newest archive is compared with what is in its own newest.
    let address = bed.set.to[0].to_string();
    let good = Good { id: id.clone(), created: now(), verified: now(), content };
    bed.remember(|record| {
        record.last = Some(Last { id: "prime-app-20261123T180000Z-000002".into(), sequence: 2, ..Last::default() });
        record.at(&address).good = Some(good.clone());
    });
    let finding = bed.look("backup.fresh").await.remove(0);
    assert_eq!((finding.status, &finding.data["changed"]), (Status::Pass, &false.into()), "{finding:?}");
    bed.tree.write(".env", "TOKEN=22");
    assert_eq!(bed.fresh().await, is(Status::Fail, "changed"));
    // Another host's archive is newer: what has changed since is not known, and its age decides.
    bed.store(2, 1, |_| {});
    let finding = bed.look("backup.fresh").await.remove(0);
    assert_eq!((finding.status, &finding.data["changed"]), (Status::Pass, &Value::Null));
}

#[tokio::test]
async fn backup_case_06_a_folder_that_lost_its_medium_is_unknown_until_memory_says_stale() {
    let bed = Bed::new().await;
    let address = bed.set.to[0].to_string();
    let good = |hours| {
        let created = now() - SignedDuration::from_hours(hours);
        let id = "prime-app-20261101T000000Z-000001".into();
        Some(Good { id, created, verified: created, content: String::new() })
    };
    std::fs::remove_dir_all(bed.to()).unwrap();
    bed.remember(|record| {
        record.at(&address).identity = Some("1b4e28ba".into());
        record.at(&address).good = good(24);
    });
    let (status, reason) = bed.fresh().await;
    assert_eq!(status, Status::Unknown, "{reason:?}");
    bed.remember(|record| record.at(&address).good = good(8 * 24));
    assert_eq!(bed.fresh().await, is(Status::Fail, "stale"));
}

#[tokio::test]
async fn drills_and_a_memory_that_cannot_be_read_are_told() {
    let bed = Bed::new().await;
    bed.store(1, 2, |_| {});
    let drill = |days: i64, good| Drill {
        at: now() - SignedDuration::from_hours(24 * days),
        id: "x".into(),
        destination: "y".into(),
        seconds: 1.0,
        files: 3,
        good,
    };
    for (drill, expected) in [
        (drill(1, true), (Status::Pass, None)),
        (drill(100, true), is(Status::Warn, "drill-old")),
        (drill(1, false), is(Status::Fail, "drill-failed")),
    ] {
        bed.remember(|record| record.drill = Some(drill.clone()));
        assert_eq!(verdicts(&bed.look("backup.fresh").await), [(Status::Pass, None), expected]);
    }
    let record = bed.state.folder().join("backup/prime-app.json");
    crate::system::state::write(&record, b"{", crate::system::state::Mode::Exactly(0o600)).unwrap();
    assert_eq!(verdicts(&bed.look("backup.fresh").await), [is(Status::Unknown, "record")], "and nothing passes");
}

#[tokio::test]
async fn secrets_are_followed_from_careless_to_safe() {
    let mut bed = Bed::new().await;
    let look = |bed: Bed| async move { (verdicts(&bed.look("backup.secrets").await), bed) };
    // World-readable as the tree's folder is: closed first, so that git alone is judged.
    std::process::Command::new("chmod").args(["700"]).arg(bed.tree.path()).status().unwrap();
    let found;
    (found, bed) = look(bed).await;
    assert_eq!(found, [(Status::Pass, None)]);
    bed.tree.write("config/server.key", "");
    bed.tree.write(".env.example", "TOKEN=");
    (_, bed) = {
        let (found, bed) = look(bed).await;
        assert_eq!(found, [is(Status::Warn, "not-ignored")]);
        (found, bed)
    };
    bed.tree.commit("oops");
    let findings = bed.look("backup.secrets").await;
    // `commit` adds with force, so `.env` is tracked as well.
    assert_eq!(verdicts(&findings), [is(Status::Fail, "tracked")]);
    let top = bed.tree.path().canonicalize().unwrap();
    let fix = findings[0].fix.as_ref().unwrap();
    assert!(fix.contains(&format!("git -C {} rm --cached -- .env config/server.key", top.display())), "{fix}");
    bed.tree.git(&["rm", "-q", "--cached", ".env", "config/server.key"]);
    bed.tree.write(".gitignore", ".env\n*.key\n");
    bed.tree.git(&["commit", "-q", "-m", "hide"]);
    assert_eq!(verdicts(&bed.look("backup.secrets").await), [is(Status::Fail, "in-history")]);
    bed.tree.write(".env", "TOKEN=replaced");
    bed.tree.write("config/server.key", "replaced");
    assert_eq!(verdicts(&bed.look("backup.secrets").await), [is(Status::Warn, "was-in-history")]);
    std::process::Command::new("chmod").args(["755"]).arg(bed.tree.path()).status().unwrap();
    std::process::Command::new("chmod").args(["644"]).arg(bed.tree.path().join(".env")).status().unwrap();
    let found = verdicts(&bed.look("backup.secrets").await);
    assert_eq!(found, [is(Status::Warn, "was-in-history"), is(Status::Warn, "world-readable")]);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test makes the folder that is looked at")]
async fn backup_case_53_a_destination_in_the_work_tree_must_be_ignored() {
    let mut bed = Bed::new().await;
    std::process::Command::new("chmod").args(["700"]).arg(bed.tree.path()).status().unwrap();
    bed.set.to = vec![Place::Folder(bed.tree.path().join("backups"))];
    assert_eq!(verdicts(&bed.look("backup.secrets").await), [is(Status::Fail, "destination-in-git")]);
    for line in ["/backups/", "backups/*", "*.age"] {
        bed.tree.write(".gitignore", &format!(".env\n{line}\n"));
        assert_eq!(verdicts(&bed.look("backup.secrets").await), [(Status::Pass, None)], "{line}");
    }
    std::fs::create_dir(bed.tree.path().join("backups")).unwrap();
    bed.tree.write("backups/prime-app-20261101T000000Z-000001.tar.gz.age", "");
    bed.tree.git(&["add", "-f", "backups"]);
    assert_eq!(verdicts(&bed.look("backup.secrets").await), [is(Status::Fail, "destination-tracked")]);
}

#[tokio::test]
async fn where_git_is_not_installed_nothing_passes() {
    let mut bed = Bed::new().await;
    std::process::Command::new("chmod").args(["700"]).arg(bed.tree.path()).status().unwrap();
    bed.context.runner = Arc::new(crate::system::process::Scripted::default());
    assert_eq!(verdicts(&bed.look("backup.secrets").await), [is(Status::Unknown, "git-missing")]);
    assert_eq!(verdicts(&bed.look("backup.repository").await), [is(Status::Unknown, "git-missing")]);
}

#[tokio::test]
async fn a_repository_is_judged_by_remote_pushes_and_commits() {
    let mut bed = Bed::new().await;
    let repository = |found: Vec<Finding>| verdict(&found[0]);
    assert_eq!(repository(bed.look("backup.repository").await), is(Status::Fail, "no-remote"));
    let remote = bed.other.path().join("remote");
    bed.tree.git(&["init", "-q", "--bare", remote.to_str().unwrap()]);
    bed.tree.git(&["remote", "add", "origin", remote.to_str().unwrap()]);
    // Its commit is of the first of the month.
    assert_eq!(repository(bed.look("backup.repository").await), is(Status::Fail, "unpushed"));
    bed.tree.git(&["push", "-q", "origin", "main"]);
    assert_eq!(repository(bed.look("backup.repository").await), (Status::Pass, None));
    bed.tree.write(".gitignore", "");
    bed.tree.write("config/new.toml", "");
    bed.tree.write("forgotten.py", "");
    for file in [".gitignore", ".env", "config/new.toml", "forgotten.py"] {
        std::process::Command::new("touch")
            .args(["-d", "2026-11-02"])
            .arg(bed.tree.path().join(file))
            .status()
            .unwrap();
    }
    let findings = bed.look("backup.repository").await;
    assert_eq!(verdict(&findings[0]), is(Status::Fail, "uncommitted"));
    assert_eq!(findings[0].observed.as_deref(), Some("`.gitignore`, `forgotten.py`"), "what the backup keeps is kept");
    let elsewhere = tempfile::tempdir().unwrap();
    bed.set.root = elsewhere.path().to_owned();
    assert_eq!(repository(bed.look("backup.repository").await), (Status::Skip, None));
}
