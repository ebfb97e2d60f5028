//! `tls.served`: the certificate that is served is the one in the file that nginx names.

use futures_util::{FutureExt, future::BoxFuture};
use rustls::pki_types::{CertificateDer, pem::PemObject};

use super::{
    Check, NginxSource, Scope, Site, nginx,
    visit::{Visit, needs_tls, s_client},
};
use crate::{
    report::Finding,
    rules::{
        certificate::{Certificate, Link},
        served::{self, Leaf, OnDisk, Served},
    },
    system::nginx::Nginx,
};

/// `tls.served`.
pub struct TlsServed;

const ID: &str = "tls.served";

impl Check for TlsServed {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "the certificate that is served is the one in the file"
    }

    fn needs(&self) -> &'static str {
        "an https URL and a `[site.NAME.nginx]` section with a running nginx, or a `[certificate.NAME]` section"
    }

    fn applies(&self, site: &Site) -> Result<(), String> {
        needs_tls(site)?;
        nginx::applies_running(site)?;
        if site.trusted_proxy {
            return Err("another proxy in front of nginx serves the certificate (`trusted_proxy`)".to_owned());
        }
        Ok(())
    }

    fn run<'a>(&'a self, scope: &'a Scope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        look(scope).boxed()
    }

    fn by_hand(&self, site: &Site) -> String {
        let path = format!("/etc/letsencrypt/live/{}/fullchain.pem", site.url.host_str().unwrap_or_default());
        let print = match site.nginx.as_ref().map(|settings| &settings.source) {
            Some(NginxSource::Container(reference)) => {
                format!("docker cp -L {}:{} - | tar -xO", reference.in_shell(), shell_words::quote(&path))
            }
            _ => format!("sudo cat {}", shell_words::quote(&path)),
        };
        by_hand(site, &print)
    }
}

async fn look(scope: &Scope<'_>) -> Vec<Finding> {
    let site = scope.site;
    let view = match scope.nginx().await {
        Ok(view) => view,
        Err(fault) => return vec![nginx::follow(ID, site, &nginx::cannot_look(site, fault))],
    };
    let (Ok(config), Some(answer)) = (&view.nginx.config, &view.answer) else {
        let nameless =
            Finding::unknown("nginx.config", &site.name, "the configuration does not say which server answers");
        return vec![nginx::follow(ID, site, view.root().unwrap_or(&nameless))];
    };
    let Some(at) = answer.certificate.as_ref().and_then(|setting| setting.at.as_ref()) else {
        let finding = Finding::unknown(ID, &site.name, "the server that answers names no certificate")
            .observed(format!("server `{}` ({})", answer.server.name, answer.server.at))
            .fix("set `trusted_proxy = true` where another proxy serves the certificate, or give the server an `ssl_certificate`")
            .data("reason", "no-certificate");
        return vec![finding];
    };
    let paths = served::certificate_files(config, at);
    if paths.contains(&None) {
        let written = answer.certificate.as_ref().map_or("", |setting| &setting.value);
        let finding = Finding::unknown(ID, &site.name, "the certificate is chosen when a connection comes")
            .observed(format!("ssl_certificate {written} ({at})"))
            .fix("compare the fingerprints by hand for the file that it stands for")
            .data("reason", "variable");
        return vec![finding];
    }
    let mut files = Vec::new();
    for path in paths.into_iter().flatten() {
        let leaf = first_certificate(&view.nginx, &path).await;
        files.push(OnDisk { path, leaf });
    }
    let served: Vec<Served> = match scope.visits().await {
        Ok(visits) => visits.iter().map(seen).collect(),
        Err(unresolved) => {
            let host = site.url.host_str().unwrap_or_default().to_owned();
            vec![Served { address: host, leaf: Err(unresolved.to_string()) }]
        }
    };
    let command = files.first().map(|file| by_hand(site, &view.nginx.print_command(&file.path)));
    let mut findings = served::judge(&site.name, &files, &served, &view.nginx.reload());
    for finding in &mut findings {
        finding.by_hand.clone_from(&command);
    }
    findings
}

/// Both fingerprints, to be compared.
fn by_hand(site: &Site, print: &str) -> String {
    let fingerprint = "openssl x509 -noout -fingerprint -sha256 -dates";
    format!("{} 2>/dev/null | {fingerprint}; {print} | {fingerprint}", s_client(site, ""))
}

async fn first_certificate(nginx: &Nginx, path: &str) -> Result<Leaf, String> {
    let file = nginx.read(path).await?;
    let mut certificates = CertificateDer::pem_slice_iter(&file.content);
    let der = match certificates.next() {
        Some(Ok(der)) => der,
        Some(Err(error)) => return Err(format!("it is no PEM: {error}")),
        None => return Err("it holds no certificate".to_owned()),
    };
    Certificate::parse(&der).map(|certificate| leaf(&certificate)).map_err(|unreadable| unreadable.why)
}

fn seen(visit: &Visit) -> Served {
    let first = visit.tls.as_ref().and_then(|tls| tls.chain.first());
    let leaf = match (first, &visit.trouble) {
        (Some(Link { certificate: Ok(certificate), .. }), _) => Ok(leaf(certificate)),
        (Some(Link { certificate: Err(unreadable), .. }), _) => Err(unreadable.why.clone()),
        (None, Some(trouble)) => Err(trouble.to_string()),
        (None, None) => Err("no certificate was sent".to_owned()),
    };
    Served { address: visit.address.to_string(), leaf }
}

fn leaf(certificate: &Certificate) -> Leaf {
    Leaf { sha256: certificate.sha256, from: certificate.not_before, until: certificate.not_after }
}
