//! A tour of mainstay with nothing installed and no network: `cargo run --release --example tour`.
//!
//! Starts a small HTTPS site on loopback behind a fresh authority and drives the real command line against it (the same
//! entry as `main`): once when all is well, then with three faults that an operator meets. Then it plans the renewal of a
//! certificate, backs up a small application, brings it back, and damages the archive. Last come a schedule over a change of
//! clocks, and a plan over a sample of machines.

#![expect(clippy::print_stdout, reason = "a tour talks to the person who runs it")]
#![expect(
    clippy::disallowed_methods,
    reason = "an example is its own process: it reads the clock and writes its files"
)]

mod backup;
mod certificate;
mod schedule;
mod site;

use std::{collections::BTreeMap, path::Path};

use jiff::Timestamp;
use mainstay::{cli, system::Context};
use site::{Anything, Authority, Faults, Site};

/// What nginx would be asked with `nginx -T`; the tour has no nginx, so it is given as a saved dump.
const NGINX: &str = include_str!("nginx-T.txt");

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Anything> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new()?;
    std::fs::write(folder.path().join("ca.pem"), authority.pem())?;

    stop("All is well", "", Faults::default(), NGINX, 0, &authority, folder.path()).await?;
    let faults = Faults { expired: true, ..Faults::default() };
    stop("The certificate ended yesterday", "tls", faults, NGINX, 1, &authority, folder.path()).await?;
    let faults = Faults { no_redirect: true, ..Faults::default() };
    stop("Port 80 answers by itself", "http", faults, NGINX, 1, &authority, folder.path()).await?;
    let faults = Faults { thinks_http: true, ..Faults::default() };
    let dump = NGINX.replace(
        "        proxy_pass http://app;",
        "        proxy_set_header Host $host;\n        proxy_pass http://app;",
    );
    let title = "Somebody adds one header to a location, and nginx drops the other three";
    stop(title, "nginx,oauth", faults, &dump, 1, &authority, folder.path()).await?;

    let prime = folder.path().join("prime");
    std::fs::create_dir(&prime)?;
    let renewal = folder.path().join("renewal");
    std::fs::create_dir(&renewal)?;
    let machines = folder.path().join("machines");
    std::fs::create_dir(&machines)?;
    let stops = 4
        + certificate::stops(&renewal, &authority).await?
        + backup::stops(&prime).await?
        + schedule::stops(&machines).await?;

    println!("\nThat was the tour: {stops} stops, each ended as it should.");
    println!("Next: `mainstay check https://your.site`, then the README for a configuration file.");
    Ok(())
}

/// One stop at a site: a fresh one with its faults, looked at.
async fn stop(
    title: &str,
    only: &str,
    faults: Faults,
    dump: &str,
    code: u8,
    authority: &Authority,
    folder: &Path,
) -> Result<(), Anything> {
    let site = Site::start(authority, faults, Timestamp::now()).await?;
    std::fs::write(folder.join("nginx-T.txt"), dump)?;
    std::fs::write(folder.join("mainstay.toml"), configuration(&site))?;
    let mut words = vec!["check"];
    if !only.is_empty() {
        words.extend(["--only", only]);
    }
    drive(title, &words, folder, code).await
}

/// Runs the command in a folder as a person would type it there; its exit code must be `code`. What it remembers stays
/// below that folder.
async fn drive(title: &str, words: &[&str], folder: &Path, code: u8) -> Result<(), Anything> {
    drive_with(title, words, folder, code, &[]).await
}

/// The same with more variables in the environment.
async fn drive_with(
    title: &str,
    words: &[&str],
    folder: &Path,
    code: u8,
    more: &[(&str, String)],
) -> Result<(), Anything> {
    println!("\n── {title}\n$ mainstay {}\n", words.join(" "));
    let mut environment: BTreeMap<_, _> = std::env::vars_os().filter(|(name, _)| name != "MAINSTAY_CONFIG").collect();
    environment.insert("MAINSTAY_STATE".into(), folder.join("state").into_os_string());
    environment.extend(more.iter().map(|(name, value)| ((*name).into(), value.into())));
    let context = Context::real(environment, folder.to_owned());
    let file = folder.join("mainstay.toml").into_os_string();
    let words = std::iter::once("mainstay").chain(words.iter().copied());
    let ended = cli::run(words.map(Into::into).chain(["--config".into(), file]).collect(), context).await;
    println!("\n(exit code {ended})");
    if ended == code { Ok(()) } else { Err(format!("this stop should have ended with {code}, not {ended}").into()) }
}

/// Ten lines and a few: what an operator writes.
fn configuration(site: &Site) -> String {
    format!(
        r#"[site.prime]
url = "https://localhost:{https}"
http = "http://localhost:{http}/"
resolve = ["127.0.0.1"]
ca_file = "ca.pem"
contains = "<title>Prime</title>"

[site.prime.nginx]
dump = "nginx-T.txt"

[site.prime.gunicorn]
argv = ["gunicorn", "-w", "3", "--threads", "4", "--forwarded-allow-ips", "*", "app:app"]
workers = 3
threads = 4

[site.prime.oauth]
login = "/auth/login"
provider = "google"
"#,
        https = site.https.port(),
        http = site.http.port(),
    )
}
