//! How the names can be proved: webroots that are known or found, in the order in which they are tried.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::future::join_all;

use super::{Certificate, Method, Reload, Survey};
use crate::{
    error::Result,
    rules::{
        nginx::{Question, evaluate},
        renewal::{Aim, Authenticator, Form, PATH, Probe, Proof, caller, inside, mounts, on_host, prove},
    },
    system::{
        Context,
        acme::{Token, probe},
        nginx::{Nginx, Place, Source},
        resolve::{Family, resolve},
    },
};

/// A webroot that may work; a token proves it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Webroot {
    /// On this machine.
    pub folder: PathBuf,
    /// Where certbot sees it: elsewhere when it runs in a container.
    pub inside: PathBuf,
    /// How it is known, after "which": `is configured`.
    pub how: String,
    /// Whether the renewal configuration says the same, so that certbot needs no option.
    pub stored: bool,
}

/// What there is to choose from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Choice {
    /// Webroots, the likeliest first.
    pub webroots: Vec<Webroot>,
    /// certbot's own plugin, which the renewal configuration names and which needs nothing of ours: `dns-route53`.
    pub plugin: Option<String>,
    /// Whether standalone may be used.
    pub standalone: bool,
    /// Why something is not there to choose, one line each.
    pub notes: Vec<String>,
}

/// How long one fetch of a token may take.
const FETCH: Duration = Duration::from_secs(10);

/// How long nginx may take to print its configuration: it looks up the names of its upstreams first.
const DUMP: Duration = Duration::from_secs(30);

impl Choice {
    /// Looks for everything that the certificate's method allows.
    pub(super) async fn of(certificate: &Certificate, survey: &Survey, context: &Context) -> Self {
        let mut choice = Self { standalone: certificate.method != Method::Webroot, ..Self::default() };
        if certificate.method == Method::Standalone {
            return choice;
        }
        let conf = survey.stored.as_ref().and_then(|stored| stored.conf.as_ref().ok());
        let stored = conf.map(|conf| conf.authenticator());
        if let (Some(Authenticator::Other(plugin)), Method::Auto) = (&stored, certificate.method) {
            choice.plugin = Some(plugin.clone());
            return choice;
        }
        let same = |folder: &Path| match (&stored, conf) {
            (Some(Authenticator::Webroot(folders)), Some(conf)) => {
                folders.len() == 1
                    && Path::new(&folders[0]) == folder
                    && certificate
                        .names
                        .iter()
                        .all(|name| conf.webroot_of(name).is_some_and(|of| Path::new(of) == folder))
            }
            _ => false,
        };
        if let Some(folder) = &certificate.webroot {
            choice.add(certificate, folder, "is configured", &same);
        }
        // What certbot knows is a path of its own world: of this machine only where it runs here.
        if let Some(Authenticator::Webroot(folders)) = &stored
            && caller(&certificate.certbot) == Form::Host
        {
            for folder in folders {
                choice.add(certificate, Path::new(folder), "stands in the renewal file", &same);
            }
        }
        // Also beside a configured one: what nginx serves may be right where that is not.
        if certificate.method == Method::Auto {
            match found(certificate, context).await {
                Ok(Some((folder, how))) => choice.add(certificate, &folder, &how, &same),
                Ok(None) => {}
                Err(why) => choice.notes.push(why),
            }
        }
        choice
    }

    fn add(&mut self, certificate: &Certificate, folder: &Path, how: &str, same: &dyn Fn(&Path) -> bool) {
        if self.webroots.iter().any(|known| known.folder == folder) {
            return;
        }
        let inside = match caller(&certificate.certbot) {
            Form::Host => Some(folder.to_owned()),
            Form::Container => inside(&certificate.certbot, folder),
            // What a Compose file mounts is not known here; most mount a folder under its own name.
            Form::Compose => Some(folder.to_owned()),
        };
        let Some(inside) = inside else {
            self.notes.push(format!(
                "the webroot `{}` is not mounted into certbot's container (`-v` in `certbot`)",
                folder.display()
            ));
            return;
        };
        let stored = same(&inside);
        self.webroots.push(Webroot { folder: folder.to_owned(), inside, how: how.to_owned(), stored });
    }
}

/// The webroot of the nginx that serves the challenge path: out of its own configuration, through the container's mounts.
async fn found(certificate: &Certificate, context: &Context) -> Result<Option<(PathBuf, String)>, String> {
    let source = match &certificate.reload {
        Some(Reload::Container(reference)) => Source::Container(reference.clone()),
        Some(Reload::Systemd(unit)) if unit.contains("nginx") => Source::Host,
        Some(Reload::Systemd(_) | Reload::Command(_)) | None => Source::Host,
    };
    let nginx = match Nginx::observe(context, DUMP, &source).await {
        Ok(nginx) => nginx,
        Err(fault) if fault.reason == "no-nginx" => return Ok(None),
        Err(fault) => return Err(format!("no webroot was looked for: {}", fault.what)),
    };
    let config = nginx.config.as_ref().map_err(|error| format!("no webroot was found: {error}"))?;
    let token = "mainstay";
    let mut roots: Vec<String> = Vec::new();
    for name in &certificate.names {
        let question = Question {
            tls: false,
            address: None,
            port: nginx.inner_port(80),
            host: name.clone(),
            path: format!("{PATH}{token}"),
            front: None,
        };
        let answer =
            evaluate(config, &question).map_err(|doubt| format!("no webroot was found for {name}: {doubt}"))?;
        let file = answer
            .file
            .ok_or_else(|| format!("nginx serves no folder under {PATH} for {name} ({})", answer.server.at))?;
        let root = file.strip_suffix(&question.path).filter(|root| !root.is_empty());
        let root = root.ok_or_else(|| {
            format!("nginx serves {PATH} for {name} from `{file}`, which certbot's webroot cannot write to: its path must end in {PATH}")
        })?;
        roots.push(root.to_owned());
    }
    roots.dedup();
    let [root] = &roots[..] else {
        return Err(format!("the names have several webroots: {}", roots.join(", ")));
    };
    let place = nginx.title();
    match &nginx.place {
        Place::Container { container, .. } => {
            let host = on_host(&mounts(&container.raw), Path::new(root));
            let host = host.ok_or_else(|| {
                format!("the webroot `{root}` exists only in {place}: mount a folder of this machine there")
            })?;
            Ok(Some((host, format!("is `{root}` of {place}"))))
        }
        _ => Ok(Some((PathBuf::from(root), format!("nginx on {place} serves")))),
    }
}

/// Whether an address is one of this machine: only then can a socket have it.
fn is_own(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

/// Puts a token into the webroot and fetches it for each name: here, and at every address that the DNS publishes.
///
/// # Errors
///
/// The webroot cannot be written to.
pub(super) async fn proof(certificate: &Certificate, webroot: &Path, context: &Context) -> Result<Proof> {
    let mut token = Token::place(webroot)?;
    let here = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 80);
    let each = certificate.names.iter().map(|name| {
        let text = &token.text;
        async move {
            let published = resolve(name, 80, &[], Family::Any, FETCH).await.unwrap_or_default();
            let public = published.into_iter().map(|address| (address, Aim::Public));
            let all: Vec<(SocketAddr, Aim)> = std::iter::once((here, Aim::Local)).chain(public).collect();
            join_all(all.into_iter().map(|(address, aim)| async move {
                let outcome = probe(context, name, address, text, FETCH).await;
                Probe { name: name.clone(), address: address.ip(), aim, is_own: is_own(address.ip()), outcome }
            }))
            .await
        }
    });
    let probes = join_all(each).await.concat();
    let proof = prove(&certificate.name, &certificate.names, &probes);
    if proof.against.is_empty() {
        // certbot writes into a webroot only where it is there already.
        token.keep_folders();
    }
    Ok(proof)
}
