//! The text of the configuration.

use std::{collections::BTreeSet, fmt::Write as _, net::IpAddr, path::Path};

use super::{At, Destination, Engine, Found, Gunicorn, Lineage, Nginx};
use crate::rules::{
    dns::is_label,
    nginx::Outline,
    quoted::{bare, quote},
};

/// More are listed by hand: a file nobody reads helps nobody.
const MOST: usize = 20;

/// Writes the configuration of what was found. `key` is the public half of an identity that was made for it; without one,
/// and with none found, the section of backups is a comment.
pub fn compose(found: &Found, key: Option<&str>) -> String {
    let mut text = Text::default();
    text.comment(
        "Written by `mainstay init` from what it found. `mainstay config check` reads it, `mainstay config schema` and",
    );
    text.comment("docs/configuration.md explain every key; relative paths start at the folder of this file.");
    text.line("");
    text.line(&format!("project = {}", quote(&project(&found.folder))));
    sites(found, &mut text);
    backup(found, key, &mut text);
    certificates(found, &mut text);
    schedules(found, &mut text);
    text.head("when it runs, who is told");
    text.comment(
        "[timers]                              # `mainstay timers install` lets systemd or cron run what has a section",
    );
    text.comment("check = \"every 15m\"");
    text.comment("backup = \"daily 02:30\"");
    text.comment("[notify]");
    text.comment("webhook = { env = \"SLACK_WEBHOOK\" }");
    text.0
}

/// The folder's name, as far as it can be a name.
pub(super) fn project(folder: &Path) -> String {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name_of(&name).unwrap_or_else(|| "app".to_owned())
}

fn sites(found: &Found, text: &mut Text) {
    text.head("sites: what `mainstay check` looks at");
    let mut taken = Taken::default();
    let mut written = 0;
    for nginx in &found.nginx {
        let servers = match &nginx.servers {
            Ok(servers) => servers,
            Err(why) => {
                text.comment(&format!("nginx of {} could not be read: {why}", nginx.at.words()));
                continue;
            }
        };
        let tls = servers.iter().filter(|server| !server.tls.is_empty());
        for server in tls.chain(servers.iter().filter(|server| server.tls.is_empty())) {
            let Some(host) = server.names.iter().find(|name| is_host(name) && !taken.hosts.contains(*name)) else {
                continue;
            };
            taken.hosts.extend(server.names.iter().cloned());
            if written == MOST {
                text.comment(&format!("and more, from {}: {host}", server.at));
                continue;
            }
            written += 1;
            site(found, nginx, server, host, &mut taken, text);
        }
    }
    if let Engine::Trouble(why, _) = &found.engine {
        text.comment(&format!("The container engine could not be asked: {why}"));
    }
    if written == 0 {
        let why = if found.nginx.is_empty() {
            "No nginx was found here."
        } else {
            "No server of nginx has a name of its own."
        };
        text.comment(&format!("{why} A site needs only its address:"));
        text.comment("[site.prime]");
        text.comment("url = \"https://prime.example.edu\"");
    }
}

fn site(found: &Found, nginx: &Nginx, server: &Outline, host: &str, taken: &mut Taken, text: &mut Text) {
    let first = host.split('.').find(|label| *label != "www").unwrap_or(host);
    let name = taken.name(&name_of(first).unwrap_or_else(|| "site".to_owned()));
    text.comment(&format!("From nginx of {}, {}.", nginx.at.words(), server.at));
    text.line(&format!("[site.{}]", bare(&name)));
    let (scheme, usual, ports) =
        if server.tls.is_empty() { ("http", 80, &server.plain) } else { ("https", 443, &server.tls) };
    let inner = ports.iter().copied().find(|port| *port == usual).or(ports.first().copied()).unwrap_or(usual);
    let outer = nginx.published.iter().find(|(port, ..)| *port == inner);
    let port = outer.map_or(inner, |(.., port)| *port);
    let address = if port == usual { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") };
    text.line(&format!("url = {}", quote(&address)));
    text.comment("contains = \"<title>Prime</title>\"       # what tells this application from a default page");
    if let Some(here) = outer.and_then(|(_, address, _)| here(address)) {
        text.comment(&format!("resolve = [\"{here}\"]                 # to look here, before the DNS knows the name"));
    }
    if scheme == "http" {
        text.comment("TLS was not found in front of it; nginx and gunicorn are judged only where it is.");
    }
    text.line(&format!("nginx = {{ {} }}", reference(&nginx.at)));
    if let Some(gunicorn) = behind(found, server) {
        expectations(gunicorn, &name, text);
    }
    text.line("");
}

/// The gunicorn that a server hands on to: one that it names, or the only one that there is.
fn behind<'f>(found: &'f Found, server: &Outline) -> Option<&'f Gunicorn> {
    let named = |gunicorn: &&Gunicorn| gunicorn.aliases.iter().any(|alias| server.peers.contains(alias));
    let only = match &found.gunicorn[..] {
        [one] if !server.peers.is_empty() => Some(one),
        _ => None,
    };
    found.gunicorn.iter().find(named).or(only)
}

fn expectations(gunicorn: &Gunicorn, site: &str, text: &mut Text) {
    text.line("");
    text.line(&format!("[site.{}.gunicorn]", bare(site)));
    text.line(&reference(&gunicorn.at));
    match &gunicorn.settings {
        Err(why) => text.comment(&format!("its settings could not be read: {why}")),
        Ok(settings) => {
            if !settings.is_empty() {
                text.comment("What it runs with now; `mainstay check` tells when that changes.");
            }
            for (key, value, from) in settings {
                match accepted(key, value) {
                    Some(value) => text.line(&format!("{:<38}# {}", format!("{key} = {value}"), plain(from))),
                    None => text.comment(&format!("{key} is {value} ({from})")),
                }
            }
        }
    }
}

/// A setting as the configuration takes it.
fn accepted(key: &str, value: &str) -> Option<String> {
    if key == "forwarded_allow_ips" {
        let address = |part: &str| part.parse::<IpAddr>().is_ok() || part.parse::<ipnet::IpNet>().is_ok();
        return (value == "*" || value.split(',').map(str::trim).all(address)).then(|| quote(value));
    }
    let least = if matches!(key, "workers" | "threads") { 1 } else { 0 };
    value.parse::<u64>().ok().filter(|number| (least..=100_000).contains(number)).map(|number| number.to_string())
}

fn backup(found: &Found, key: Option<&str>, text: &mut Text) {
    text.head("backups: sealed with age, opened by whoever has the private key");
    let keys: Vec<&str> = key.into_iter().chain(found.keys.iter().map(|(key, _)| key.as_str())).collect();
    let missing = if found.secrets.is_empty() {
        Some("Neither .env, .env.* nor config/ is in this folder: name with `include` what must not be lost.")
    } else if keys.is_empty() {
        Some("No key was found: `mainstay backup keygen` makes one, whose public half stands in `recipients`.")
    } else {
        None
    };
    let mut section = Text::default();
    section.line("[backup.app]");
    if found.is_away || found.folder.starts_with("/etc") {
        section.line(&format!("root = {}", quote(&found.folder.to_string_lossy())));
    }
    if missing.is_some() {
        section.line("include = [\".env\", \"config/\"]");
    } else {
        section.comment(&format!(
            "include = [\".env\", \".env.*\", \"config/\"]   # the default; found: {}",
            found.secrets.join(", ")
        ));
    }
    for (known, file) in &found.keys {
        section.comment(&format!("The private half of {known} is in {}.", file.display()));
    }
    section.comment("Whoever has the private key opens the archives, and without it nobody does: keep a copy where this machine is not.");
    let listed: Vec<String> =
        if keys.is_empty() { vec![quote("age1…")] } else { keys.iter().map(|key| quote(key)).collect() };
    section.line(&format!("recipients = [{}]", listed.join(", ")));
    let folder = match &found.destination {
        Destination::Medium(path) => path,
        Destination::OwnDisk(path) => {
            section.comment("This machine's own disk: against mistakes, not against the loss of the machine. Add a stick, S3 or rclone:");
            section.comment("to = [\"/mnt/usb/backups\", \"s3://prime-backups/app\", \"rclone:gdrive:backups/prime\"]");
            path
        }
    };
    let folder = folder.to_string_lossy();
    let folder = if is_path(&folder) { folder.as_ref() } else { "/var/backups/mainstay" };
    section.line(&format!("to = [{}]", quote(folder)));
    if let Some(region) = &found.region {
        section.comment(&format!("s3 = {{ region = {} }}   # {}", quote(&region.name), region.from));
    }
    match missing {
        None => text.0.push_str(&section.0),
        Some(why) => {
            text.comment(why);
            section.0.lines().for_each(|line| text.comment(line.trim_start_matches("# ")));
        }
    }
}

fn certificates(found: &Found, text: &mut Text) {
    text.head("certificates that certbot looks after");
    let lineages = match &found.lineages {
        Ok(lineages) => lineages,
        Err(why) => {
            text.comment(&format!(
                "certbot's folder could not be read ({why}): run `sudo mainstay init --dry-run` to see what is there."
            ));
            return;
        }
    };
    let mut taken = Taken::default();
    for lineage in lineages {
        certificate(found, lineage, &mut taken, text);
    }
    if lineages.is_empty() {
        text.comment("certbot has none here. A first one is requested with:");
        text.comment("[certificate.prime]");
        text.comment("names = [\"prime.example.edu\"]");
        text.comment("email = \"ops@example.edu\"");
        text.comment("agree_tos = true");
    }
}

fn certificate(found: &Found, lineage: &Lineage, taken: &mut Taken, text: &mut Text) {
    let unfit: Vec<&str> = lineage.names.iter().map(String::as_str).filter(|name| !is_host(name)).collect();
    if lineage.names.is_empty() || !unfit.is_empty() {
        let why = if lineage.names.is_empty() {
            "its certificate cannot be read".to_owned()
        } else {
            format!("{} needs the DNS, which is certbot's own business", unfit.join(", "))
        };
        text.comment(&format!("{}: {why}", lineage.name));
        return;
    }
    let name = taken.name(&name_of(&lineage.name).unwrap_or_else(|| "certificate".to_owned()));
    text.line(&format!("[certificate.{}]", bare(&name)));
    let names: Vec<String> = lineage.names.iter().map(|name| quote(name)).collect();
    text.line(&format!("names = [{}]", names.join(", ")));
    if let Some(webroot) = lineage.webroot.as_ref().filter(|path| is_path(path)) {
        text.line(&format!("webroot = {}", quote(webroot)));
    }
    let serves = |nginx: &&Nginx| {
        let servers = nginx.servers.iter().flatten();
        servers.flat_map(|server| &server.certificates).any(|file| file.contains(&format!("/{}/", lineage.name)))
    };
    match found.nginx.iter().find(serves).or(found.nginx.first()).map(|nginx| &nginx.at) {
        Some(At::Host) => text.line("reload = { systemd = \"nginx\" }"),
        Some(at) => text.line(&format!("reload = {{ {} }}", reference(at))),
        None => text.comment("reload = { systemd = \"nginx\" }          # what must load a new certificate"),
    }
    text.line("");
}

fn schedules(found: &Found, text: &mut Text) {
    text.head("machines that run only in their hours");
    let region = found.region.as_ref().map_or("us-east-2", |region| region.name.as_str());
    text.comment("[schedule.office-hours]");
    text.comment("timezone = \"America/Detroit\"");
    text.comment("on = [\"Mon-Fri 07:00-19:00\"]");
    text.comment("[[schedule.office-hours.ec2]]");
    let from = found.region.as_ref().map(|region| format!("   # {}", region.from)).unwrap_or_default();
    text.comment(&format!("regions = [{}]{from}", quote(region)));
    text.comment("tags = { Schedule = \"office-hours\" }");
}

/// How a section names a container or this machine.
fn reference(at: &At) -> String {
    match at {
        At::Container(name) => format!("container = {}", quote(name)),
        At::Host => "host = true".to_owned(),
        At::Service(project, service, _) => {
            format!("compose = {{ project = {}, service = {} }}", quote(project), quote(service))
        }
    }
}

/// An address of this machine where the port of a container answers.
fn here(address: &str) -> Option<IpAddr> {
    let address: IpAddr = if address.is_empty() { return None } else { address.parse().ok()? };
    Some(match address {
        IpAddr::V4(all) if all.is_unspecified() => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        IpAddr::V6(all) if all.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        one => one,
    })
}

/// A name in the DNS: no pattern, no address, none of this machine alone.
fn is_host(name: &str) -> bool {
    name.len() <= 253
        && name.contains('.')
        && name.split('.').all(is_label)
        && matches!(url::Host::parse(name), Ok(url::Host::Domain(domain)) if domain.eq_ignore_ascii_case(name))
}

/// A path that the configuration takes for one.
fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.contains("://") && !text.contains(char::is_control)
}

/// A text as a name of the configuration; `None` where nothing of it is left.
fn name_of(text: &str) -> Option<String> {
    let fit = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let name: String = text.chars().map(fit).collect();
    let name: String = name.trim_start_matches(['.', '-']).chars().take(80).collect();
    (!name.is_empty()).then_some(name)
}

/// What is written already.
#[derive(Default)]
struct Taken {
    names: BTreeSet<String>,
    hosts: BTreeSet<String>,
}

impl Taken {
    /// The name, or with a number where it is taken.
    fn name(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        let mut number = 1;
        while !self.names.insert(name.clone()) {
            number += 1;
            name = format!("{wanted}-{number}");
        }
        name
    }
}

/// Lines.
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{line}");
    }

    /// What may stand in a comment is less than what others can name things.
    fn comment(&mut self, line: &str) {
        self.line(format!("# {}", plain(line)).trim_end());
    }

    fn head(&mut self, title: &str) {
        self.line("");
        self.comment(&format!("---------------------------------------------------------------- {title}"));
    }
}

/// On one line and without what TOML forbids in comments.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
