//! What `mainstay timers` works on: the jobs that have a section, their calendars, and what each needs of the machine.

use std::path::{Path, PathBuf};

use crate::{
    check::{GunicornSource, NginxSource},
    cli::{
        config::{
            Loaded,
            model::{Certificate, Method, Model, Place, Reload},
            value::{Tree, Value},
        },
        host,
    },
    error::{Error, Kind, Result},
    renew_cert::outage,
    setup::timers::{Home, Job, Needs, Settings, Task},
    system::{Context, program, secret::Secret, state::State, systemd::Scope},
};

/// The jobs of this configuration with their calendars; none is no error here.
///
/// # Errors
///
/// A path cannot stand in a unit, or there is no folder for units or for the state.
pub fn timers_settings(loaded: &Loaded, context: &Context) -> Result<Settings> {
    let root = rustix::process::geteuid().is_root();
    let model = &loaded.model;
    let secrets = variables(&loaded.tree);
    Ok(Settings {
        project: model.project.clone(),
        config: plain(&std::path::absolute(&loaded.path).unwrap_or_else(|_| loaded.path.clone()))?,
        binary: plain(&program::own().map_err(|error| {
            Error::new(Kind::Failed, "find our own binary").because(error).hint("timers need Linux with /proc")
        })?)?,
        host: host(),
        state: State::at(std::path::absolute(State::find(context, model.state.as_deref())?.folder()).map_err(
            |error| {
                Error::new(Kind::Failed, "find the state folder")
                    .because(error)
                    .hint("name it: $MAINSTAY_STATE or `state`")
            },
        )?),
        state_follows: context.variable("MAINSTAY_STATE").is_none()
            && (model.state.is_some() || root || context.variable("XDG_STATE_HOME").is_none()),
        set_now: set_now(&secrets, context),
        secrets,
        home: home(root, &model.project, context)?,
        tasks: tasks(loaded),
    })
}

/// The jobs that have a section: `check` looks at every kind of them.
fn tasks(loaded: &Loaded) -> Vec<Task> {
    let model = &loaded.model;
    let timers = &model.timers;
    let mut tasks = Vec::new();
    let counts = [model.sites.len(), model.backups.len(), model.certificates.len(), model.schedules.len()];
    let others = model.host.is_some() || model.domain.is_some() || model.database.is_some();
    if others || counts.iter().any(|count| *count > 0) {
        tasks.push(Task { job: Job::Check, calendar: timers.check, needs: of_check(model) });
    }
    if !model.backups.is_empty() {
        tasks.push(Task { job: Job::Backup, calendar: timers.backup, needs: of_backup(model) });
    }
    if !model.certificates.is_empty() {
        tasks.push(Task { job: Job::RenewCert, calendar: timers.renew_cert, needs: of_renewal(model) });
    }
    if !model.schedules.is_empty() {
        tasks.push(Task { job: Job::Schedule, calendar: timers.schedule, needs: Needs::default() });
    }
    let commands = commands(&loaded.tree);
    for task in &mut tasks {
        // A command that prints a secret may be asked by any of them.
        task.needs.programs.extend(commands.iter().cloned());
        task.needs.programs.sort();
        task.needs.programs.dedup();
    }
    tasks
}

fn of_check(model: &Model) -> Needs {
    let mut needs = Needs { writes: of_rclone(model), ..Needs::default() };
    for site in &model.sites {
        needs.reads.extend(site.ca_file.clone());
        match site.nginx.as_ref().map(|nginx| &nginx.source) {
            Some(NginxSource::Container(_)) => needs.engine = true,
            Some(NginxSource::Host) => needs.anywhere = Some(NGINX.into()),
            Some(NginxSource::Dump(path) | NginxSource::Files(path)) => needs.reads.push(path.clone()),
            None => {}
        }
        match site.gunicorn.as_ref().map(|gunicorn| &gunicorn.source) {
            Some(GunicornSource::Container(_)) => needs.engine = true,
            Some(GunicornSource::PidFile(path)) => needs.reads.push(path.clone()),
            Some(GunicornSource::Argv(_)) | None => {}
        }
    }
    for backup in &model.backups {
        needs.reads.push(backup.root.clone());
        needs.reads.extend(backup.recipients_file.clone());
        needs.reads.extend(folders(&backup.to));
    }
    needs.reads.extend(model.certificates.iter().map(|certificate| certificate.directory.clone()));
    if let Some(host) = &model.host {
        needs.engine |= host.containers.is_some();
        needs.reads.extend(host.paths.iter().cloned());
    }
    needs
}

fn of_backup(model: &Model) -> Needs {
    let mut needs = Needs { writes: of_rclone(model), ..Needs::default() };
    for backup in &model.backups {
        needs.writes.extend(folders(&backup.to));
        needs.reads.push(backup.root.clone());
        needs.reads.extend(backup.recipients_file.clone());
        for program in backup.dumps.iter().filter_map(|dump| dump.command.first()) {
            needs.engine |= is_engine(program);
            needs.programs.push(program.clone());
        }
    }
    needs.writes.sort();
    needs.writes.dedup();
    needs
}

fn of_renewal(model: &Model) -> Needs {
    // What holds port 80 may be a container, whether one is named or not.
    let mut needs = Needs { engine: true, ..Needs::default() };
    for certificate in &model.certificates {
        needs.writes.push(certificate.directory.clone());
        needs.writes.extend(certificate.webroot.clone());
        needs.programs.extend(certificate.certbot.first().cloned());
        if let Some(Reload::Command(words)) = &certificate.reload {
            needs.programs.extend(words.first().cloned());
        }
        if needs.anywhere.is_none() {
            needs.anywhere = beyond(certificate).map(str::to_owned);
        }
        let ending = certificate.deadline + outage::ENDING;
        needs.ending = needs.ending.max(Some(ending));
    }
    // certbot's own two folders, the defaults of its --work-dir and --logs-dir.
    needs.writes.extend(["/var/lib/letsencrypt", "/var/log/letsencrypt"].map(PathBuf::from));
    needs.writes.dedup();
    needs
}

/// Why a renewal may write to more than can be named here.
fn beyond(certificate: &Certificate) -> Option<&'static str> {
    let looked_for = certificate.webroot.is_none() && certificate.method != Method::Standalone;
    match &certificate.reload {
        Some(Reload::Command(_)) => Some("what the command of `reload` writes nobody knows"),
        Some(Reload::Systemd(_)) => Some(NGINX),
        _ if looked_for => Some("the webroot is looked for in nginx's own configuration"),
        _ => None,
    }
}

/// nginx opens its logs and its pid file for writing even when it only tests its configuration.
const NGINX: &str = "nginx of this machine opens its logs and its pid file even to test its configuration";

fn folders(places: &[Place]) -> impl Iterator<Item = PathBuf> {
    places.iter().filter_map(|place| match place {
        Place::Folder(path) => Some(path.clone()),
        Place::Rclone(_) | Place::S3 { .. } => None,
    })
}

/// rclone writes renewed tokens into its configuration.
fn of_rclone(model: &Model) -> Vec<PathBuf> {
    let places = model.backups.iter().flat_map(|backup| &backup.to);
    if places.into_iter().any(|place| matches!(place, Place::Rclone(_))) {
        ["/root/.config/rclone", "/root/.cache/rclone"].map(PathBuf::from).to_vec()
    } else {
        Vec::new()
    }
}

fn is_engine(program: &str) -> bool {
    matches!(program.rsplit('/').next(), Some("docker" | "podman" | "docker-compose"))
}

/// Variables that change what AWS's clients, the engine's and HTTP's do, where they are set now.
fn set_now(secrets: &[String], context: &Context) -> Vec<String> {
    const OF_INTEREST: [&str; 12] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_CONFIG_FILE",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_SHARED_CREDENTIALS_FILE",
        "DOCKER_CONTEXT",
        "DOCKER_HOST",
        "HTTPS_PROXY",
        "RCLONE_CONFIG",
        "SSL_CERT_FILE",
    ];
    let set = OF_INTEREST.iter().filter(|name| context.variable(name).is_some());
    set.map(|name| (*name).to_owned()).filter(|name| !secrets.contains(name)).collect()
}

/// Where an administrator's units lie (systemd.unit(5)).
const UNITS: &str = "/etc/systemd/system";

fn home(root: bool, project: &str, context: &Context) -> Result<Home> {
    let absolute = |name: &str| context.variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if root {
        return Ok(Home {
            scope: Scope::System,
            units: UNITS.into(),
            roots: None,
            variables: format!("/etc/mainstay/{project}.env"),
            user: None,
        });
    }
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
    let folder = folder.ok_or_else(|| {
        Error::new(Kind::Config, "find the folder of your units").because("$HOME is not set").hint("set $HOME")
    })?;
    Ok(Home {
        scope: Scope::User,
        units: folder.join("systemd/user"),
        roots: Some(UNITS.into()),
        variables: plain(&folder.join("mainstay").join(format!("{project}.env")))?,
        user: context.variable("USER").or_else(|| context.variable("LOGNAME")).map(str::to_owned),
    })
}

/// A path that can stand in a unit and in a table of cron.
fn plain(path: &Path) -> Result<String> {
    let text = path.to_str().filter(|text| !text.chars().any(char::is_control));
    text.map(str::to_owned).ok_or_else(|| {
        Error::new(Kind::Usage, format!("write `{}` into a timer", path.display()))
            .because("the path has characters that a unit or a table of cron cannot hold")
            .hint("move it to a path of plain characters")
    })
}

/// The variables that secrets are taken from.
fn variables(tree: &Tree) -> Vec<String> {
    let mut names = Vec::new();
    each_secret(tree, &mut |secret| {
        if let Secret::Environment(name) = secret {
            names.push(name.clone());
        }
    });
    names.sort();
    names.dedup();
    names
}

/// The programs that print secrets.
fn commands(tree: &Tree) -> Vec<String> {
    let mut programs = Vec::new();
    each_secret(tree, &mut |secret| {
        if let Secret::Command(words) = secret {
            programs.extend(words.first().cloned());
        }
    });
    programs
}

fn each_secret(tree: &Tree, visit: &mut dyn FnMut(&Secret)) {
    for entry in &tree.entries {
        of_value(&entry.value, visit);
    }
}

fn of_value(value: &Value, visit: &mut dyn FnMut(&Secret)) {
    match value {
        Value::Secret(secret) => visit(secret),
        Value::List(items) => items.iter().for_each(|item| of_value(item, visit)),
        Value::Table(tree) => each_secret(tree, visit),
        Value::Flag(_) | Value::Number(_) | Value::Path(_) | Value::Text(_) | Value::Whole(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cli::config::load;

    /// The settings of a configuration with this text, in a folder of its own that is no place for temporary files.
    #[expect(clippy::disallowed_methods, reason = "a test makes the file that is read")]
    fn settings(text: &str, variables: &[(&str, &str)]) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mainstay.toml");
        std::fs::write(&path, format!("project = \"prime\"\n{text}")).unwrap();
        let environment: BTreeMap<_, _> =
            [("HOME", "/home/ann")].iter().chain(variables).map(|(name, value)| (name.into(), value.into())).collect();
        let context = Context::real(environment, folder.path().to_path_buf());
        timers_settings(&load(Some(&path), &context).unwrap().unwrap(), &context).unwrap()
    }

    #[test]
    fn only_jobs_with_a_section_get_a_timer() {
        let jobs = |text: &str| -> Vec<Job> { settings(text, &[]).tasks.iter().map(|task| task.job).collect() };
        let backup = "[backup.a]\nroot = '/srv'\npassphrase = { env = 'P' }\nto = ['/mnt/usb']\n";
        assert_eq!(jobs(""), []);
        assert_eq!(jobs("[site.a]\nurl = 'https://a.example'\n"), [Job::Check]);
        assert_eq!(jobs("[host]\n"), [Job::Check]);
        assert_eq!(jobs(backup), [Job::Check, Job::Backup]);
        let certificate = "[certificate.a]\nnames = ['a.example']\nwebroot = '/srv/www'\n";
        assert_eq!(jobs(certificate), [Job::Check, Job::RenewCert]);
        let schedule = "[schedule.a]\ntimezone = 'UTC'\non = ['Mon-Fri 07:00-19:00']\n[[schedule.a.ec2]]\nregions = ['us-east-2']\nids = ['i-0123456789abcdef0']\n";
        assert_eq!(jobs(&[backup, certificate, schedule].concat()), Job::ALL);
    }

    #[test]
    fn what_a_job_needs_follows_from_its_section() {
        let found = settings(
            "[backup.a]\nroot = '/srv/app'\npassphrase = { env = 'P' }\nto = ['/mnt/usb/b', 'rclone:g:b']\n\
             dump = [{ name = 'db.sql', command = ['docker', 'exec', 'db', 'pg_dump'] }]\n\
             [certificate.a]\nnames = ['a.example']\nwebroot = '/srv/www'\ndeadline = '10m'\n\
             [certificate.b]\nnames = ['b.example']\nreload = { systemd = 'nginx' }\n[timers]\nbackup = 'weekly Sun 03:00'\n",
            &[("AWS_PROFILE", "x"), ("P", "secret"), ("MAINSTAY_STATE", "/srv/state")],
        );
        let [_check, backup, renewal] = &found.tasks[..] else { panic!("{found:?}") };
        assert_eq!(backup.calendar.to_string(), "weekly Sun 03:00");
        let writes: Vec<_> = ["/mnt/usb/b", "/root/.cache/rclone", "/root/.config/rclone"].map(PathBuf::from).into();
        assert_eq!(backup.needs.writes, writes);
        assert!(backup.needs.engine && backup.needs.programs == ["docker"]);
        assert_eq!(renewal.needs.anywhere.as_deref(), Some(NGINX));
        assert_eq!(renewal.needs.ending, Some(std::time::Duration::from_secs(600) + outage::ENDING));
        assert_eq!((found.secrets, found.set_now), (vec!["P".to_owned()], vec!["AWS_PROFILE".to_owned()]));
        assert_eq!((found.state.folder(), found.state_follows), (Path::new("/srv/state"), false));
    }
}
