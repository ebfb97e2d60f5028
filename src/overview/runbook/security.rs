//! Chapter 5: who has which role, who can open what, and what a stolen key means.

use super::{
    backups::{is_passphrase, shown},
    page::{Page, code, codes},
    settings::Settings,
};
use crate::{backup::Padlock, system::store::Place};

pub(super) fn write(settings: &Settings, page: &mut Page) {
    page.says(&format!(
        "`mainstay check` ({}) looks after this: secrets that git tracks, that others can read or that no backup has \
         (`backup.secrets`), certificates and protocols (`tls.*`), whether strangers reach gunicorn beside nginx \
         (`gunicorn.exposed`) and whom it believes (`gunicorn.trust`). The commands are in [8. Housekeeping \
         Tasks](#8-housekeeping-tasks) and [1. Backups](#1-backups).",
        code(&settings.timers.check)
    ));
    page.heading(3, "Who has which role");
    let rows = roles(settings);
    if rows.is_empty() {
        page.says("The configuration names no keys, no roles and no people.");
    }
    page.table(&["Role", "Who or what", "May"], &rows);
    buckets(settings, page);
    page.heading(3, "Once a quarter, by hand");
    page.shell(
        "getent group sudo docker                        # who is root here, in effect\n\
         sudo ss -ltnup                                  # what listens, and for whom\n\
         last -n 20; sudo journalctl -u ssh --since -7d | grep -i accepted\n\
         aws iam generate-credential-report; aws iam get-credential-report --query Content --output text | base64 -d",
    );
    page.says("Change keys and passwords when somebody leaves, and after each incident (see \"Secrets lost\" in [10. Incident Response & Reporting](#10-incident-response--reporting)).");
}

/// One row a role: its name, who has it, what it may do.
fn roles(settings: &Settings) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut add = |role: String, who: String, may: String| rows.push(vec![role, who, may]);
    for backup in &settings.backups {
        let set = &backup.set;
        let name = code(&set.name);
        match &set.lock {
            Padlock::Passphrase(_) => {
                add(
                    format!("Opens archives of {name}"),
                    "whoever knows the passphrase".into(),
                    "read all that is in them".into(),
                );
            }
            Padlock::Recipients { keys, file } => {
                for key in keys {
                    add(format!("Opens archives of {name}"), code(key), "read all that is in them".into());
                }
                if let Some(file) = file {
                    let who = format!("each key in {}", code(&file.to_string_lossy()));
                    add(format!("Opens archives of {name}"), who, "read all that is in them".into());
                }
            }
        }
        add(
            format!("Signs archives of {name}"),
            "this host's key (`signing.key` of the state folder)".into(),
            "make archives that count".into(),
        );
        for key in &set.signers {
            add(format!("Signs archives of {name}"), code(key), "make archives that restore accepts".into());
        }
    }
    let mut known: Vec<String> = Vec::new();
    for (timetable, _) in &settings.schedules {
        let schedule = &timetable.schedule;
        for arn in schedule.selectors.iter().filter_map(|selector| selector.role_arn()) {
            if !known.contains(&arn.to_owned()) {
                add("Starts and stops machines".into(), code(arn), "what its policy in chapter 6 says".into());
                known.push(arn.to_owned());
            }
        }
        if let Some(deploy) = &schedule.deploy {
            if !known.contains(&deploy.role) {
                let may = if deploy.function.is_some() { "invoke the function" } else { "start and stop the machines" };
                add("EventBridge Scheduler takes it on".into(), code(&deploy.role), may.into());
                known.push(deploy.role.clone());
            }
            if let Some(function) = deploy.function.iter().find(|function| !known.contains(function)) {
                add(
                    "Applies schedules in the cloud".into(),
                    code(function),
                    "start and stop the machines, by its own role".into(),
                );
                known.push(function.clone());
            }
        }
    }
    for certificate in &settings.certificates {
        if let Some(email) = &certificate.settings.email {
            add(
                format!("Account at the authority for {}", code(&certificate.settings.name)),
                code(email),
                "be written to by it".into(),
            );
        }
    }
    if !settings.told.email.is_empty() {
        add("Is told".into(), codes(&settings.told.email), "read what failed, and what was repaired".into());
    }
    if let Some(place) = &settings.told.webhook {
        add(
            "Is told".into(),
            format!("whoever reads the channel of the webhook (its address is {place})"),
            "the same".into(),
        );
    }
    rows
}

/// The least that users of the buckets need.
fn buckets(settings: &Settings, page: &mut Page) {
    let all = settings.backups.iter().flat_map(|backup| backup.set.to.iter().map(move |place| (&backup.set, place)));
    let buckets: Vec<_> = all
        .filter_map(|(set, place)| match place {
            Place::S3 { bucket, prefix } => Some((set, place, bucket, prefix)),
            _ => None,
        })
        .collect();
    if buckets.is_empty() {
        return;
    }
    page.heading(3, "Policies of the buckets");
    page.says(
        "The least that each role needs, as `mainstay backup init --print-policy` prints it. Three roles, so that no stolen \
         credential can do all: the host writes and cannot delete, a pruner deletes, whoever restores reads.",
    );
    for (set, place, bucket, prefix) in buckets {
        for (role, what, policy) in set.vault(bucket, prefix).policies() {
            page.says(&format!("{}: **{role}**, {what}:", code(&shown(place))));
            page.block("json", &serde_json::to_string_pretty(&policy).unwrap_or_default());
        }
    }
}

/// Whether some backup is sealed for keys, which can be lost.
pub(super) fn has_keys(settings: &Settings) -> bool {
    settings.backups.iter().any(|backup| !is_passphrase(&backup.set))
}
