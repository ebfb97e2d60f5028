//! An application, two destinations, and archives that are days old: set up once, put back before each round.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

use jiff::{SignedDuration, Timestamp};
use mainstay::system::{Context, clock::Fixed};

use crate::{
    dice::Dice,
    moto::{BUCKET, Moto},
    program::{Run, World},
    tree,
};

/// The folder of the local destination, and the prefix of the one in the bucket.
pub const FOLDER: &str = "dest";
const PREFIX: &str = "app";

/// Where archives go to and come from.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Place {
    Folder,
    S3,
    Both,
}

/// A stock of archives to begin from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stock {
    /// One archive of hundreds of files, and so large that S3 gets it in parts.
    Large,
    /// Many small ones, most of which no rule keeps.
    Many,
}

/// The world of the rounds.
pub struct Scene {
    pub world: World,
    pub moto: Moto,
}

impl Place {
    /// Whether the local folder belongs to it.
    pub fn has_folder(self) -> bool {
        self != Self::S3
    }

    /// Whether the bucket belongs to it.
    pub fn has_bucket(self) -> bool {
        self != Self::Folder
    }

    /// The configuration that has these destinations.
    fn file(self) -> &'static str {
        match self {
            Self::Folder => "folder.toml",
            Self::S3 => "s3.toml",
            Self::Both => "both.toml",
        }
    }
}

impl Stock {
    /// Where it is kept.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Large => "large",
            Self::Many => "many",
        }
    }
}

impl Scene {
    /// An empty world with a key and the configurations.
    pub fn new(moto: Moto) -> Self {
        let mut world = World::new();
        world.set("AWS_ACCESS_KEY_ID", "AKIDTEST").set("AWS_SECRET_ACCESS_KEY", "secret");
        world.set("AWS_EC2_METADATA_DISABLED", "true");
        world.run(&["backup", "keygen", "key.txt"]).expect_code(0);
        let scene = Self { world, moto };
        for place in [Place::Folder, Place::S3, Place::Both] {
            scene.configure(place);
        }
        scene
    }

    /// Makes the stocks of archives.
    pub fn fill(&self, dice: &mut Dice) {
        self.make(Stock::Large, dice, &[9]);
        self.make(Stock::Many, dice, &(2..=14).rev().collect::<Vec<i64>>());
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.world.folder().join(name)
    }

    /// The folder of the application.
    pub fn app(&self) -> PathBuf {
        self.at("app")
    }

    /// Arguments of a command about these destinations.
    pub fn arguments<'a>(place: Place, command: &[&'a str]) -> Vec<&'a str> {
        let mut arguments = vec!["--config", place.file(), "backup"];
        arguments.extend(command);
        arguments
    }

    pub fn run(&self, place: Place, command: &[&str]) -> Run {
        self.world.run(&Self::arguments(place, command))
    }

    fn configure(&self, place: Place) {
        let key = fs::read_to_string(self.at("key.txt")).expect("a key");
        let public = key.split("# public key: ").nth(1).and_then(|rest| rest.lines().next()).expect("its public half");
        let url = format!("s3://{BUCKET}/{PREFIX}");
        let to = match place {
            Place::Folder => format!("'{FOLDER}'"),
            Place::S3 => format!("'{url}'"),
            Place::Both => format!("'{FOLDER}', '{url}'"),
        };
        let s3 = format!("[backup.app.s3]\nregion = 'us-east-1'\nendpoint = '{}'\n", self.moto.url());
        let s3 = if place.has_bucket() { s3 } else { String::new() };
        self.world.file(
            place.file(),
            format!(
                "project = 'prime'\nstate = 'state'\n\
                 [backup.app]\nroot = 'app'\ninclude = ['.env', 'config/', 'data/']\nrecipients = ['{public}']\n\
                 to = [{to}]\nkeep = {{ last = 2, daily = 2 }}\nmin_good = 2\n{s3}"
            ),
        );
    }

    /// Makes a stock of archives that are so many days old, and keeps it aside with the state that belongs to it.
    fn make(&self, stock: Stock, dice: &mut Dice, days: &[i64]) {
        self.moto.empty();
        for name in ["app", FOLDER, "state"] {
            tree::clear(&self.at(name));
        }
        match stock {
            Stock::Large => tree::grow(&self.app(), 300, 8 << 20, dice),
            Stock::Many => tree::grow(&self.app(), 10, 4000, dice),
        }
        for days in days {
            let then = Timestamp::now() - SignedDuration::from_hours(24 * days);
            let before = self.names_of_folder();
            self.create_at(then);
            for name in self.names_of_folder().iter().filter(|name| !before.contains(name)) {
                let file = fs::File::options().write(true).open(self.at(FOLDER).join(name)).expect("an archive");
                let stored = UNIX_EPOCH + Duration::from_secs(then.as_second().cast_unsigned());
                file.set_modified(stored).expect("a file of ours");
            }
        }
        let kept = self.at(stock.folder());
        fs::create_dir(&kept).expect("a folder");
        for name in ["app", FOLDER, "state"] {
            tree::copy(&self.at(name), &kept.join(name));
        }
    }

    /// What the binary does, at another time: as the design says, through the library with a clock that stands.
    fn create_at(&self, then: Timestamp) {
        let variables = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"];
        let variables: BTreeMap<_, _> = variables.map(|name| (name.into(), "true".into())).into();
        let mut context = Context::real(variables, self.world.folder().to_path_buf());
        context.clock = std::sync::Arc::new(Fixed(then));
        let mut arguments = vec!["mainstay", "--quiet"];
        arguments.extend(Self::arguments(Place::Both, &["create"]));
        let arguments = arguments.into_iter().map(Into::into).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        assert_eq!(runtime.block_on(mainstay::cli::run(arguments, context)), 0, "an old archive");
    }

    /// Puts everything back to where a stock was made.
    pub fn reset(&self, stock: Stock, place: Place) {
        let kept = self.at(stock.folder());
        for name in ["app", FOLDER, "state"] {
            tree::copy(&kept.join(name), &self.at(name));
        }
        tree::clear(&self.at("restored"));
        if place.has_bucket() {
            self.moto.empty();
            for name in self.names_of_folder().iter().filter(|name| name.starts_with("prime-")) {
                let path = self.at(FOLDER).join(name);
                let stored = fs::metadata(&path).and_then(|found| found.modified()).expect("a file");
                let stored = stored.duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
                let stored = Timestamp::from_second(stored.cast_signed()).expect("a date");
                self.moto.put(&format!("{PREFIX}/{name}"), &fs::read(&path).expect("a file"), stored);
            }
        }
    }

    /// The names of all files at a place, that of S3 where it is one.
    pub fn names(&self, bucket: bool) -> Vec<String> {
        match bucket {
            true => {
                let strip = |name: &String| name.strip_prefix("app/").map(str::to_owned);
                self.moto.names().iter().filter_map(strip).collect()
            }
            false => self.names_of_folder(),
        }
    }

    /// The bytes of a file at a place.
    pub fn read(&self, bucket: bool, name: &str) -> Vec<u8> {
        match bucket {
            true => self.moto.read(&format!("{PREFIX}/{name}")),
            false => fs::read(self.at(FOLDER).join(name)).expect("a file"),
        }
    }

    fn names_of_folder(&self) -> Vec<String> {
        names(&self.at(FOLDER))
    }
}

/// The names in a folder, which may not exist.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    names.sort();
    names
}
