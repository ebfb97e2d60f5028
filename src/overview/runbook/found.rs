//! What is found on one machine: when things last ran, what is there. Only `--live` asks for it, and nothing of it is
//! compared.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use super::page::code;
use crate::{
    backup::{self, Record},
    overview::history::{self, Filter},
    renew_cert::{self, Ask, Survey},
    system::{
        Context,
        docker::Docker,
        signature::PublicKey,
        state::{Peek, State},
    },
};

/// Where to look: the same jobs as in [`Settings`](super::Settings), as they are on this machine.
#[derive(Clone, Debug)]
pub struct Live {
    /// The name of this machine.
    pub host: String,
    /// The project, as runs are written down.
    pub project: String,
    /// Where records are kept.
    pub state: State,
    /// The backups; `None` where none is configured.
    pub backups: Option<backup::Settings>,
    /// The certificates; `None` where none is configured.
    pub certificates: Option<renew_cert::Settings>,
}

/// What was found, as sentences of Markdown.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// About this machine.
    pub host: Vec<String>,
    backups: BTreeMap<String, Vec<String>>,
    certificates: BTreeMap<String, Vec<String>>,
}

/// What timers run.
const JOBS: [&str; 4] = ["check", "backup create", "renew-cert", "schedule apply"];

/// An engine that does not answer must not hold up a page.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks at everything; what cannot be seen is said.
pub async fn look(live: &Live, context: &Context) -> Found {
    let now = context.clock.now();
    let mut found =
        Found { host: vec![format!("At {} on {}.", code(&minute(now)), code(&live.host))], ..Found::default() };
    found.host.extend(last_runs(live, now));
    found.host.extend(owed(&live.state));
    found.host.extend(containers(context).await);
    if let Some(settings) = &live.backups {
        for set in &settings.sets {
            found.backups.insert(set.name.clone(), of_backup(settings, set));
        }
    }
    if let Some(settings) = &live.certificates {
        for certificate in &settings.certificates {
            let lines = of_certificate(certificate, &settings.state, context).await;
            found.certificates.insert(certificate.name.clone(), lines);
        }
    }
    found
}

impl Found {
    /// About a backup.
    pub(super) fn backup(&self, name: &str) -> Vec<String> {
        self.backups.get(name).cloned().unwrap_or_default()
    }

    /// About a certificate.
    pub(super) fn certificate(&self, name: &str) -> Vec<String> {
        self.certificates.get(name).cloned().unwrap_or_default()
    }
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%MZ").to_string()
}

/// When each job ran last, and what came of it.
fn last_runs(live: &Live, now: Timestamp) -> Vec<String> {
    let listing = match history::look(&live.state.history(), &Filter::of_project(&live.project, now)) {
        Ok(listing) => listing,
        Err(error) => return vec![format!("When the jobs ran last is unknown: {}.", code(&error.to_string()))],
    };
    JOBS.iter()
        .map(|command| match listing.runs.iter().find(|run| run.command == *command) {
            Some(run) => {
                format!("{} ran last {}: {}.", code(command), code(&minute(run.started)), code(run.status.word()))
            }
            None => format!("{} has not run here in the last {} days.", code(command), history::SPAN),
        })
        .collect()
}

fn owed(state: &State) -> Option<String> {
    match state.owed() {
        Ok(Peek::Nothing) => None,
        Ok(Peek::AtWork(_)) => Some("A renewal is at work, and has stopped something meanwhile.".to_owned()),
        Ok(Peek::Unfinished(entry)) => {
            let titles: Vec<String> = entry.owed.iter().map(|owed| code(owed.name())).collect();
            Some(format!(
                "**A renewal that was cut off has stopped {}: run `mainstay renew-cert --recover`.**",
                super::page::join(titles)
            ))
        }
        Err(error) => Some(format!("What a renewal may have stopped is unknown: {}.", code(&error.to_string()))),
    }
}

async fn containers(context: &Context) -> Vec<String> {
    match Docker::new(context, PATIENCE).all().await {
        Ok(all) => all
            .iter()
            .map(|container| {
                let since = container.started.map(|at| format!(", started {}", code(&minute(at)))).unwrap_or_default();
                format!(
                    "The container {} ({}): {}{since}.",
                    code(&container.name),
                    code(&container.image),
                    code(&container.state)
                )
            })
            .collect(),
        Err(trouble) => vec![format!("Containers are unknown: {}.", code(&trouble.to_string()))],
    }
}

fn of_backup(settings: &backup::Settings, set: &backup::Set) -> Vec<String> {
    let record = match Record::load(&settings.state, &settings.project, &set.name) {
        Ok(record) => record,
        Err(error) => return vec![format!("Unknown: {}.", code(&error.to_string()))],
    };
    let mut lines = vec![match &record.last {
        Some(last) => format!("The newest archive that this host made is {}.", code(&last.id)),
        None => "This host has made no archive yet.".to_owned(),
    }];
    for place in &set.to {
        let address = place.to_string();
        lines.push(match record.destinations.get(&address).and_then(|seen| seen.good.as_ref()) {
            Some(good) => format!(
                "The newest good one at {} is {}, proved {} (`mainstay backup list` asks the place itself).",
                code(&address),
                code(&good.id),
                code(&minute(good.verified))
            ),
            None => format!("No good one is known at {}.", code(&address)),
        });
    }
    lines.push(match &record.drill {
        Some(drill) => {
            let result = if drill.good { "all came back as it was" } else { "**not all came back**" };
            format!("A restore was rehearsed last {} with {}: {result}.", code(&minute(drill.at)), code(&drill.id))
        }
        None => "No restore was rehearsed here.".to_owned(),
    });
    match PublicKey::of_host(&settings.state) {
        Ok(Some(key)) => lines.push(format!("This host signs with {}.", code(&key.to_string()))),
        Ok(None) => {}
        Err(error) => lines.push(format!("The signing key is unknown: {}.", code(&error.to_string()))),
    }
    lines
}

async fn of_certificate(certificate: &renew_cert::Certificate, state: &State, context: &Context) -> Vec<String> {
    let survey = match Survey::of(certificate, state, Ask::Never, context).await {
        Ok(survey) => survey,
        Err(error) => return vec![format!("Unknown: {}.", code(&error.to_string()))],
    };
    let mut lines = vec![match survey.leaf() {
        Some(leaf) => {
            format!("certbot's {} is valid until {}.", code(&survey.lineage), code(&minute(leaf.until)))
        }
        None => format!("There is no certificate {} in certbot's folder.", code(&survey.lineage)),
    }];
    if let Some(decision) = &survey.decision {
        lines.push(format!("Due: {}.", code(&decision.to_string())));
    }
    for look in &survey.looks {
        lines.push(match &look.leaf {
            Ok(leaf) => {
                let same =
                    if survey.leaf().is_some_and(|own| own.sha256 == leaf.sha256) { "this one" } else { "another one" };
                format!(
                    "{} at {} serves {same}, valid until {}.",
                    code(&look.name),
                    code(&look.address.to_string()),
                    code(&minute(leaf.until))
                )
            }
            Err(unseen) => {
                format!("{} at {}: {}.", code(&look.name), code(&look.address.to_string()), code(&unseen.why))
            }
        });
    }
    if let Some(last) = &survey.record.last {
        lines.push(format!("Renewed here last {}, {}.", code(&minute(last.at)), code(&last.method)));
    }
    if let Some(failures) = &survey.record.failures {
        lines.push(format!("**{} renewals failed in a row: {}.**", failures.count, code(&failures.detail)));
    }
    lines
}
