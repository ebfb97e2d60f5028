//! The test bed of `tests/testbed/bed`: real nginx and gunicorn in containers with the runbook's names.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

use crate::program::{World, skip};

/// Where the bed answers: ports 443 and 80.
pub const ADDRESS: &str = "127.77.0.2";

/// The pair of containers, as long as it lives. There is one at a time on a machine, for the names are fixed.
pub struct Bed {
    state: PathBuf,
    /// Where the configuration is, and where runs start.
    pub world: World,
    /// Held until the containers are gone.
    _alone: File,
}

impl Bed {
    /// Starts it; `None`, and a line for the count of skipped tests, where the machine cannot have one.
    pub fn up(test: &str) -> Option<Self> {
        let alone = File::create(std::env::temp_dir().join("mainstay-testbed.lock")).expect("a file in /tmp");
        alone.lock().expect("the lock of the test bed");
        let world = World::new();
        let state = world.folder().join("bed");
        match script(&["up".as_ref(), &state]) {
            Ok(()) => {}
            Err((Some(77), why)) => {
                skip(test, why.lines().last().unwrap_or("no test bed here"));
                return None;
            }
            Err((code, why)) => panic!("the test bed did not come up ({code:?}): {why}"),
        }
        world.file("mainstay.toml", CONFIG);
        Some(Self { state, world, _alone: alone })
    }

    /// Brings in one of the faults that `bed faults` lists.
    pub fn fault(&self, fault: &str) {
        if let Err((code, why)) = script(&["break".as_ref(), fault.as_ref(), &self.state]) {
            panic!("could not bring in {fault} ({code:?}): {why}");
        }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if let Err((code, why)) = script(&["down".as_ref(), &self.state]) {
            println!("the test bed did not go down ({code:?}): {why}");
        }
    }
}

/// What an operator writes for the runbook's system. Only where to look instead of in the DNS, and whom to
/// trust, are the bed's own.
pub const CONFIG: &str = r#"project = "prime"
[site.prime]
url = "https://prime.example.test"
contains = "<title>Prime</title>"
resolve = ["127.77.0.2"]
ca_file = "bed/ca/root.pem"
nginx = { container = "prime_webtool_nginx_1" }
oauth = { login = "/auth/login", provider = "google" }
gunicorn = { container = "prime_webtool_web_1", workers = 3, threads = 4, timeout = 90, graceful_timeout = 30, forwarded_allow_ips = "*" }
"#;

fn script(arguments: &[&Path]) -> Result<(), (Option<i32>, String)> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testbed/bed");
    let output = Command::new(program).args(arguments).output().expect("tests/testbed/bed");
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err((output.status.code(), why)) }
}
