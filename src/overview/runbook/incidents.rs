//! Chapter 10: what to do when it has happened, one page each.

use super::{
    databases,
    housekeeping::site_by_hand,
    machines,
    page::{Page, code, codes},
    security::has_keys,
    settings::Settings,
};
use crate::renew_cert::reload_by_hand;

pub(super) fn write(settings: &Settings, page: &mut Page) {
    page.says("**Not automated:** the judgement. Four things in this order, whatever it is:");
    page.steps([
        "Say that you are on it, and write down the time.".to_owned(),
        "Look before you change anything: `mainstay check`, `mainstay history --since 2d`.".to_owned(),
        "Bring the service back with the smallest change; take back the last one first.".to_owned(),
        "Afterwards write down what was seen, why it happened, what was done, and what will keep it from coming back."
            .to_owned(),
    ]);
    if !settings.told.email.is_empty() {
        page.says(&format!("Tell {}.", codes(&settings.told.email)));
    }
    site_down(settings, page);
    certificate_expired(settings, page);
    secrets_lost(settings, page);
    database(settings, page);
    page.heading(3, "The report");
    page.block(
        "text",
        "What happened, in a sentence:\n\
         Seen first, by whom, when:\n\
         Who was affected, from when to when:\n\
         Why:\n\
         What was done, when:\n\
         What will keep it from coming back, by whom, until when:",
    );
}

fn site_down(settings: &Settings, page: &mut Page) {
    page.heading(3, "Site down");
    page.says("Is it the site, or the way to it? The first line that fails names the place.");
    let mut lines = vec!["mainstay check --only http,tls --explain".to_owned()];
    for site in &settings.sites {
        if let Some(host) = site.url.domain() {
            lines.push(format!("getent ahosts {}", shell_words::quote(host)));
        }
        lines.extend(site_by_hand(site));
    }
    page.shell(&lines.join("\n"));
    page.says("Did a renewal that was cut off leave something stopped? This starts it again:");
    page.shell("mainstay renew-cert --recover");
    page.says("Do the containers run, and since when? Start what is down, and read why it went down:");
    let containers = settings.containers();
    let mut lines = vec!["docker ps -a --format 'table {{.Names}}\\t{{.Status}}\\t{{.Ports}}'".to_owned()];
    for reference in &containers {
        let name = reference.in_shell();
        lines.push(format!("docker start {name}; docker logs --tail 100 {name}"));
    }
    page.shell(&lines.join("\n"));
    page.says("Is the disk full, or the memory used up?");
    page.shell("df -h; df -i; free -h; sudo dmesg --since -1d | grep -i -e oom -e 'i/o error'");
    if !settings.schedules.is_empty() {
        page.says("Was the machine stopped by its schedule? Keep it on, and then see why:");
        let mut lines = vec!["mainstay schedule status".to_owned()];
        lines.extend(
            settings
                .schedules
                .iter()
                .map(|(timetable, _)| format!("mainstay schedule override {} --on --for 3h", timetable.schedule.name)),
        );
        page.shell(&lines.join("\n"));
        page.says(
            "By hand: \"Start them\" in [6. Resource Scaling & Cost Management](#6-resource-scaling--cost-management).",
        );
    }
    page.says(
        "Was it the last deploy? Go back to the version before, and look again with `mainstay check --wait 60s`.",
    );
}

fn certificate_expired(settings: &Settings, page: &mut Page) {
    page.heading(3, "Certificate expired");
    page.says(
        "First see which one is served: an expired one that is served while a good one is on the disk needs only a reload.",
    );
    let mut lines = vec!["mainstay check --only tls,certificate".to_owned()];
    for certificate in &settings.certificates {
        lines.push(reload_by_hand(&certificate.settings));
    }
    page.shell(&lines.join("\n"));
    page.says("Otherwise renew, with what it says where it cannot:");
    let mut lines: Vec<String> = settings
        .certificates
        .iter()
        .map(|certificate| format!("mainstay renew-cert {} --force", certificate.settings.name))
        .collect();
    if lines.is_empty() {
        lines.push("sudo certbot renew".to_owned());
    }
    lines.push("sudo tail -n 50 /var/log/letsencrypt/letsencrypt.log".to_owned());
    page.shell(&lines.join("\n"));
    page.points([
        "By hand, both ways: [7. Certificate & Domain Renewal](#7-certificate--domain-renewal).".to_owned(),
        "The authority refuses for too many tries: wait as long as it says; `mainstay renew-cert NAME --staging` rehearses \
         without using up its limits."
            .to_owned(),
        "The names do not lead here any more (`getent ahosts NAME`): mend the DNS first, or the domain itself has expired."
            .to_owned(),
        "The new certificate is the trouble: `mainstay renew-cert NAME --rollback` goes back to the one before, where that is \
         still valid."
            .to_owned(),
    ]);
}

fn secrets_lost(settings: &Settings, page: &mut Page) {
    page.heading(3, "Secrets lost");
    page.says("**Gone** (a disk, a host, a deleted file): bring them back.");
    if settings.backups.is_empty() {
        page.says("There is no backup in the configuration: look for copies with the people, and make one after that.");
    } else {
        let key = |passphrase: bool| if passphrase { "" } else { " --identity key.txt" };
        let lines: Vec<String> = settings
            .backups
            .iter()
            .map(|backup| {
                let passphrase = super::backups::is_passphrase(&backup.set);
                format!("mainstay backup restore {} --to restored{}", backup.set.name, key(passphrase))
            })
            .collect();
        page.shell(&lines.join("\n"));
        page.says("Without mainstay: \"Restore without mainstay\" in [1. Backups](#1-backups).");
    }
    if has_keys(settings) {
        page.says(
            "**The private key is gone:** what is sealed for it alone can be opened by nobody, us included. Make a new one \
             while the live files are still there, put its public key into `recipients`, keep the private one in two places, \
             and make an archive:",
        );
        page.shell(
            "mainstay backup keygen new-key.txt\nmainstay backup create\nmainstay backup drill --identity new-key.txt",
        );
    }
    page.says("**In wrong hands** (a commit, a mail, a stolen machine): what was seen once stays seen. In this order:");
    page.steps([
        "Make new values for everything in the files: passwords, tokens, API keys, the session key of the application."
            .to_owned(),
        "Revoke the old ones where they were issued; that is what counts, not the deletion of the file.".to_owned(),
        "AWS: `aws iam update-access-key --status Inactive --access-key-id ID`, then look in CloudTrail for what it did."
            .to_owned(),
        "A private key of a certificate: `sudo certbot revoke --cert-name NAME --reason keycompromise`, then ask for a new \
         certificate with a new key."
            .to_owned(),
        "A key that opens backups: take it out of `recipients`, and treat everything in the old archives as seen."
            .to_owned(),
        "This host: its signing key too. Make a new one on the new host, and say to nobody that the old one is good."
            .to_owned(),
    ]);
    page.says("See whether git has or had them, and whether git would take them again:");
    let mut lines: Vec<String> = settings
        .backups
        .iter()
        .flat_map(|backup| {
            let secrets = crate::check::REGISTRY.backups.iter().filter(|check| check.id() == "backup.secrets");
            secrets.map(|check| check.by_hand(backup)).collect::<Vec<_>>()
        })
        .collect();
    if lines.is_empty() {
        lines.push("git log --all --full-history --oneline -- '.env*'".to_owned());
    }
    page.shell(&lines.join("\n"));
}

fn database(settings: &Settings, page: &mut Page) {
    page.heading(3, "Database does not start");
    page.says("Do not delete anything, and do not start it again and again: read first what it says.");
    let selectors = databases::selectors(settings);
    let dumps: Vec<_> =
        settings.backups.iter().flat_map(|backup| backup.set.dumps.iter().map(move |dump| (backup, dump))).collect();
    if selectors.is_empty() && dumps.is_empty() {
        page.says("The configuration names no database. Of one in a container or on the host:");
    }
    page.shell(
        "docker ps -a; docker logs --tail 200 CONTAINER\n\
         sudo systemctl status postgresql mysql mariadb; sudo journalctl -u postgresql -n 100\n\
         df -h; df -i      # a full disk is the commonest reason: make room elsewhere, not in its folder",
    );
    for selector in &selectors {
        page.says("RDS says in its events why it does not start (full storage, a key that is gone, parameters):");
        let mut lines = Vec::new();
        for region in &selector.regions {
            lines.push(format!("export AWS_DEFAULT_REGION={region}"));
            for (kind, names) in [("instance", &selector.ids), ("cluster", &selector.clusters)] {
                for name in names {
                    let name = shell_words::quote(name);
                    lines.push(format!(
                        "aws rds describe-events --source-type db-{kind} --source-identifier {name} --duration 1440"
                    ));
                }
            }
            if selector.ids.is_empty() && selector.clusters.is_empty() {
                lines.push("aws rds describe-events --source-type db-instance --duration 1440".to_owned());
            }
        }
        page.shell(&lines.join("\n"));
        machines::start_by_hand(selector, page);
    }
    if !selectors.is_empty() {
        page.says("It cannot be mended: restore beside it, look, and only then give the new one its place.");
        page.shell(
            "aws rds restore-db-instance-to-point-in-time --use-latest-restorable-time \\\n  \
             --source-db-instance-identifier OLD --target-db-instance-identifier NEW",
        );
    }
    for (backup, dump) in &dumps {
        page.says(&format!(
            "The dump {} is in the archives of {}: take it out ([1. Backups](#1-backups)) and feed it to an empty database \
             ([4. Database Maintenance](#4-database-maintenance)).",
            code(&dump.name),
            code(&backup.set.name)
        ));
    }
}
