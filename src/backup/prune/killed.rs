//! A prune of a real folder that is killed at any moment, again and again.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "the test runs itself again to kill it")]

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use super::{apply, plan};
use crate::{
    backup::{
        Catalog, Lack, Stock,
        testing::{Bench, NOW},
    },
    report::{Progress, State},
    system::{
        Context,
        clock::Fixed,
        store::{self, Destination, Mounted, Options, Place, Shelf, memory::Memory},
    },
};

/// Tells the child that it is one: the folder to prune and the key that its archives are signed with.
const FOLDER: &str = "MAINSTAY_TEST_PRUNE";
const KEY: &str = "MAINSTAY_TEST_KEY";

/// How often. The archives of each round go one by one, so that a kill falls between any two of their files.
const ROUNDS: u64 = 24;

/// Says that it goes on, so that the one who kills knows when.
struct Aloud;

impl Progress for Aloud {
    fn begin(&self, _label: &str, _total: Option<u64>) {
        self.advance(0);
    }

    fn advance(&self, _units: u64) {
        // Nobody is left to tell when the parent has gone.
        let _ = writeln!(std::io::stderr(), "step").and_then(|()| std::io::stderr().flush());
    }

    fn end(&self) {}

    fn say(&self, _line: &str) {}
}

fn context() -> Context {
    let mut context = Context::real(BTreeMap::new(), PathBuf::from("/"));
    context.clock = Arc::new(Fixed(NOW()));
    context.progress = Arc::new(Aloud);
    context
}

fn open(folder: &Path) -> Box<dyn Destination> {
    let options = Options { mounted: Mounted::Never, ..Options::default() };
    store::open(&Place::Folder(folder.to_owned()), &options, &context()).unwrap()
}

/// Prunes a folder to the end.
async fn prune(bench: &Bench, folder: &Path) {
    let shelf = open(folder);
    let looking: &dyn Shelf = &*shelf;
    let proposal = plan(&[bench.stock(looking)], NOW()).await.unwrap();
    let stocks: [Stock<'_, dyn Destination>; 1] = [bench.stock(&*shelf)];
    let outcomes = apply(proposal.plan, &stocks, &context()).await.unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.state == State::Done), "{outcomes:?}");
}

/// Puts archives of each day of November there that look as old as they are.
fn fill(bench: &Bench, folder: &Path) {
    let memory = Memory::new("memory");
    bench.daily(&memory, &(1..=20).collect::<Vec<u64>>());
    for name in memory.names() {
        let path = folder.join(&name);
        fs::write(&path, memory.content(&name).unwrap()).unwrap();
        let old = std::time::UNIX_EPOCH + Duration::from_secs(1_793_000_000);
        File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
    }
}

/// Not a test of its own: what the test below starts and kills.
#[tokio::test]
async fn child() {
    let (Some(folder), Ok(key)) = (env::var_os(FOLDER), env::var(KEY)) else { return };
    let mut bench = Bench::new();
    bench.accepted = vec![key.parse().unwrap()];
    prune(&bench, Path::new(&folder)).await;
}

#[tokio::test]
async fn a_killed_prune_leaves_no_listed_archive_without_its_file_and_the_next_one_ends_it() {
    let bench = Bench::new();
    let mut midway = 0;
    for round in 0..ROUNDS {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path();
        open(folder).prepare().await.unwrap();
        fill(&bench, folder);

        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "backup::prune::killed::child", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder)
            .env(KEY, bench.signer.public().to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let steps = said
            .by_ref()
            .map_while(Result::ok)
            .filter(|line| line == "step")
            .take(1 + usize::try_from(round / 2).unwrap());
        let _ = steps.count();
        std::thread::sleep(Duration::from_micros(round * 13 % 200));
        child.kill().unwrap();
        child.wait().unwrap();

        let shelf = open(folder);
        let looking: &dyn Shelf = &*shelf;
        let catalog = Catalog::read(looking, &bench.stock(looking).query(NOW())).await.unwrap();
        assert!(catalog.archives.iter().all(|archive| archive.is_good()), "round {round}: {:?}", catalog.archives);
        assert!(catalog.incomplete.iter().all(|it| it.lack == Lack::Sidecar) && catalog.incomplete.len() < 2);
        assert!(catalog.archives.len() >= 3);
        midway += usize::from(catalog.archives.len() > 3 && catalog.archives.len() < 20);

        prune(&bench, folder).await;
        let left = fs::read_dir(folder).unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        let ours: Vec<String> = left.filter(|name| name.starts_with("prime-app-")).collect();
        assert_eq!(ours.len(), 9, "round {round}: {ours:?}");
    }
    println!("killed {ROUNDS} prunes, {midway} of them in the middle");
    assert!(midway > 0, "no kill fell into the work");
}
