//! Chapter 7: how certificates are renewed, and both ways to do it by hand.

use super::{
    checks,
    found::Found,
    page::{Page, code, codes},
    settings::Settings,
};
use crate::{
    check::{Certificate, REGISTRY},
    renew_cert::{self, Method, Reload, by_hand as calls, reload_by_hand},
    rules::renewal::{Form, Way, caller, inside},
};

const ABSENT: &str = "\
[certificate.prime]
names = [\"prime.example.edu\"]
reload = { container = \"prime_webtool_nginx_1\" }     # or { systemd = \"nginx\" }";

pub(super) fn write(settings: &Settings, found: Option<&Found>, page: &mut Page) {
    if settings.certificates.is_empty() {
        page.absent("no `[certificate.NAME]` section names a certificate to renew.", ABSENT);
    } else {
        page.says(&format!(
            "`mainstay renew-cert` runs {}. A certificate is due when a third of its lifetime is left (half under ten days), or \
             when its authority says so (ARI). A renewal counts only when every address serves the certificate that is on the \
             disk.",
            code(&settings.timers.renew_cert)
        ));
    }
    for certificate in &settings.certificates {
        page.heading(3, &format!("Certificate {}", code(&certificate.settings.name)));
        what(&certificate.settings, page);
        if let Some(found) = found {
            page.found(found.certificate(&certificate.settings.name));
        }
        page.heading(4, "Renew with mainstay");
        let name = &certificate.settings.name;
        page.commented(&[
            (format!("mainstay renew-cert {name} --dry-run"), "what is due, why, and what would be stopped"),
            (format!("mainstay renew-cert {name}"), "renew it where it is due, load it, prove it"),
            (format!("mainstay renew-cert {name} --force"), "although it is not due"),
            (format!("mainstay renew-cert {name} --rollback"), "back to the certificate before"),
            ("mainstay renew-cert --recover".to_owned(), "start again what a killed renewal had stopped"),
        ]);
        by_hand(settings, certificate, page);
        page.heading(4, "Is it right?");
        checks::write(REGISTRY.certificates, certificate, page);
    }
    domains(settings, page);
}

fn what(certificate: &renew_cert::Certificate, page: &mut Page) {
    let mut points = vec![
        format!("For {}.", codes(&certificate.names)),
        match certificate.method {
            Method::Auto => {
                "By webroot where a token is really served, else standalone: what holds port 80 is stopped \
                             for the renewal and started again, whatever happens."
                    .to_owned()
            }
            Method::Standalone => {
                "Standalone: what holds port 80 is stopped for the renewal and started again, whatever \
                                   happens."
                    .to_owned()
            }
            Method::Webroot => "By webroot: nothing is ever stopped.".to_owned(),
        },
        format!("certbot's folder is {}.", code(&certificate.directory.to_string_lossy())),
    ];
    if let Some(webroot) = &certificate.webroot {
        points.push(format!("The web server serves the challenge from {}.", code(&webroot.to_string_lossy())));
    }
    if let Some(stop) = &certificate.stop {
        points.push(format!("Only these may be stopped: {}.", codes(stop)));
    }
    points.push(match &certificate.reload {
        Some(_) => format!("Loaded by {}.", code(&reload_by_hand(certificate))),
        None => "Nothing is told to load it (no `reload`): whatever serves it must do so by itself.".to_owned(),
    });
    let targets: Vec<String> = certificate.targets().iter().map(|(host, port)| format!("{host}:{port}")).collect();
    points.push(format!("It must be served by {}.", codes(&targets)));
    if let Some(server) = &certificate.server {
        points.push(format!("The authority is {}.", code(server.as_str())));
    }
    page.points(points);
}

fn by_hand(settings: &Settings, certificate: &Certificate, page: &mut Page) {
    let settings_of = &certificate.settings;
    let first = settings_of.names.first().map_or(settings_of.name.as_str(), String::as_str);
    page.heading(4, "Renew by hand, nothing is stopped (webroot)");
    page.says(&format!(
        "The calls are those that mainstay makes: they renew at once, due or not, which the authority allows a few times a \
         week. certbot's name of the certificate is {} here; where `certbot certificates` prints another, take that.",
        code(first)
    ));
    let sudo = if caller(&settings_of.certbot) == Form::Host { "sudo " } else { "" };
    let certbot = |words: Vec<String>| {
        let command = settings_of.certbot.iter().cloned().chain(words);
        format!("{sudo}{}", shell_words::join(command))
    };
    let reload = reload_by_hand(settings_of);
    let folder = match &settings_of.webroot {
        Some(webroot) => inside(&settings_of.certbot, webroot).unwrap_or_else(|| webroot.clone()),
        None => "WEBROOT".into(),
    };
    if settings_of.webroot.is_none() {
        page.says(
            "No `webroot` is configured: write for `WEBROOT` the folder from which the web server serves \
             `/.well-known/acme-challenge/` (`nginx -T` shows it).",
        );
    }
    page.shell(&format!(
        "{}\n{}\n{reload}",
        certbot(vec!["certificates".to_owned()]),
        certbot(calls(settings_of, first, Way::Webroot(&folder)).renew),
    ));
    page.heading(4, "Renew by hand, the site is away meanwhile (standalone)");
    let (look, stop, start) = port_80(settings, settings_of);
    let published = match caller(&settings_of.certbot) {
        Form::Host => "",
        Form::Compose | Form::Container => {
            "certbot runs in a container here: its port 80 must be published (`-p 80:80`), else it answers nobody. "
        }
    };
    page.says(&format!(
        "{published}Start again what you stopped, also when certbot failed. Afterwards certbot remembers the way it was \
         called for the next `certbot renew`."
    ));
    page.shell(&format!(
        "{look}\n{stop}\n{}\n{start}\n{reload}",
        certbot(calls(settings_of, first, Way::Standalone).renew)
    ));
    page.heading(4, "Ask for it the first time");
    page.shell(&certbot(calls(settings_of, first, Way::Webroot(&folder)).request));
}

/// How to see who holds port 80, to stop it, and to start it again.
fn port_80(settings: &Settings, certificate: &renew_cert::Certificate) -> (String, String, String) {
    let look = "docker ps --filter publish=80; sudo ss -ltnp 'sport = :80'".to_owned();
    if let Some(names) = &certificate.stop {
        let names = shell_words::join(names);
        return (look, format!("docker stop {names}"), format!("docker start {names}"));
    }
    match &certificate.reload {
        Some(Reload::Systemd(unit)) => {
            let unit = shell_words::quote(unit);
            (look, format!("sudo systemctl stop {unit}"), format!("sudo systemctl start {unit}"))
        }
        Some(Reload::Container(reference)) if settings.containers().contains(&reference) => {
            let name = reference.in_shell();
            (format!("{look}\nWEB={name}"), "docker stop \"$WEB\"".to_owned(), "docker start \"$WEB\"".to_owned())
        }
        _ => (
            format!("{look}\nHOLDERS=$(docker ps -q --filter publish=80)"),
            "docker stop $HOLDERS".to_owned(),
            "docker start $HOLDERS".to_owned(),
        ),
    }
}

/// The registration of the names themselves.
fn domains(settings: &Settings, page: &mut Page) {
    page.heading(3, "Domains");
    page.says(
        "Nothing here renews a domain: its registrar does. Turn on the automatic renewal there, and see that the address of its \
         account is read by somebody.",
    );
    match &settings.domains {
        Some(domains) => {
            page.says(&format!(
                "`mainstay check` ({}) asks the registries when they end.",
                code(&settings.timers.check)
            ));
            checks::write(REGISTRY.domains, domains, page);
        }
        None => {
            page.absent("nobody notices that the registration of a domain ends.", "[domain]");
            page.shell("whois example.edu      # the registry's expiry date, and the name servers");
        }
    }
}
