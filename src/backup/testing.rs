//! Signed archives at a destination in memory, for the tests of jobs.

use std::{path::PathBuf, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{Padlock, Record, Seen, Set, Stock};
use crate::{
    rules::{
        archive_id::ArchiveId,
        retention::Keep,
        sidecar::{Contents, Previous, Proof, SCHEMA, Sidecar, StoredFile, Verified},
    },
    system::{
        Context,
        archive::Compression,
        signature::{PublicKey, Signer},
        state::State,
        store::{Mounted, S3Options, Shelf, memory::Memory},
    },
};

/// The present moment of these tests.
#[expect(non_snake_case, reason = "a constant that cannot be one: times are parsed")]
pub(super) fn NOW() -> Timestamp {
    "2026-11-23T18:15:00Z".parse().unwrap()
}

/// A backup with a key to sign by and a record.
pub(super) struct Bench {
    pub set: Set,
    pub record: Record,
    pub accepted: Vec<PublicKey>,
    pub signer: Signer,
    pub state: State,
    _folder: tempfile::TempDir,
}

impl Bench {
    /// The backup `app` of the project `prime`, which keeps the last one and three days.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let context = Context::real(std::collections::BTreeMap::new(), folder.path().to_owned());
        let state = State::find(&context, Some(&folder.path().join("state"))).unwrap();
        let signer = Signer::open(&state).unwrap();
        let accepted = vec![signer.public().clone()];
        let keep = Keep { last: Some(1), daily: Some(3), ..Keep::default() };
        Self { set: set("app", keep), record: Record::default(), accepted, signer, state, _folder: folder }
    }

    /// The same host's backup of another name.
    pub fn named(&self, name: &str) -> Self {
        let signer = Signer::open(&self.state).unwrap();
        let accepted = self.accepted.clone();
        let folder = tempfile::tempdir().unwrap();
        let set = set(name, self.set.keep.clone());
        Self { set, record: Record::default(), accepted, signer, state: self.state.clone(), _folder: folder }
    }

    /// This backup at a destination.
    pub fn stock<'a, S: ?Sized>(&'a self, shelf: &'a S) -> Stock<'a, S> {
        Stock { project: "prime", set: &self.set, shelf, accepted: &self.accepted, record: &self.record }
    }

    /// What this host remembers of a destination.
    pub fn seen(&mut self, shelf: &dyn Shelf) -> &mut Seen {
        self.record.destinations.entry(shelf.address().to_owned()).or_default()
    }

    /// The sidecar of an archive that is fine; its file has as many bytes as its number says.
    pub fn sidecar(&self, sequence: u64, created: &str, after: Option<&Sidecar>) -> Sidecar {
        let created: Timestamp = created.parse().unwrap();
        let id = ArchiveId::new("prime", &self.set.name, created, sequence).to_string();
        Sidecar {
            schema: SCHEMA,
            file: StoredFile { name: format!("{id}.tar.gz.age"), bytes: sequence, sha256: format!("{sequence:064x}") },
            id,
            project: "prime".to_owned(),
            name: self.set.name.clone(),
            host: "web-1".to_owned(),
            tool: "mainstay 0.1.0".to_owned(),
            created,
            sequence,
            previous: after.map(|it| Previous { id: it.id.clone(), sha256: it.file.sha256.clone() }),
            contents: Contents { files: 3, ..Contents::default() },
            sealed_for: vec!["age1ql3z".to_owned()],
            verified: Verified { at: created + SignedDuration::from_mins(1), how: Proof::Decrypted },
            suspect: None,
        }
    }

    /// Puts an archive there as a run would have, signed by this host; its id.
    pub fn store(&self, shelf: &Memory, sidecar: &Sidecar) -> String {
        let stem = &sidecar.id;
        let bytes = sidecar.to_bytes();
        let signature = self.signer.sign(&bytes, stem).unwrap();
        let modified = Some(sidecar.created);
        shelf.place(&sidecar.file.name, vec![b'x'; usize::try_from(sidecar.file.bytes).unwrap()], modified);
        shelf.place(&format!("{stem}.json"), bytes, modified);
        shelf.place(&format!("{stem}.json.minisig"), signature, modified);
        stem.clone()
    }

    /// Archives of these days of November, numbered by the day; their ids.
    pub fn daily(&self, shelf: &Memory, days: &[u64]) -> Vec<String> {
        let mut before: Option<Sidecar> = None;
        let store = |day: &u64| {
            let sidecar = self.sidecar(*day, &format!("2026-11-{day:02}T02:30:00Z"), before.as_ref());
            before = Some(sidecar.clone());
            self.store(shelf, &sidecar)
        };
        days.iter().map(store).collect()
    }
}

fn set(name: &str, keep: Keep) -> Set {
    Set {
        name: name.to_owned(),
        root: PathBuf::from("/srv/prime"),
        include: vec![".env".to_owned()],
        include_is_default: false,
        exclude: vec![],
        optional: vec![],
        lock: Padlock::Recipients { keys: vec![], file: None },
        to: vec![],
        required: vec![],
        compression: Compression::Gzip,
        mounted: Mounted::Auto,
        signers: vec![],
        timezone: "UTC".to_owned(),
        min_good: 1,
        one_file_system: true,
        after_restore: None,
        keep,
        max_age: Duration::from_secs(7 * 86_400),
        max_drill_age: Duration::from_secs(90 * 86_400),
        dumps: vec![],
        s3: S3Options::default(),
    }
}
