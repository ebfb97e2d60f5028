//! What `mainstay runbook` tells of: the configuration as it is written.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    backup::set,
    check::as_written,
    host::{database_policy, domains, host},
    renew_cert::certificate,
    schedule::schedule,
};
use crate::{
    backup,
    check::{self, GunicornSource, NginxSource, Timetable},
    cli::config::{
        self, Loaded,
        model::{self, Model, Reload, When},
        value::Origin,
    },
    error::{Error, Kind, Result},
    overview::runbook::{Settings, Timers, Times, Told},
    renew_cert,
    rules::{calendar::Mode, calendar::Repeat, secret},
    schedule as schedules,
    system::{Context, secret::Secret, state::State, store::Place, zone::Zones},
};

/// Everything that the runbook tells of.
///
/// The file is read once more without the folder that it lies in, so that paths stay as they are written: the document must
/// be the same in every checkout. Nothing of the environment counts.
///
/// # Errors
///
/// The file cannot be used, which `loaded` says is not so.
pub fn runbook_settings(loaded: &Loaded, context: &Context) -> Result<Settings> {
    let name = loaded.file_name();
    let mut model = config::parse(&loaded.text, &name).map_err(|problems| {
        let error = Error::new(Kind::Config, format!("use `{name}`"));
        problems.iter().fold(error, Error::because)
    })?;
    dots(&mut model);
    let is_named =
        loaded.tree.entries.iter().any(|entry| entry.name == "project" && !matches!(entry.origin, Origin::Default));
    let zones = Zones::newest(context);
    // Where root's runs keep it, unless the file says where.
    let usual = State::at(model.state.clone().unwrap_or_else(|| "/var/lib/mainstay".into()));
    let sets = model.backups.iter().map(|section| hidden(set(section))).collect();
    let backups = backup::Settings {
        project: model.project.clone(),
        sets,
        state: nowhere(),
        host: String::new(),
        config: None,
        lock_wait: std::time::Duration::ZERO,
        command: String::new(),
    };
    Ok(Settings {
        project: is_named.then(|| model.project.clone()),
        file: name,
        sites: model.sites.iter().map(|site| as_written(site).map(open)).collect::<Result<_>>()?,
        backups: check::Backup::all(backups),
        certificates: model
            .certificates
            .iter()
            .map(|section| check::Certificate { settings: without_secrets(certificate(section)), state: nowhere() })
            .collect(),
        schedules: timetables(&model, &zones)?,
        host: host(&model, &usual),
        domains: domains(&model, &usual),
        told: told(&model.notify),
        timers: Timers {
            check: repeat(model.timers.check),
            backup: repeat(model.timers.backup),
            renew_cert: repeat(model.timers.renew_cert),
            schedule: repeat(model.timers.schedule),
        },
    })
}

/// The document never looks at the state.
fn nowhere() -> State {
    State::at(PathBuf::new())
}

/// The folder of the configuration, which has no name here, is `.`.
fn dots(model: &mut Model) {
    let dot = |path: &mut PathBuf| {
        if path.as_os_str().is_empty() {
            *path = Path::new(".").to_owned();
        }
    };
    for backup in &mut model.backups {
        dot(&mut backup.root);
        for place in backup.to.iter_mut().chain(backup.required.iter_mut().flatten()) {
            if let Place::Folder(folder) = place {
                dot(folder);
            }
        }
    }
    for certificate in &mut model.certificates {
        dot(&mut certificate.directory);
        certificate.webroot.iter_mut().for_each(dot);
    }
    for nginx in model.sites.iter_mut().filter_map(|site| site.nginx.as_mut()) {
        if let NginxSource::Dump(path) | NginxSource::Files(path) = &mut nginx.source {
            dot(path);
        }
    }
}

/// Commands of the configuration without what is written in them as a secret.
fn hidden(mut set: backup::Set) -> backup::Set {
    for dump in &mut set.dumps {
        dump.command = secret::hide_in_command(&dump.command);
    }
    set.after_restore = set.after_restore.map(|command| secret::hide_in_command(&command));
    for place in set.to.iter_mut().chain(&mut set.required) {
        if let Place::Rclone(remote) = place {
            *remote = secret::hide(remote);
        }
    }
    set
}

fn without_secrets(mut certificate: renew_cert::Certificate) -> renew_cert::Certificate {
    certificate.certbot = secret::hide_in_command(&certificate.certbot);
    if let Some(Reload::Command(command)) = &mut certificate.reload {
        *command = secret::hide_in_command(command);
    }
    certificate
}

fn open(mut site: check::Site) -> check::Site {
    if let Some(GunicornSource::Argv(words)) = site.gunicorn.as_mut().map(|gunicorn| &mut gunicorn.source) {
        *words = secret::hide_in_command(words);
    }
    site
}

fn timetables(model: &Model, zones: &Zones) -> Result<Vec<(Timetable, Times)>> {
    let all = model.schedules.iter().map(|section| schedule(section, zones)).collect::<Result<Vec<_>>>()?;
    let settings = Arc::new(schedules::Settings {
        project: model.project.clone(),
        schedules: all.clone(),
        all: all.clone(),
        state: nowhere(),
        lock_wait: std::time::Duration::ZERO,
        command: String::new(),
        yes: false,
        patience: schedules::Patience::default(),
    });
    let upkeep = database_policy(model);
    let both = model.schedules.iter().zip(all);
    Ok(both
        .map(|(section, schedule)| (Timetable { schedule, settings: Arc::clone(&settings), upkeep }, times(section)))
        .collect())
}

fn times(section: &model::Schedule) -> Times {
    Times {
        zone: section.timezone.clone(),
        on: section.on.iter().map(ToString::to_string).collect(),
        off_dates: section.off_dates.iter().map(ToString::to_string).collect(),
        on_dates: section.on_dates.iter().map(ToString::to_string).collect(),
        mode: match section.mode {
            Mode::Both => "both",
            Mode::StartOnly => "start-only",
            Mode::StopOnly => "stop-only",
        },
    }
}

fn told(notify: &model::Notify) -> Told {
    Told {
        on: match notify.on {
            When::Always => "always",
            When::Change => "change",
            When::Failure => "failure",
        },
        webhook: notify.webhook.as_ref().map(place),
        email: notify.email.iter().flat_map(|email| email.to.iter().cloned()).collect(),
        from: notify.email.as_ref().map(|email| email.from.clone()),
        pings: notify.ping.iter().map(|(job, _)| job.clone()).collect(),
    }
}

/// Where a secret comes from, without the secret.
fn place(secret: &Secret) -> String {
    match secret {
        Secret::Command(_) => "the output of a command",
        Secret::Environment(_) => "in a variable of the environment",
        Secret::File(_) => "in a file",
        Secret::Literal(_) => "in the configuration",
    }
    .to_owned()
}

/// As it would be written.
fn repeat(repeat: Repeat) -> String {
    repeat.to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use pulldown_cmark::{CowStr, Event, Options, Parser, Tag};

    use super::*;
    use crate::{cli::config::value::quote, overview::runbook};

    /// Every place of a configuration that takes any text, with this one in it.
    fn hostile(name: &str) -> String {
        let name = quote(name);
        format!(
            "[site.prime]\nurl = \"https://prime.example.edu\"\ncontains = {name}\n\
             [site.prime.nginx]\ncontainer = {name}\nheaders = {{ X-Name = {name} }}\n\
             [site.prime.gunicorn]\ncompose = {{ project = {name}, service = {name} }}\n\
             [backup.app]\nroot = \"/srv/prime\"\nrecipients_file = \"keys.txt\"\nto = [\"usb\"]\nafter_restore = [\"echo\", {name}]\n\
             [[backup.app.dump]]\nname = \"db.sql\"\ncommand = [\"dump\", {name}]\n\
             [certificate.prime]\nnames = [\"prime.example.edu\"]\ncertbot = [\"certbot\", {name}]\nstop = [{name}]\n\
             reload = {{ command = [\"reload\", {name}] }}\n\
             [schedule.night]\ntimezone = \"UTC\"\nalways_off = true\n\
             [[schedule.night.ec2]]\nregions = [\"us-east-2\"]\ntags = {{ Name = {name} }}\n\
             [[schedule.night.rds]]\nregions = [\"us-east-2\"]\ntags = {{ Name = {name} }}\n"
        )
    }

    #[expect(clippy::disallowed_methods, reason = "a test writes a file of a place of its own")]
    fn document(text: &str) -> String {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("mainstay.toml");
        std::fs::write(&file, format!("project = \"prime\"\n{text}")).unwrap();
        let context = Context::real(BTreeMap::new(), place.path().to_owned());
        let loaded = config::load(Some(&file), &context).unwrap().unwrap();
        runbook::write(&runbook_settings(&loaded, &context).unwrap(), None)
    }

    /// What a viewer makes of it: every element, and what stands in code; the words between are ours.
    fn seen(markdown: &str) -> (Vec<String>, Vec<String>) {
        let (mut elements, mut codes, mut in_block) = (Vec::new(), Vec::new(), false);
        for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
            match event {
                Event::Code(text) => {
                    elements.push("code".to_owned());
                    codes.push(text.into_string());
                }
                Event::Text(text) if in_block => codes.push(text.into_string()),
                Event::Text(_) | Event::SoftBreak => {}
                Event::Html(html) | Event::InlineHtml(html) => panic!("HTML: {html}"),
                event => {
                    in_block = match &event {
                        Event::Start(Tag::CodeBlock(_)) => true,
                        Event::End(_) => false,
                        _ => in_block,
                    };
                    elements.push(format!("{event:?}"));
                }
            }
        }
        (elements, codes)
    }

    #[test]
    fn a_server_with_backticks_and_bars_in_its_name_changes_nothing_but_its_name() {
        let plain = seen(&document(&hostile("web"))).0;
        for name in [
            "w`eb",
            "``",
            "a|b",
            "<!-- found here -->",
            "[x](javascript:y)",
            "```\n# gone",
            "a\nb",
            "\u{1b}[31m",
            "a\\",
            "-- *x*",
        ] {
            let document = document(&hostile(name));
            let (elements, codes) = seen(&document);
            assert_eq!(elements, plain, "{name:?}\n{document}");
            let shown = crate::rules::visible::line(name).into_owned();
            assert!(codes.iter().any(|code| CowStr::from(code.as_str()).contains(&shown)), "{name:?}\n{document}");
            assert!(!document.contains('\u{1b}'), "{document}");
        }
    }

    proptest! {
        // Each case reads and writes a whole document.
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_name_changes_the_document_around_it(name in "[ -~]{0,12}[!-~]|[`|\\\\<>&#*_~-]{1,6}|\\PC{1,6}") {
            prop_assume!(!name.trim().is_empty());
            // What looks like the value of a secret is not shown, in words of our own length.
            let plain = seen(&document(&hostile("web"))).0;
            let document = document(&hostile(&name));
            prop_assert_eq!(seen(&document).0, plain, "{}", document);
        }
    }

    #[test]
    fn no_secret_of_the_configuration_is_in_the_document() {
        let document = document(
            "[backup.app]\npassphrase = \"hunter2-a\"\nto = [\"rclone:nas,pass=hunter2-b:x\"]\nafter_restore = [\"curl\", \"--token\", \"hunter2-c\"]\n\
             [[backup.app.dump]]\nname = \"db.sql\"\ncommand = [\"env\", \"PGPASSWORD=hunter2-d\", \"pg_dump\"]\n\
             [certificate.prime]\nnames = [\"prime.example.edu\"]\nreload = { command = [\"load\", \"--password=hunter2-e\"] }\n\
             [schedule.night]\ntimezone = \"UTC\"\nalways_off = true\n[[schedule.night.ec2]]\nregions = [\"us-east-2\"]\nids = [\"i-0123456789abcdef0\"]\n\
             role = \"arn:aws:iam::111122223333:role/x\"\nexternal_id = \"hunter2-f\"\n\
             [notify]\nwebhook = \"https://hooks.example.com/hunter2-g\"\n\
             email = { to = [\"ops@example.edu\"], from = \"m@example.edu\", smtp = \"smtp://user:hunter2-h@mail.example.edu\" }\n\
             [notify.ping]\nbackup = \"https://hc.example.com/hunter2-i\"\n\
             [site.prime]\nurl = \"https://prime.example.edu\"\n[site.prime.gunicorn]\nargv = [\"gunicorn\", \"-e\", \"SECRET_KEY=hunter2-j\", \"app:app\"]\n",
        );
        assert!(!document.contains("hunter2"), "{document}");
        for shown in [
            "PGPASSWORD=<secret>",
            "--external-id \"$EXTERNAL_ID\"",
            "By a webhook, whose address is in the configuration",
            "ops@example.edu",
        ] {
            assert!(document.contains(shown), "{shown}\n{document}");
        }
    }
}
