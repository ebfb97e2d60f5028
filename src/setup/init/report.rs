//! What was found and from where, as findings.

use super::{Destination, Engine, Found};
use crate::report::Finding;

/// One finding a place that was looked at.
pub fn findings(found: &Found) -> Vec<Finding> {
    let mut findings = vec![folder(found)];
    findings.push(match &found.repository {
        Some(top) => Finding::pass("init.git", "", format!("the git work tree `{}`", top.display())),
        None => Finding::skip("init.git", "", "no git work tree here"),
    });
    findings.push(match &found.engine {
        Engine::Absent => Finding::skip("init.engine", "", "neither docker nor podman is installed"),
        Engine::Running(1) => Finding::pass("init.engine", "", "one running container"),
        Engine::Running(count) => Finding::pass("init.engine", "", format!("{count} running containers")),
        Engine::Trouble(why, fix) => {
            Finding::unknown("init.engine", "", format!("the container engine could not be asked: {why}")).fix(fix)
        }
    });
    if found.unseen > 0 {
        let summary = format!("{} of the running containers could not be looked into", found.unseen);
        let fix = "add the sites of theirs by hand, if there are any";
        findings.push(Finding::unknown("init.engine", "", summary).fix(fix));
    }
    findings.extend(nginx(found));
    findings.extend(gunicorn(found));
    findings.push(match &found.lineages {
        Ok(lineages) if lineages.is_empty() => {
            Finding::skip("init.certbot", "", "no certificates of certbot in /etc/letsencrypt")
        }
        Ok(lineages) => {
            let names: Vec<String> = lineages.iter().map(|lineage| format!("`{}`", lineage.name)).collect();
            Finding::pass("init.certbot", "", format!("certificates in /etc/letsencrypt: {}", names.join(", ")))
        }
        Err(why) => Finding::unknown("init.certbot", "", format!("certbot's folder could not be read: {why}"))
            .fix("run `sudo mainstay init --dry-run` to see what is there"),
    });
    findings.push(match &found.keys[..] {
        [] => Finding::skip("init.keys", "", "no age identity in this folder or your home"),
        keys => {
            let files: Vec<String> = keys.iter().map(|(_, file)| format!("`{}`", file.display())).collect();
            Finding::pass("init.keys", "", format!("age identities in {}", files.join(", ")))
        }
    });
    findings.push(match &found.region {
        None => Finding::skip("init.aws", "", "no region of AWS is set"),
        Some(region) => {
            Finding::pass("init.aws", "", format!("the region {} of AWS, from {}", region.name, region.from))
        }
    });
    findings.push(match &found.destination {
        Destination::Medium(path) => {
            Finding::pass("init.destination", "", format!("a mounted medium for backups: `{}`", path.display()))
        }
        Destination::OwnDisk(path) => Finding::warn(
            "init.destination",
            "",
            format!("no stick or disk is mounted: backups go to `{}`, on this machine's own disk", path.display()),
        )
        .fix("add another destination to `to`: a stick, s3:// or rclone:"),
    });
    findings
}

fn folder(found: &Found) -> Finding {
    match &found.secrets[..] {
        [] => Finding::skip("init.folder", "", format!("neither .env* nor config/ in `{}`", found.folder.display())),
        names => Finding::pass("init.folder", "", format!("{} in `{}`", names.join(", "), found.folder.display())),
    }
}

fn nginx(found: &Found) -> Vec<Finding> {
    if found.nginx.is_empty() {
        return vec![Finding::skip("init.nginx", "", "no nginx runs here")];
    }
    let one = |nginx: &super::Nginx| match &nginx.servers {
        Ok(servers) => {
            let mut names: Vec<&str> = servers.iter().flat_map(|server| &server.names).map(String::as_str).collect();
            names.sort_unstable();
            names.dedup();
            let names = if names.is_empty() { "no names".to_owned() } else { names.join(", ") };
            Finding::pass("init.nginx", "", format!("nginx of {}: {names}", nginx.at.words()))
        }
        Err(why) => Finding::unknown(
            "init.nginx",
            "",
            format!("nginx of {} could not be read: {}", nginx.at.words(), one_line(why)),
        )
        .fix("look at it by hand with `nginx -T`, then add its site"),
    };
    found.nginx.iter().map(one).collect()
}

fn gunicorn(found: &Found) -> Vec<Finding> {
    if found.gunicorn.is_empty() {
        return vec![Finding::skip("init.gunicorn", "", "no gunicorn runs in a container here")];
    }
    let one = |gunicorn: &super::Gunicorn| match &gunicorn.settings {
        Ok(settings) => {
            let given: Vec<String> =
                settings.iter().map(|(key, value, from)| format!("{key} {value} ({from})")).collect();
            let given = if given.is_empty() { "its defaults".to_owned() } else { given.join(", ") };
            Finding::pass("init.gunicorn", "", format!("gunicorn of {}: {given}", gunicorn.at.words()))
        }
        Err(why) => {
            let summary = format!("gunicorn of {} could not be read: {}", gunicorn.at.words(), one_line(why));
            Finding::unknown("init.gunicorn", "", summary).fix("add what it should run with by hand")
        }
    };
    found.gunicorn.iter().map(one).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
