//! A tour of mainstay with nothing installed and no network: `cargo run --release --example tour`.
//!
//! Starts a small HTTPS site on loopback behind a fresh authority and drives the real command line against it (the same
//! entry as `main`): once when all is well, then with three faults that an operator meets.

#![expect(clippy::print_stdout, reason = "a tour talks to the person who runs it")]
#![expect(
    clippy::disallowed_methods,
    reason = "an example is its own process: it reads the clock and writes its files"
)]

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

    let mut ends = Vec::new();
    ends.push(stop("All is well", "", Faults::default(), NGINX, 0, &authority, folder.path()).await?);
    let faults = Faults { expired: true, ..Faults::default() };
    ends.push(stop("The certificate ended yesterday", "tls", faults, NGINX, 1, &authority, folder.path()).await?);
    let faults = Faults { no_redirect: true, ..Faults::default() };
    ends.push(stop("Port 80 answers by itself", "http", faults, NGINX, 1, &authority, folder.path()).await?);
    let faults = Faults { thinks_http: true, ..Faults::default() };
    let dump = NGINX.replace(
        "        proxy_pass http://app;",
        "        proxy_set_header Host $host;\n        proxy_pass http://app;",
    );
    let title = "Somebody adds one header to a location, and nginx drops the other three";
    ends.push(stop(title, "nginx,oauth", faults, &dump, 1, &authority, folder.path()).await?);

    println!("\nThat was the tour: {} stops, each ended as it should.", ends.len());
    println!("Next: `mainstay check https://your.site`, then the README for a configuration file.");
    Ok(())
}

/// One stop: a fresh site with its faults, the command as a person would type it, and its exit code, which must be `code`.
async fn stop(
    title: &str,
    only: &str,
    faults: Faults,
    dump: &str,
    code: u8,
    authority: &Authority,
    folder: &Path,
) -> Result<u8, Anything> {
    let site = Site::start(authority, faults, Timestamp::now()).await?;
    std::fs::write(folder.join("nginx-T.txt"), dump)?;
    std::fs::write(folder.join("mainstay.toml"), configuration(&site))?;

    let mut words = vec!["mainstay", "check"];
    if !only.is_empty() {
        words.extend(["--only", only]);
    }
    println!("\n── {title}\n$ {}\n", words.join(" "));
    let file = folder.join("mainstay.toml");
    let environment: BTreeMap<_, _> = std::env::vars_os().filter(|(name, _)| name != "MAINSTAY_CONFIG").collect();
    let context = Context::real(environment, folder.to_owned());
    let arguments = words.iter().map(Into::into).chain(["--config".into(), file.into_os_string()]).collect();
    let ended = cli::run(arguments, context).await;
    println!("\n(exit code {ended})");
    if ended == code { Ok(ended) } else { Err(format!("this stop should have ended with {code}, not {ended}").into()) }
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
