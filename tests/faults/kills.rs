//! `kill -9` at random moments of create, prune and restore, on a folder and on S3.
//!
//! `MAINSTAY_FAULT_ROUNDS` says how many kills there are, `MAINSTAY_FAULT_SEED` repeats a run, as far as the machine does
//! its part at the same moments.

use std::{
    collections::BTreeMap,
    fmt,
    panic::{self, AssertUnwindSafe},
    thread,
    time::{Duration, Instant},
};

use crate::{
    dice::Dice,
    moto::Moto,
    program::{Run, has_program, skip},
    scene::{Place, Scene, Stock},
    tree::{self, Tree, differences, expect_whole, look, staged},
};

/// So many where nobody says how many: a minute's worth.
const ROUNDS: usize = 40;

/// What is killed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Kind {
    Create(Place),
    Prune(Place),
    InPlace(Place),
    To(Place),
}

const KINDS: [Kind; 10] = [
    Kind::Create(Place::Folder),
    Kind::Create(Place::S3),
    Kind::Create(Place::Both),
    Kind::Prune(Place::Folder),
    Kind::Prune(Place::S3),
    Kind::Prune(Place::Both),
    Kind::InPlace(Place::Folder),
    Kind::InPlace(Place::S3),
    Kind::To(Place::Folder),
    Kind::To(Place::S3),
];

/// What there is to know before the first kill.
struct Bench {
    scene: Scene,
    dice: Dice,
    /// How long an undisturbed run takes.
    lengths: BTreeMap<Kind, Duration>,
    /// The application before a restore, and after it.
    old: Tree,
    new: Tree,
    /// What is restored into an empty folder.
    whole: Tree,
    /// What is left at a place after an undisturbed prune.
    pruned: Vec<String>,
}

/// What was hit.
#[derive(Default)]
struct Tally {
    kills: usize,
    /// Kills after which something half-done was there to be cleaned up or finished.
    midway: usize,
    wrong: usize,
}

impl Kind {
    fn place(self) -> Place {
        match self {
            Self::Create(place) | Self::Prune(place) | Self::InPlace(place) | Self::To(place) => place,
        }
    }

    fn stock(self) -> Stock {
        match self {
            Self::Prune(_) => Stock::Many,
            _ => Stock::Large,
        }
    }

    fn command(self) -> &'static [&'static str] {
        match self {
            Self::Create(_) => &["create"],
            Self::Prune(_) => &["prune", "--yes"],
            Self::InPlace(_) => {
                &["restore", "app", "--in-place", "--yes", "--overwrite", "newer", "--identity", "key.txt"]
            }
            Self::To(_) => &["restore", "app", "--to", "restored", "--yes", "--identity", "key.txt"],
        }
    }
}

#[test]
fn nothing_is_lost_by_kills_at_any_moment() {
    let test = "kills::nothing_is_lost_by_kills_at_any_moment";
    if !has_program("age") {
        return skip(test, "no age to open archives with");
    }
    let (mut dice, seed) = Dice::new();
    let Some(moto) = Moto::start(test) else { return };
    let scene = Scene::new(moto);
    scene.fill(&mut dice);
    let rounds = std::env::var("MAINSTAY_FAULT_ROUNDS").map_or(ROUNDS, |text| text.parse().expect("a number"));
    println!("{rounds} kills; MAINSTAY_FAULT_SEED={seed} repeats them");
    let mut bench = Bench::new(scene, dice);
    let mut tallies: BTreeMap<Kind, Tally> = BTreeMap::new();
    for round in 0..rounds {
        let kind = KINDS[round % KINDS.len()];
        let moment = bench.kill(kind);
        let tally = tallies.entry(kind).or_default();
        tally.kills += 1;
        // One that goes wrong is shown and counted, and the others are looked at all the same.
        match panic::catch_unwind(AssertUnwindSafe(|| bench.judge(kind))) {
            Ok(midway) => {
                println!("round {round}: {kind}, killed after {moment:?}");
                tally.midway += usize::from(midway);
            }
            Err(_) => {
                println!("round {round}: {kind}, killed after {moment:?} of {:?}, went wrong", bench.lengths[&kind]);
                tally.wrong += 1;
            }
        }
    }
    for (kind, Tally { kills, midway, wrong }) in &tallies {
        println!("{kind}: {kills} kills, {midway} of them left something half-done, {wrong} went wrong");
    }
    let wrong: usize = tallies.values().map(|tally| tally.wrong).sum();
    assert_eq!(wrong, 0, "kills of {rounds} went wrong; they are above");
}

impl Bench {
    fn new(scene: Scene, dice: Dice) -> Self {
        let mut bench = Self {
            scene,
            dice,
            lengths: BTreeMap::new(),
            old: Tree::new(),
            new: Tree::new(),
            whole: Tree::new(),
            pruned: Vec::new(),
        };
        for kind in KINDS {
            bench.reset(kind);
            if matches!(kind, Kind::InPlace(_)) {
                bench.old = look(&bench.scene.app());
            }
            let run = bench.run(kind, kind.command());
            run.expect_code(0);
            bench.lengths.insert(kind, run.took);
            match kind {
                Kind::InPlace(_) => bench.new = look(&bench.scene.app()),
                Kind::To(_) => bench.whole = look(&bench.scene.at("restored")),
                Kind::Prune(_) => bench.pruned = bench.scene.names(kind.place() == Place::S3),
                Kind::Create(_) => {}
            }
        }
        assert_ne!(bench.old, bench.new);
        bench
    }

    fn run(&self, kind: Kind, command: &[&str]) -> Run {
        self.scene.run(kind.place(), command)
    }

    /// Puts everything back to the start of a round.
    fn reset(&mut self, kind: Kind) {
        self.scene.reset(kind.stock(), kind.place());
        if matches!(kind, Kind::InPlace(_)) {
            let aged = self.scene.at("aged");
            if !aged.exists() {
                tree::age(&self.scene.app(), &mut self.dice);
                tree::copy(&self.scene.app(), &aged);
            }
            tree::copy(&aged, &self.scene.app());
        }
    }

    /// Starts the command and kills it; one that has ended before is no kill, and another moment is chosen. The moment.
    fn kill(&mut self, kind: Kind) -> Duration {
        loop {
            self.reset(kind);
            let length = self.lengths[&kind];
            let moment = length.mul_f64(self.dice.share());
            let mut command = self.scene.world.command(&Scene::arguments(kind.place(), kind.command()));
            let started = Instant::now();
            let mut child = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn();
            let child = child.as_mut().expect("the binary");
            thread::sleep(moment.saturating_sub(started.elapsed()));
            let ended = child.try_wait().expect("a child of ours").is_some();
            child.kill().expect("a child of ours");
            child.wait().expect("a child of ours");
            if !ended {
                return moment;
            }
            // It was quicker than the one that was measured.
            self.lengths.insert(kind, length.mul_f64(0.9));
        }
    }

    /// Everything that must hold after a kill; says whether it left anything half-done.
    fn judge(&mut self, kind: Kind) -> bool {
        let place = kind.place();
        let sources = self.scene.at(kind.stock().folder()).join("app");
        let midway = self.is_midway(kind);
        // What the killed run left is judged as it is; every other time the next run comes first.
        if self.dice.coin() {
            let good = self.scene.good(place);
            self.scene.expect_verified(place, &good);
        }
        let before = self.scene.good(place);
        match kind {
            Kind::Create(_) => {}
            Kind::Prune(_) => {
                self.run(kind, &["prune", "--yes"]).expect_code(0);
                for bucket in [false, true] {
                    if bucket && place.has_bucket() || !bucket && place.has_folder() {
                        let names: Vec<String> = self.scene.names(bucket);
                        let ours = |names: &[String]| -> Vec<String> {
                            names.iter().filter(|name| name.starts_with("prime-")).cloned().collect()
                        };
                        assert_eq!(ours(&names), ours(&self.pruned), "what the next prune leaves");
                    }
                }
            }
            Kind::InPlace(_) => self.judge_in_place(kind),
            Kind::To(_) => self.judge_to(kind),
        }
        if !matches!(kind, Kind::InPlace(_)) {
            let (now, then) = (look(&self.scene.app()), look(&sources));
            assert!(now == then, "the sources have changed: {:?}", differences(&then, &now));
        }
        self.run(kind, &["create"]).expect_code(0);
        self.scene.expect_clean(place);
        let good = self.scene.good(place);
        if !matches!(kind, Kind::Prune(_)) {
            assert!(before.is_subset(&good), "once good, and not any more: {:?}", before.difference(&good));
        }
        self.scene.expect_verified(place, &good);
        midway
    }

    /// A restore in place is finished or taken back as a whole, whatever was hit.
    fn judge_in_place(&mut self, kind: Kind) {
        let app = self.scene.app();
        let expect = |tree: &Tree, what: &str, run: &Run| {
            let now = look(&app);
            assert!(now == *tree, "{what}: {:?}: {run}", differences(tree, &now));
        };
        expect_whole(&look(&app), &self.old, &self.new);
        let undo = self.dice.coin();
        let run = self.run(kind, &["restore", "app", if undo { "--undo" } else { "--resume" }]);
        match (run.code, undo) {
            (Some(0), true) => expect(&self.old, "taken back", &run),
            (Some(0), false) => expect(&self.new, "finished", &run),
            _ => {
                // There was nothing to be done: it had not begun to swap, or had ended.
                assert!(run.stderr.contains("none"), "{run}");
                let now = look(&app);
                assert!(now == self.old || now == self.new, "a mixture: {:?}", differences(&self.old, &now));
            }
        }
        let run = self.run(kind, kind.command());
        run.expect_code(0);
        expect(&self.new, "restored again", &run);
        assert_eq!(staged(&app), 1, "what can be taken back, and nothing else");
        let run = self.run(kind, &["restore", "app", "--undo"]);
        run.expect_code(0);
        expect(&self.old, "taken back in the end", &run);
        assert_eq!(staged(&app), 0, "nothing is left of any restore");
    }

    /// A restore to a new folder leaves all of it or nothing that counts.
    fn judge_to(&mut self, kind: Kind) {
        let target = self.scene.at("restored");
        let nothing = Tree::new();
        if target.exists() {
            expect_whole(&look(&target), &self.whole, &nothing);
        }
        let undo = self.dice.coin();
        let run = self.run(kind, &["restore", "app", if undo { "--undo" } else { "--resume" }]);
        let now = if target.exists() { look(&target) } else { Tree::new() };
        match (run.code, undo) {
            (Some(0), true) => assert!(!target.exists(), "taken back: {run}"),
            (Some(0), false) => assert!(now == self.whole, "finished: {:?}: {run}", differences(&self.whole, &now)),
            _ => {
                assert!(run.stderr.contains("none"), "{run}");
                assert!(now == nothing || now == self.whole, "a part: {:?}", differences(&self.whole, &now));
            }
        }
        let run = self.run(kind, kind.command());
        run.expect_code(0);
        let now = look(&target);
        assert!(now == self.whole, "restored again: {:?}: {run}", differences(&self.whole, &now));
        assert_eq!(staged(&target), 0, "a new folder holds what was restored and nothing else");
    }

    /// Whether the killed run left anything half-done.
    fn is_midway(&self, kind: Kind) -> bool {
        let place = kind.place();
        let count = |bucket: bool| self.scene.names(bucket).len();
        match kind {
            Kind::Create(_) => {
                // An archive is three files, and the folder has its marker.
                let local = place.has_folder() && count(false) % 3 != 1;
                let remote = place.has_bucket() && (count(true) % 3 != 0 || !self.scene.moto.uploads().is_empty());
                local || remote
            }
            Kind::Prune(_) => {
                let stock = self.scene.at(kind.stock().folder()).join("dest");
                let full = crate::scene::names(&stock).len();
                let left = |bucket: bool| count(bucket) + usize::from(bucket);
                let begun = |bucket: bool| left(bucket) < full;
                let over = |bucket: bool| {
                    self.scene.names(bucket).iter().filter(|name| name.starts_with("prime-")).count()
                        == self.pruned.iter().filter(|name| name.starts_with("prime-")).count()
                };
                let half = |bucket: bool| begun(bucket) && !over(bucket);
                place.has_folder() && half(false) || place.has_bucket() && half(true)
            }
            Kind::InPlace(_) => staged(&self.scene.app()) > 0,
            Kind::To(_) => self.scene.at("restored").exists(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(place) => write!(f, "create ({place:?})"),
            Self::Prune(place) => write!(f, "prune ({place:?})"),
            Self::InPlace(place) => write!(f, "restore in place ({place:?})"),
            Self::To(place) => write!(f, "restore to a new folder ({place:?})"),
        }
    }
}
