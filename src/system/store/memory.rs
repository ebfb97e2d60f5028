//! A destination in memory, for tests: it fails when it is told to, and remembers what was asked.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read},
    os::unix::fs::FileExt,
    sync::Mutex,
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::{Body, Condition, Destination, Draft, Object, Reading, Reason, Receipt, Shelf, Trouble};

/// Objects in memory.
pub(crate) struct Memory {
    /// Whether its clock is its own, as that of S3.
    pub keeps_time: bool,
    address: String,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    objects: BTreeMap<String, Stored>,
    calls: Vec<String>,
    failures: Vec<Failure>,
}

#[derive(Clone)]
struct Stored {
    bytes: Vec<u8>,
    modified: Option<Timestamp>,
    retained_until: Option<Timestamp>,
}

/// Calls that begin with `what` fail, after the first `after` of them.
struct Failure {
    what: String,
    after: usize,
    trouble: Trouble,
}

impl Memory {
    /// An empty one.
    pub fn new(address: &str) -> Self {
        Self { keeps_time: false, address: address.to_owned(), inner: Mutex::default() }
    }

    /// Stores an object as if it had been there since `modified`.
    pub fn place(&self, name: &str, bytes: impl Into<Vec<u8>>, modified: Option<Timestamp>) {
        let stored = Stored { bytes: bytes.into(), modified, retained_until: None };
        self.inner.lock().unwrap().objects.insert(name.to_owned(), stored);
    }

    /// Locks an object until then: it is listed with it, and cannot be removed.
    pub fn lock(&self, name: &str, until: Timestamp) {
        self.inner.lock().unwrap().objects.get_mut(name).unwrap().retained_until = Some(until);
    }

    /// Removes an object as somebody else would.
    pub fn lose(&self, name: &str) {
        self.inner.lock().unwrap().objects.remove(name).unwrap();
    }

    /// Renames an object as somebody else would.
    pub fn rename(&self, from: &str, to: &str) {
        let mut inner = self.inner.lock().unwrap();
        let stored = inner.objects.remove(from).unwrap();
        inner.objects.insert(to.to_owned(), stored);
    }

    /// Lets calls fail that begin with `what` (`list`, `open NAME`, `remove`), after the first `after` of them.
    pub fn fail(&self, what: &str, after: usize, reason: Reason) {
        let trouble = Trouble::new(reason, format!("{what} was told to fail"), "ask the test");
        self.inner.lock().unwrap().failures.push(Failure { what: what.to_owned(), after, trouble });
    }

    /// The names of all objects.
    pub fn names(&self) -> Vec<String> {
        self.inner.lock().unwrap().objects.keys().cloned().collect()
    }

    /// The content of an object.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        self.inner.lock().unwrap().objects.get(name).map(|stored| stored.bytes.clone())
    }

    /// What was asked so far, and forgets it: `list`, `open NAME`, `remove NAME`, `put NAME`.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.inner.lock().unwrap().calls)
    }

    fn call(&self, what: String) -> Result<std::sync::MutexGuard<'_, Inner>, Trouble> {
        let mut inner = self.inner.lock().unwrap();
        let mut said = None;
        for failure in inner.failures.iter_mut().filter(|failure| what.starts_with(&failure.what)) {
            match failure.after.checked_sub(1) {
                Some(left) => failure.after = left,
                None => said = Some(failure.trouble.clone()),
            }
        }
        inner.calls.push(what);
        said.map_or(Ok(inner), Err)
    }
}

impl Shelf for Memory {
    fn address(&self) -> &str {
        &self.address
    }

    fn keeps_time(&self) -> bool {
        self.keeps_time
    }

    fn inspect(&self) -> BoxFuture<'_, Result<Condition, Trouble>> {
        Box::pin(async { self.call("inspect".to_owned()).map(|_| Condition::default()) })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Object>, Trouble>> {
        let object = |(name, stored): (&String, &Stored)| Object {
            name: name.clone(),
            bytes: stored.bytes.len() as u64,
            modified: stored.modified,
            retained_until: stored.retained_until,
        };
        Box::pin(async move { self.call("list".to_owned()).map(|inner| inner.objects.iter().map(object).collect()) })
    }

    fn open<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Reading, Trouble>> {
        Box::pin(async move {
            let inner = self.call(format!("open {name}"))?;
            let missing = || Trouble::new(Reason::Missing, "there is no such object", "list the destination");
            let bytes = inner.objects.get(name).map(|stored| stored.bytes.clone()).ok_or_else(missing)?;
            Ok(Reading::of(Cursor::new(bytes)))
        })
    }
}

impl Destination for Memory {
    fn prepare(&self) -> BoxFuture<'_, Result<(), Trouble>> {
        Box::pin(async { self.call("prepare".to_owned()).map(drop) })
    }

    fn draft(&self) -> BoxFuture<'_, Result<Option<Box<dyn Draft>>, Trouble>> {
        Box::pin(async { Ok(None) })
    }

    fn put<'a>(&'a self, name: &'a str, body: Body) -> BoxFuture<'a, Result<Receipt, Trouble>> {
        Box::pin(async move {
            let mut inner = self.call(format!("put {name}"))?;
            if inner.objects.contains_key(name) {
                return Err(Trouble::new(Reason::Collision, "the name is taken", "choose another one"));
            }
            let bytes = match body {
                Body::Bytes(bytes) => bytes.to_vec(),
                Body::Spool { file, bytes, .. } => {
                    let mut content = vec![0; usize::try_from(bytes).unwrap()];
                    file.read_exact_at(&mut content, 0).unwrap();
                    content
                }
            };
            let stored = Stored { bytes, modified: None, retained_until: None };
            inner.objects.insert(name.to_owned(), stored);
            Ok(Receipt { checksum: true })
        })
    }

    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        Box::pin(async move {
            let mut inner = self.call(format!("remove {name}"))?;
            if inner.objects.get(name).is_some_and(|stored| stored.retained_until.is_some()) {
                return Err(Trouble::new(Reason::Retained, "the store keeps it", "wait until the lock ends"));
            }
            inner.objects.remove(name);
            Ok(())
        })
    }

    fn tidy(&self) -> BoxFuture<'_, Result<Vec<String>, Trouble>> {
        Box::pin(async { self.call("tidy".to_owned()).map(|_| Vec::new()) })
    }
}

#[tokio::test]
async fn it_does_what_it_is_told_and_remembers_it() {
    let memory = Memory::new("memory");
    memory.put("a", Body::Bytes(b"one".as_slice().into())).await.unwrap();
    memory.fail("remove", 1, Reason::Permission);
    let collision = memory.put("a", Body::Bytes(b"two".as_slice().into())).await.unwrap_err();
    assert_eq!(collision.reason, Reason::Collision);
    let mut read = Vec::new();
    memory.open("a").await.unwrap().reader.read_to_end(&mut read).unwrap();
    assert_eq!((read, memory.list().await.unwrap().len()), (b"one".to_vec(), 1));
    memory.remove("a").await.unwrap();
    assert_eq!(memory.remove("a").await.unwrap_err().reason, Reason::Permission);
    assert_eq!(memory.asked(), ["put a", "put a", "open a", "list", "remove a", "remove a"]);
}
