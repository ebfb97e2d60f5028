//! Looks around: the folder, git, the container engine, nginx, gunicorn, certbot, keys, AWS's settings. Changes nothing and
//! asks nobody on the network; what does not answer in time is told and left out.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::future::join_all;

use super::{At, Destination, Engine, Found, Gunicorn, Lineage, Nginx, Region, compose};
use crate::{
    backup,
    rules::{
        gunicorn::{self as rules, Name, Reading, Source as From, Value},
        nginx::outline,
    },
    system::{
        Context, certbot,
        docker::{Compose, Container, Docker, Reference, Trouble},
        file,
        git::Repository,
        gunicorn, media, nginx, procfs,
    },
};

/// An engine that does not answer in this time is taken for stuck; a person waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// `nginx -T` of a large configuration takes seconds.
const DUMP: Duration = Duration::from_secs(10);

/// At most so many containers are looked into: somebody's laptop may run hundreds.
const MOST: usize = 40;

/// A configuration of AWS's clients is smaller.
const LARGEST: u64 = 1 << 20;

/// Looks around in `folder`.
pub async fn look(folder: &Path, context: &Context) -> Found {
    let mut found = Found {
        folder: folder.to_owned(),
        secrets: secrets(folder),
        repository: Repository::find(folder, context).map(|repository| repository.top().to_owned()),
        lineages: lineages(Path::new("/etc/letsencrypt")),
        keys: keys(folder, context),
        region: region(context),
        destination: destination(folder, context),
        ..Found::default()
    };
    containers(&mut found, context).await;
    on_this_machine(&mut found, context).await;
    found
}

/// What the default `include` of a backup takes.
fn secrets(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name == ".env" || name.starts_with(".env."))
        .collect();
    names.sort();
    if fs::read_dir(folder.join("config")).is_ok_and(|mut entries| entries.next().is_some()) {
        names.push("config/".into());
    }
    names
}

async fn containers(found: &mut Found, context: &Context) {
    let docker = Docker::new(context, PATIENCE);
    let all = match docker.all().await {
        Ok(all) => all,
        Err(Trouble::Absent) => return,
        Err(trouble) => {
            found.engine = Engine::Trouble(trouble.to_string(), trouble.fix());
            return;
        }
    };
    let running: Vec<Container> = all.into_iter().filter(|container| container.state == "running").collect();
    found.engine = Engine::Running(running.len());
    found.unseen = running.len().saturating_sub(MOST);
    let docker = &docker;
    let looked = join_all(running.into_iter().take(MOST).map(|container| async move {
        let kinds = kinds(docker, &container).await;
        (container, kinds)
    }))
    .await;
    for (container, kinds) in looked {
        found.unseen += usize::from(kinds.is_none());
        let (is_nginx, is_gunicorn) = kinds.unwrap_or((is_named_nginx(&container), false));
        let at = place(&container);
        let reference = match &at {
            At::Service(project, service, _) => {
                Reference::Service(Compose { project: project.clone(), service: service.clone() })
            }
            _ => Reference::Name(container.name.clone()),
        };
        if is_nginx {
            let published = container.published.iter().filter(|port| port.protocol == "tcp");
            let published = published.map(|port| (port.port, port.host_address.clone(), port.host_port)).collect();
            let seen = nginx::Nginx::observe(context, DUMP, &nginx::Source::Container(reference)).await;
            found.nginx.push(Nginx { at, servers: servers(seen), published });
        } else if is_gunicorn {
            let seen = gunicorn::observe(context, &gunicorn::Source::Container(reference), PATIENCE).await;
            let mut aliases = vec![container.name.clone()];
            if let At::Service(_, service, _) = &at {
                aliases.push(service.clone());
            }
            aliases.extend(container.networks.iter().map(|network| network.address.to_string()));
            let settings = seen.map_err(|trouble| trouble.what).map(|seen| settings(&seen.settings));
            found.gunicorn.push(Gunicorn { at, aliases, settings });
        }
    }
}

/// Whether a container is an nginx, and whether it is a gunicorn: by its first process, by its image, by what runs in it.
async fn kinds(docker: &Docker<'_>, container: &Container) -> Option<(bool, bool)> {
    if rules::of_first_process(&container.argv).is_ok() {
        return Some((false, true));
    }
    let processes = docker.processes(&container.id).await.ok()?;
    let is_nginx =
        processes.iter().any(|process| matches!(nginx::role(&process.arguments), Some(nginx::Role::Master(_))));
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let is_gunicorn = processes.iter().any(|process| rules::role(&words(&process.arguments)).is_some());
    Some((is_nginx || (is_named_nginx(container) && !is_gunicorn), is_gunicorn && !is_nginx))
}

fn is_named_nginx(container: &Container) -> bool {
    let image = container.image.rsplit('/').next().unwrap_or_default();
    let image = image.split([':', '@']).next().unwrap_or_default();
    image == "nginx" || image.starts_with("nginx-") || image.ends_with("-nginx") || image == "openresty"
}

fn place(container: &Container) -> At {
    let label = |name: &str| container.label(&format!("com.docker.compose.{name}")).filter(|value| !value.is_empty());
    match (label("project"), label("service")) {
        (Some(project), Some(service)) => At::Service(project.into(), service.into(), container.name.clone()),
        _ => At::Container(container.name.clone()),
    }
}

fn servers(seen: Result<nginx::Nginx, nginx::Fault>) -> Result<Vec<crate::rules::nginx::Outline>, String> {
    let seen = seen.map_err(|fault| fault.what)?;
    match (&seen.config, seen.refusal) {
        (Ok(config), _) => Ok(outline(config)),
        (Err(_), Some(refusal)) => Err(refusal),
        (Err(error), None) => Err(error.to_string()),
    }
}

async fn on_this_machine(found: &mut Found, context: &Context) {
    let is_master = |words: &[String]| matches!(nginx::role(&words.join(" ")), Some(nginx::Role::Master(_)));
    let masters = procfs::find(is_master, context.clock.now());
    if masters.iter().any(|process| !process.contained) {
        let seen = nginx::Nginx::observe(context, DUMP, &nginx::Source::Host).await;
        found.nginx.push(Nginx { at: At::Host, servers: servers(seen), published: Vec::new() });
    }
}

/// What somebody gave it, as the configuration can expect it; gunicorn's own defaults are none of that.
fn settings(settings: &rules::Settings) -> Vec<(&'static str, String, String)> {
    const EXPECTED: [Name; 5] =
        [Name::Workers, Name::Threads, Name::Timeout, Name::GracefulTimeout, Name::ForwardedAllowIps];
    let given = |name: Name| match settings.reading(name) {
        Reading::Known(_, From::Default) | Reading::Unknown(_) => None,
        Reading::Known(Value::List(list), from) => Some((name.key(), list.join(","), from.to_string())),
        Reading::Known(value, from) => Some((name.key(), value.to_string(), from.to_string())),
    };
    EXPECTED.into_iter().filter_map(given).collect()
}

fn lineages(directory: &Path) -> Result<Vec<Lineage>, String> {
    let names = certbot::names(directory).map_err(|error| file::why(&error))?;
    let mut lineages = Vec::new();
    for name in names {
        let stored = certbot::read(directory, &name).map_err(|error| error.why.join(": "))?;
        let Some(stored) = stored else { continue };
        let names = stored.lineage.current().map(|version| version.names.clone()).unwrap_or_default();
        let webroot = names.first().and_then(|first| stored.conf.as_ref().ok()?.webroot_of(first)).map(str::to_owned);
        lineages.push(Lineage { name, names, webroot });
    }
    Ok(lineages)
}

/// age's keys only: of an SSH key the public half is no recipient that could be written down from here.
fn keys(folder: &Path, context: &Context) -> Vec<(String, PathBuf)> {
    let mut keys = backup::identities(folder, context);
    keys.retain(|(key, _)| key.starts_with("age1"));
    keys.dedup_by(|one, other| one.0 == other.0);
    keys
}

fn region(context: &Context) -> Option<Region> {
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        if let Some(region) = context.variable(name) {
            return Some(Region { name: region.to_owned(), from: format!("${name}") });
        }
    }
    let home = context.variable("HOME").map(PathBuf::from);
    let path = context.variable("AWS_CONFIG_FILE").map(PathBuf::from).or_else(|| Some(home?.join(".aws/config")))?;
    let text = file::read_text(&path, LARGEST).ok()?;
    let profile = context.variable("AWS_PROFILE").unwrap_or("default");
    let name = of_profile(&text, profile)?;
    Some(Region { name, from: format!("profile {profile} of {}", path.display()) })
}

/// The region of a profile: `[default]`, or `[profile NAME]` (AWS SDKs and Tools Reference Guide).
fn of_profile(text: &str, profile: &str) -> Option<String> {
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            let name = section.trim().strip_prefix("profile ").unwrap_or(section).trim();
            inside = name == profile;
        } else if inside
            && let Some((key, value)) = line.split_once('=')
            && key.trim() == "region"
        {
            return Some(value.trim().to_owned());
        }
    }
    None
}

/// A mounted medium, else a folder of this machine: in one that is there, since only the last part of a path is made.
fn destination(folder: &Path, context: &Context) -> Destination {
    if let Some(medium) = media::mounted().into_iter().next() {
        return Destination::Medium(medium.join("backups"));
    }
    let root = rustix::process::geteuid().is_root();
    let home = context.variable("HOME").map(PathBuf::from).filter(|home| home.is_absolute() && !root);
    let usual = if Path::new("/var/backups").is_dir() { "/var/backups" } else { "/var/lib" };
    let parent = home.unwrap_or_else(|| usual.into());
    Destination::OwnDisk(parent.join(format!("mainstay-{}", compose::project(folder))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_that_of_the_profile() {
        let text = "[default]\nregion = us-east-2\n[profile prod]\noutput=json\nregion=eu-west-1\n";
        assert_eq!(of_profile(text, "default").as_deref(), Some("us-east-2"));
        assert_eq!(of_profile(text, "prod").as_deref(), Some("eu-west-1"));
        assert_eq!(of_profile(text, "none"), None);
    }
}
