//! Renewals of the world's certificate: by the command, and through the library.

use std::{
    collections::BTreeMap,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use mainstay::{
    renew_cert::outage::{self, Preflight, Wanted},
    system::{
        Context, process,
        state::{Lineage, State},
    },
};

use crate::{acme, program::PROGRAM};

/// A renewal of the world's certificate by the real command, standalone and not due: what `kills` kills. In a process group
/// of its own.
pub fn start() -> Child {
    let mut command = Command::new(PROGRAM);
    command.args(["renew-cert", "prime", "--force"]).stdin(Stdio::null()).stdout(log()).stderr(log());
    command.current_dir(configured()).process_group(0).spawn().expect("the binary")
}

/// The next plain run, from cron: nothing is due.
pub fn plain() -> Output {
    Command::new(PROGRAM).arg("renew-cert").current_dir(configured()).stdin(Stdio::null()).output().expect("the binary")
}

/// A look at what a renewal would stop.
pub fn rehearsal() -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["renew-cert", "prime", "--force", "--dry-run"]).stdin(Stdio::null()).current_dir(configured());
    command
}

/// The folder with the configuration of an operator who has no webroot.
fn configured() -> PathBuf {
    configured_as(&format!("method = \"standalone\"\nreload = {{ container = \"{}\" }}\n", acme::CONTAINER))
}

/// The folder with a configuration of the world's certificate that has these keys too.
pub fn configured_as(keys: &str) -> PathBuf {
    let folder = acme::folder().join("operator");
    std::fs::create_dir_all(&folder).expect("a folder");
    let server = std::env::var("ACME").expect("only inside a world");
    let text = format!(
        "project = \"prime\"\n[certificate.prime]\nnames = [\"prime.example.test\", \"www.prime.example.test\"]\n\
         server = \"{server}\"\n{keys}"
    );
    std::fs::write(folder.join("mainstay.toml"), text).expect("a file");
    folder
}

/// What the runs said, for when one goes wrong.
fn log() -> std::fs::File {
    std::fs::File::options().create(true).append(true).open(acme::folder().join("log/runs")).expect("a file")
}

/// The world as a run sees it.
pub fn context() -> Context {
    Context::real(std::env::vars_os().collect::<BTreeMap<_, _>>(), "/".into())
}

/// What a renewal of the world's certificate wants.
pub fn wanted() -> Wanted {
    Wanted {
        certificate: "prime".into(),
        command: "renew-cert prime".into(),
        stop: None,
        host: "prime.example.test".into(),
        engine: None,
        lineage: Some(Lineage { directory: "/etc/letsencrypt".into(), name: "prime".into() }),
        writable: vec!["/etc/letsencrypt".into(), "/var/lib/letsencrypt".into(), "/var/log/letsencrypt".into()],
        state: State::at(PathBuf::from("/var/lib/mainstay")),
        lock_wait: Duration::ZERO,
        own: PROGRAM.into(),
    }
}

/// What renews it, whether it is due or not.
pub fn certbot() -> process::Command {
    process::Command::new("certbot")
        .args(["renew", "-n", "--cert-name", "prime", "--force-renewal", "--no-random-sleep-on-renew"])
        .timeout(Duration::from_secs(120))
}

/// The preflight of the world, which must not refuse.
pub async fn preflight(wanted: &Wanted, context: &Context) -> Preflight {
    let preflight = outage::preflight(wanted, context).await;
    assert_eq!(preflight.refusals, []);
    assert!(preflight.notes.is_empty(), "{:?}", preflight.notes);
    preflight
}
