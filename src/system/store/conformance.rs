//! What every destination owes, tested on each: one function, run by the tests beside each of them.
//!
//! ```text
//! conformance::conforms("a folder on ext4", || Box::new(Directory::new(…)), &[]).await;
//! ```

#![expect(clippy::print_stdout, reason = "what is left out is said")]

use std::{
    fs::File,
    io::{Read, Seek, Write},
    sync::Arc,
    time::Duration,
};

use sha2::{Digest, Sha256};

use super::{Body, Destination, Reading, Reason, Shelf, Trouble};

/// What a store cannot do, by its nature. The suite leaves that part out and says so; nothing else may be missing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lack {
    /// Of two puts under one name at the same moment both can be told that they won.
    Exclusion,
}

/// The names that one archive has.
const NAMES: [&str; 3] = [
    "prime-app-20261123T181500Z-000042.tar.gz.age",
    "prime-app-20261123T181500Z-000042.tar.gz.age.json",
    "prime-app-20261123T181500Z-000042.tar.gz.age.json.minisig",
];

/// More than any part of an upload in parts, and no multiple of anything.
const MUCH: usize = (17 << 20) + 4711;

/// How long all of it may take at most. Only what hangs is as slow.
const PATIENCE: Duration = Duration::from_secs(900);

/// Holds a destination to what [`Shelf`] and [`Destination`] promise. `make` gives another handle on the same place each
/// time, as another run would have it; the place is new at first, and empty again at the end.
pub(crate) async fn conforms(what: &str, make: impl Fn() -> Box<dyn Destination>, lacks: &[Lack]) {
    for lack in lacks {
        println!("conformance of {what}: {lack:?} is left out, the store has no such thing");
    }
    let suite = Suite { what, lacks };
    tokio::time::timeout(PATIENCE, async {
        suite.a_new_one_is_made_ready_once(&make).await;
        suite.what_is_stored_comes_back(&make).await;
        suite.nothing_is_overwritten(&make).await;
        suite.an_order_is_kept(&make).await;
        suite.one_of_two_wins(&make).await;
        suite.drafts_are_kept_or_gone(&make).await;
        suite.a_lie_about_the_content_is_noticed(&make).await;
        suite.a_reader_may_leave(&make).await;
        suite.names_lead_nowhere_else(&make).await;
        suite.what_is_removed_is_gone(&make).await;
    })
    .await
    .unwrap_or_else(|_| panic!("{what}: still not done after {PATIENCE:?}"));
}

struct Suite<'a> {
    what: &'a str,
    lacks: &'a [Lack],
}

impl Suite<'_> {
    async fn a_new_one_is_made_ready_once(&self, make: &impl Fn() -> Box<dyn Destination>) {
        let what = self.what;
        let first = make();
        let found = first.inspect().await.unwrap_or_else(|trouble| panic!("{what}: {trouble:?}"));
        assert!(found.is_new, "{what}: {found:?}");
        assert_eq!(first.inspect().await.as_ref(), Ok(&found), "{what}: a look changes nothing");
        first.prepare().await.unwrap();
        let ready = first.inspect().await.unwrap();
        first.prepare().await.unwrap();
        let other = make();
        other.prepare().await.unwrap();
        assert_eq!(other.inspect().await.unwrap().identity, ready.identity, "{what}: it stays the same one");
        assert_eq!(names(&*other).await, [""; 0], "{what}: a new one is empty, and that is no error");
        assert_eq!(first.tidy().await, Ok(vec![]), "{what}");
    }

    async fn what_is_stored_comes_back(&self, make: &impl Fn() -> Box<dyn Destination>) {
        let what = self.what;
        let to = make();
        to.prepare().await.unwrap();
        let much = noise(MUCH);
        to.put(NAMES[0], spool(&much)).await.unwrap();
        to.put(NAMES[1], bytes(b"{\"schema\": 1}")).await.unwrap();
        // An object may be empty.
        to.put(NAMES[2], bytes(b"")).await.unwrap();
        let from = make();
        let mut listed = from.list().await.unwrap();
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        let sizes: Vec<_> = listed.iter().map(|object| (object.name.as_str(), object.bytes)).collect();
        assert_eq!(sizes, [(NAMES[0], MUCH as u64), (NAMES[1], 13), (NAMES[2], 0)], "{what}");
        assert!(!from.inspect().await.unwrap().is_new, "{what}: it has objects");
        assert!(content(&*from, NAMES[0]).await.unwrap() == much, "{what}: other bytes came back");
        assert_eq!(content(&*from, NAMES[1]).await.unwrap(), b"{\"schema\": 1}", "{what}");
        assert_eq!(content(&*from, NAMES[2]).await.unwrap(), b"", "{what}");
        let trouble = content(&*from, "prime-app-20261124T181500Z-000043.json").await.unwrap_err();
        assert_eq!(trouble.reason, Reason::Missing, "{what}: {trouble:?}");
    }

    async fn nothing_is_overwritten(&self, make: &impl Fn() -> Box<dyn Destination>) {
        let what = self.what;
        let to = make();
        let other = spool(&noise(MUCH / 2));
        for (name, body) in [(NAMES[1], bytes(b"other")), (NAMES[1], other), (NAMES[2], bytes(b"x"))] {
            let trouble = to.put(name, body).await.unwrap_err();
            assert_eq!(trouble.reason, Reason::Collision, "{what}: {trouble:?}");
            one_voice(&trouble);
        }
        assert_eq!(content(&*to, NAMES[1]).await.unwrap(), b"{\"schema\": 1}", "{what}: the first one stays");
        assert_eq!(names(&*to).await, NAMES, "{what}: nothing is left of those that failed");
        assert_eq!(to.tidy().await, Ok(vec![]), "{what}: nothing is left of those that failed");
    }

    async fn an_order_is_kept(&self, make: &impl Fn() -> Box<dyn Destination>) {
        let what = self.what;
        let to = make();
        let [one, two] = ["1", "2"].map(|end| format!("prime-app-20261125T000000Z-00004{end}.json"));
        let pair = |first: &str| vec![(first.to_owned(), Arc::from(*b"one")), (two.clone(), Arc::from(*b"two"))];
        to.put_in_order(pair(&one)).await.unwrap_or_else(|trouble| panic!("{what}: {trouble:?}"));
        for (name, text) in [(&one, b"one"), (&two, b"two")] {
            assert_eq!(content(&*to, name).await.unwrap(), text, "{what}");
            to.remove(name).await.unwrap();
        }
        // The first one is taken: the second one is not there without it.
        let trouble = to.put_in_order(pair(NAMES[1])).await.unwrap_err();
        assert_eq!(trouble.reason, Reason::Collision, "{what}: {trouble:?}");
        assert_eq!(names(&*to).await, NAMES, "{what}");
        assert_eq!(to.tidy().await, Ok(vec![]), "{what}");
    }

    async fn one_of_two_wins(&self, make: &impl Fn() -> Box<dyn Destination>) {
        let what = self.what;
        if self.lacks(Lack::Exclusion) {
            return;
        }
        let (one, two) = (make(), make());
        let name = "prime-app-20261125T000000Z-000044.json";
        let (a, b) = tokio::join!(one.put(name, bytes(b"one")), two.put(name, bytes(b"two")));
        let kept = content(&*one, name).await.unwrap();
        let (lost, won): (_, &[u8]) = match (a, b) {
            (Ok(_), Err(lost)) => (lost, b"one"),
            (Err(lost), Ok(_)) => (lost, b"two"),
            both => panic!("{what}: one of two must win: {both:?}"),
        };
        assert_eq!((lost.reason, kept.as_slice()), (Reason::Collision, won), "{what}: {lost:?}");
        one.remove(name).await.unwrap();
    }

    async fn drafts_are_kept_or_gone(&self, make: &impl Fn() -> Box<dyn Destination>) {
        let what = self.what;
        let to = make();
        let name = "prime-app-20261125T000000Z-000045.tar.zst.age";
        let Some(draft) = to.draft().await.unwrap() else { return };
        draft.file().write_all(b"half").unwrap();
        assert_eq!(names(&*make()).await, NAMES, "{what}: a draft is not listed");
        assert_eq!(make().tidy().await, Ok(vec![]), "{what}: a draft of a running run stays");
        draft.file().write_all(b" and half").unwrap();
        let kept = tokio::task::spawn_blocking(move || draft.keep(name)).await.unwrap();
        kept.unwrap_or_else(|trouble| panic!("{what}: {trouble:?}"));
        assert_eq!(content(&*make(), name).await.unwrap(), b"half and half", "{what}");

        let draft = to.draft().await.unwrap().unwrap();
        draft.file().write_all(b"other").unwrap();
        let trouble = tokio::task::spawn_blocking(move || draft.keep(name)).await.unwrap().unwrap_err();
        assert_eq!(trouble.reason, Reason::Collision, "{what}: {trouble:?}");
        assert_eq!(content(&*to, name).await.unwrap(), b"half and half", "{what}");
        drop(to.draft().await.unwrap());
        to.remove(name).await.unwrap();
        assert_eq!(names(&*to).await, NAMES, "{what}: what was not kept is gone");
        assert_eq!(make().tidy().await, Ok(vec![]), "{what}: what was not kept is gone");
    }

    /// A spool that was cut or altered on its way here must not become an archive.
    async fn a_lie_about_the_content_is_noticed(&self, make: &impl Fn() -> Box<dyn Destination>) {
        let what = self.what;
        let to = make();
        let name = "prime-app-20261125T000000Z-000046.tar.gz.age";
        let Body::Spool { file, bytes, sha256 } = spool(&noise(100_000)) else { unreachable!("a spool is a spool") };
        // The file behind a spool may be longer: only so much of it is the object.
        (&*file).seek(std::io::SeekFrom::End(0)).unwrap();
        (&*file).write_all(b"more").unwrap();
        to.put(name, Body::Spool { file: file.clone(), bytes, sha256 }).await.unwrap();
        assert!(content(&*to, name).await.unwrap() == noise(100_000), "{what}: the part that is the object");
        to.remove(name).await.unwrap();

        let short = Body::Spool { file, bytes: bytes + 5, sha256 };
        let trouble = to.put(name, short).await.unwrap_err();
        assert_eq!(trouble.reason, Reason::Damaged, "{what}: {trouble:?}");
        one_voice(&trouble);
        assert_eq!(names(&*to).await, NAMES, "{what}: nothing is left of it");
    }

    async fn a_reader_may_leave(&self, make: &impl Fn() -> Box<dyn Destination>) {
        let from = make();
        let Reading { mut reader, done } = from.open(NAMES[0]).await.unwrap();
        tokio::task::spawn_blocking(move || reader.read_exact(&mut [0; 10])).await.unwrap().unwrap();
        // Whatever it says, the producer ends once nobody reads any more.
        let _ = done.await;
        drop(from.open(NAMES[0]).await.unwrap());
    }

    async fn names_lead_nowhere_else(&self, make: &impl Fn() -> Box<dyn Destination>) {
        let what = self.what;
        let to = make();
        for name in ["", ".", "..", "../out", "a/b", "/etc/hostname", ".mainstay-tmp-1", ".mainstay-dest.json", "a\0"] {
            assert!(to.put(name, bytes(b"x")).await.is_err(), "{what}: put {name:?}");
            assert!(content(&*to, name).await.is_err(), "{what}: open {name:?}");
            assert!(to.remove(name).await.is_err(), "{what}: remove {name:?}");
        }
        assert_eq!(names(&*to).await, NAMES, "{what}");
    }

    async fn what_is_removed_is_gone(&self, make: &impl Fn() -> Box<dyn Destination>) {
        let what = self.what;
        let to = make();
        for name in NAMES {
            to.remove(name).await.unwrap();
            to.remove(name).await.unwrap_or_else(|trouble| panic!("{what}: gone already is no error: {trouble:?}"));
            let trouble = content(&*to, name).await.unwrap_err();
            assert_eq!(trouble.reason, Reason::Missing, "{what}: {trouble:?}");
            one_voice(&trouble);
        }
        // Whether an empty one may have vanished altogether is the store's affair; a run makes it ready first.
        let again = make();
        again.prepare().await.unwrap();
        assert_eq!(names(&*again).await, [""; 0], "{what}");
    }

    fn lacks(&self, lack: Lack) -> bool {
        self.lacks.contains(&lack)
    }
}

/// The names of all objects, sorted.
pub(crate) async fn names(shelf: &(impl Shelf + ?Sized)) -> Vec<String> {
    let mut names: Vec<_> = shelf.list().await.unwrap().into_iter().map(|object| object.name).collect();
    names.sort();
    names
}

/// Reads an object as a job does: to its end, and then asks whether that was the end.
pub(crate) async fn content(shelf: &(impl Shelf + ?Sized), name: &str) -> Result<Vec<u8>, Trouble> {
    let Reading { mut reader, done } = shelf.open(name).await?;
    let read = tokio::task::spawn_blocking(move || {
        let mut content = Vec::new();
        reader.read_to_end(&mut content).map(|_| content)
    });
    let (read, done) = tokio::join!(read, done);
    done?;
    read.unwrap().map_err(|error| Trouble::new(Reason::Unreachable, error.to_string(), "look at the test"))
}

/// A small object.
pub(crate) fn bytes(content: &[u8]) -> Body {
    Body::Bytes(Arc::from(content))
}

/// A spooled object, in a file whose own position is somewhere else.
pub(crate) fn spool(content: &[u8]) -> Body {
    let mut file: File = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    let sha256 = Sha256::digest(content).into();
    Body::Spool { file: Arc::new(file), bytes: content.len() as u64, sha256 }
}

/// So many bytes that no two places in them look alike, the same each time.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut noise = Vec::with_capacity(length + 8);
    while noise.len() < length {
        noise.extend_from_slice(&step().to_le_bytes());
    }
    noise.truncate(length);
    noise
}

/// Fails where a trouble does not say what happened and what to do as all others do.
pub(crate) fn one_voice(trouble: &Trouble) {
    for text in [&trouble.why, &trouble.fix] {
        assert!(!text.is_empty() && !text.ends_with('.') && !text.contains('\n'), "{trouble:?}");
    }
}
