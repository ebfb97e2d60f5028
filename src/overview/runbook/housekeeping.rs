//! Chapter 8: the checks of the sites, in the order of the runbook, with the commands that they replace.

use super::{
    checks,
    page::{Page, code, codes},
    settings::{Settings, container},
};
use crate::{
    check::{Check, GunicornSite, GunicornSource, NginxSite, NginxSource, Provider, REGISTRY, Site},
    report::Status,
};

const ABSENT: &str = "\
[site.prime]
url = \"https://prime.example.edu\"";

const NGINX: &str = "container = \"prime_webtool_nginx_1\"     # or host = true";

const GUNICORN: &str = "\
container = \"prime_webtool_web_1\"
workers = 3
threads = 4
timeout = 90
graceful_timeout = 30
forwarded_allow_ips = \"*\"";

const OAUTH: &str = "login = \"/auth/login\"";

/// The parts of the checklist: a title, and the checks that belong to it.
const PARTS: &[(&str, &[&str])] = &[
    ("TLS is good, and HTTP leads to HTTPS", &["tls.", "http."]),
    ("nginx uses this configuration, and tells the application what it needs", &["nginx."]),
    ("gunicorn trusts the forwarded headers, and only those", &["gunicorn.trust", "gunicorn.exposed"]),
    ("The login leads to its provider", &["oauth."]),
    ("gunicorn's workers", &["gunicorn.settings"]),
];

pub(super) fn write(settings: &Settings, page: &mut Page) {
    if settings.sites.is_empty() {
        page.absent("no `[site.NAME]` section names a site to look at.", ABSENT);
    } else {
        page.says(&format!(
            "`mainstay check` does all of this at once, {} and after each deploy, and says what was seen, what was expected, \
             why, and what to do. Each command below is what its check stands for, to be typed where mainstay is not.",
            code(&settings.timers.check)
        ));
        page.shell("mainstay check              # everything; `--explain` shows the commands with the real addresses");
    }
    for site in &settings.sites {
        page.heading(3, &format!("Site {}", code(&site.name)));
        expected(site, page);
        for (at, (title, ids)) in PARTS.iter().enumerate() {
            page.heading(4, &format!("{}. {title}", at + 1));
            part(site, ids, page);
        }
    }
    page.heading(3, "The host");
    match &settings.host {
        Some(host) => checks::write(REGISTRY.hosts, host, page),
        None => page.absent("nobody looks at its disks, updates, clock and containers.", "[host]"),
    }
    page.says("By hand, once a month: space, what runs and for how long, and what Docker keeps of old images.");
    page.shell("df -h; df -i\nuptime; free -h\ndocker ps -a; docker system df");
}

fn expected(site: &Site, page: &mut Page) {
    let status: Vec<String> = site.status.iter().map(u16::to_string).collect();
    let mut points = vec![format!("{} answers with {}.", code(site.url.as_str()), codes(&status))];
    if let Some(text) = &site.contains {
        points.push(format!("The answer has {} in it.", code(text)));
    }
    points.push(format!("The oldest protocol that may be offered is TLS {}.", site.tls.min_version.number()));
    points.extend(site.nginx.as_ref().map(nginx));
    points.extend(site.gunicorn.as_ref().map(gunicorn));
    if let Some(oauth) = &site.oauth {
        let provider = match &oauth.provider {
            Provider::Google => "Google".to_owned(),
            Provider::Authorize(url) => code(url.as_str()),
        };
        points.push(format!("The login at {} leads to {provider}.", code(oauth.login.as_str())));
    }
    if site.http_closed != Status::Fail {
        points.push(format!("A closed port 80 counts as {}.", code(site.http_closed.word())));
    }
    page.points(points);
}

fn nginx(nginx: &NginxSite) -> String {
    let place = match &nginx.source {
        NginxSource::Container(reference) => format!("the container {}", container(reference)),
        NginxSource::Dump(path) => format!("the saved dump {}", code(&path.to_string_lossy())),
        NginxSource::Files(path) => format!("the file {}", code(&path.to_string_lossy())),
        NginxSource::Host => "this host".to_owned(),
    };
    let mut lines: Vec<String> =
        nginx.headers.iter().map(|(name, value)| format!("proxy_set_header {name} {value};")).collect();
    lines.extend(nginx.http_version.iter().map(|version| format!("proxy_http_version {version};")));
    lines.extend(nginx.redirect.iter().map(|redirect| format!("proxy_redirect {redirect};")));
    format!("nginx in {place} has for {}: {}.", code(&nginx.path), codes(&lines))
}

fn gunicorn(gunicorn: &GunicornSite) -> String {
    let place = match &gunicorn.source {
        GunicornSource::Container(reference) => format!("in the container {}", container(reference)),
        GunicornSource::PidFile(path) => format!("of {}", code(&path.to_string_lossy())),
        GunicornSource::Argv(_) => "of a command line in the configuration".to_owned(),
    };
    let numbers = [
        ("--workers", gunicorn.workers),
        ("--threads", gunicorn.threads),
        ("--timeout", gunicorn.timeout),
        ("--graceful-timeout", gunicorn.graceful_timeout),
    ];
    let mut wanted: Vec<String> =
        numbers.into_iter().filter_map(|(flag, value)| Some(format!("{flag} {}", value?))).collect();
    wanted.extend(gunicorn.forwarded_allow_ips.iter().map(|ips| format!("--forwarded-allow-ips={ips}")));
    match wanted.as_slice() {
        [] => format!("gunicorn {place}: no setting is prescribed."),
        wanted => format!("gunicorn {place} has {}.", codes(wanted)),
    }
}

/// The commands that show whether a site answers, for the page of a site that is down.
pub(super) fn site_by_hand(site: &Site) -> Vec<String> {
    let checks = REGISTRY.sites.iter().filter(|check| matches!(check.id(), "http.status" | "nginx.config"));
    checks.filter(|check| check.applies(site).is_ok()).map(|check| check.by_hand(site)).collect()
}

fn part(site: &Site, ids: &[&str], page: &mut Page) {
    let own = |check: &&&dyn Check| ids.iter().any(|id| check.id().starts_with(id));
    let (apply, others): (Vec<&&dyn Check>, Vec<&&dyn Check>) =
        REGISTRY.sites.iter().filter(own).partition(|check| check.applies(site).is_ok());
    if apply.is_empty() {
        let (section, lines) = match ids {
            ["nginx.", ..] => ("nginx", NGINX),
            ["oauth.", ..] => ("oauth", OAUTH),
            _ => ("gunicorn", GUNICORN),
        };
        let name = &site.name;
        page.absent(
            &format!("the section {} is missing.", code(&format!("[site.{name}.{section}]"))),
            &format!("[site.{name}.{section}]\n{lines}"),
        );
        return;
    }
    page.shell(&checks::lines(apply.iter().map(|check| (check.id(), check.title(), check.by_hand(site)))));
    let skipped = others.iter().filter_map(|check| Some(format!("{}: {}", check.id(), check.applies(site).err()?)));
    page.points(skipped.map(|line| format!("Not looked at: {}.", code(&line))));
}
