//! One look at a site's URL at each of its addresses, which most checks judge; and how their verdicts become findings.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use jiff::Timestamp;
use tokio::time::Instant;

use super::{Addresses, Scope, Site, tls_chain};
use crate::{
    report::{Finding, Status},
    rules::{
        certificate::{TlsObservation, Trouble},
        http::{Answer, HttpFailure},
    },
    system::{
        http::{Limits, Request, exchange, get_plain},
        resolve::Unresolved,
        tls::{Options, open},
    },
};

/// What one address of a site showed.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The address.
    pub address: SocketAddr,
    /// What the TLS server showed; also when the handshake broke off after its certificates. `None` for plain HTTP.
    pub tls: Option<TlsObservation>,
    /// Why there is no TLS connection; `None` when there is one, and for plain HTTP.
    pub trouble: Option<Trouble>,
    /// The answer to one GET over the same connection. Where there is no TLS, the failure says so in HTTP's words.
    pub answer: Result<Answer, HttpFailure>,
    /// How long all of it took.
    pub took: Duration,
}

impl Visit {
    /// The server's own clock, as its answer tells it.
    pub fn server_time(&self) -> Option<Timestamp> {
        self.answer.as_ref().ok().and_then(|answer| answer.date)
    }

    /// Whether the answer came from whom it should: over plain HTTP nobody knows.
    pub fn is_trusted(&self) -> bool {
        self.trouble.is_none() && self.tls.as_ref().is_some_and(TlsObservation::is_trusted)
    }
}

/// Looks at every address at once. With [`Addresses::First`] the first that answers is enough.
pub(super) async fn all(scope: &Scope<'_>, addresses: &[SocketAddr], within: Duration) -> Vec<Visit> {
    let mut looks: FuturesUnordered<_> = addresses.iter().map(|address| one(scope, *address, within)).collect();
    let mut visits = Vec::with_capacity(addresses.len());
    while let Some(visit) = looks.next().await {
        if scope.site.addresses == Addresses::First && visit.answer.is_ok() {
            return vec![visit];
        }
        visits.push(visit);
    }
    visits.sort_by_key(|visit| addresses.iter().position(|address| *address == visit.address));
    visits
}

async fn one(scope: &Scope<'_>, address: SocketAddr, within: Duration) -> Visit {
    let start = Instant::now();
    let site = scope.site;
    let request = Request::get(site.url.clone());
    if site.url.scheme() != "https" {
        let answer = get_plain(address, request, Limits::within(within)).await;
        return Visit { address, tls: None, trouble: None, answer: told(answer, site), took: start.elapsed() };
    }
    let options = Options { now: scope.context.clock.now(), within, http2: true, pins: &site.fingerprints };
    match open(address, site.url.host_str().unwrap_or_default(), &scope.trust(), options).await {
        Ok(connection) => {
            let left = within.saturating_sub(start.elapsed());
            let http2 = connection.is_http2();
            // Nothing private is in the request, so it may go to whomever answered: the verdict is judged beside it.
            let answer = exchange(connection.stream, http2, request, Limits::within(left)).await;
            let tls = Some(connection.observation);
            Visit { address, tls, trouble: None, answer: told(answer, site), took: start.elapsed() }
        }
        Err(failed) => {
            let trouble = failed.trouble.out_of(site.timeout);
            Visit {
                address,
                tls: failed.observation.map(|observation| *observation),
                answer: Err(HttpFailure::from(trouble.clone())),
                trouble: Some(trouble),
                took: start.elapsed(),
            }
        }
    }
}

/// A deadline that other work has used a little of is told as the one that was configured.
fn told(answer: Result<Answer, HttpFailure>, site: &Site) -> Result<Answer, HttpFailure> {
    let whole = site.timeout;
    match answer {
        Ok(answer) => Ok(Answer { broken: answer.broken.map(|broken| broken.out_of(whole)), ..answer }),
        Err(failure) => Err(failure.out_of(whole)),
    }
}

/// The finding of a check that had no address to look at: wrong for `tls.chain`, a consequence for the others.
pub(super) fn unresolved(id: &'static str, site: &Site, unresolved: &Unresolved) -> Finding {
    let host = site.url.host_str().unwrap_or_default();
    let status = if matches!(unresolved, Unresolved::Temporary(_)) { Status::Unknown } else { Status::Fail };
    let root = Finding::new("tls.chain", &site.name, status, unresolved.to_string())
        .expected(format!("an address for `{host}`"))
        .data("reason", unresolved.reason());
    let root = match unresolved {
        Unresolved::NoneOfFamily(_) => root.fix("leave out -4 or -6, or publish an address of that family"),
        Unresolved::NoSuchHost => root.fix("check the host in `url`, or publish an A or AAAA record"),
        Unresolved::Temporary(_) => root.fix("try again; check /etc/resolv.conf of this machine"),
    };
    if id == root.id || site.url.scheme() != "https" {
        return Finding { id, ..root };
    }
    Finding::unknown(id, &site.name, "no address to look at").because_of(&root)
}

/// One finding for each verdict: addresses with the same one share it, and where they differ the summary names them.
pub(super) fn fold(judged: Vec<(SocketAddr, Finding)>) -> Vec<Finding> {
    let mut groups: Vec<(Finding, Vec<IpAddr>)> = Vec::new();
    for (address, finding) in judged {
        match groups.iter_mut().find(|(known, _)| *known == finding) {
            Some((_, addresses)) => addresses.push(address.ip()),
            None => groups.push((finding, vec![address.ip()])),
        }
    }
    let differ = groups.len() > 1;
    groups
        .into_iter()
        .map(|(mut finding, addresses)| {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            if differ {
                finding.summary = format!("{}: {}", addresses.join(", "), finding.summary);
            }
            finding.data("addresses", addresses)
        })
        .collect()
}

/// Judges the certificate of each address; where none was seen, that is `tls.chain`'s finding and unknown here.
pub(super) async fn each_certificate<F>(scope: &Scope<'_>, id: &'static str, judge: F) -> Vec<Finding>
where
    F: Fn(&Visit, &TlsObservation) -> Option<Finding>,
{
    let site = scope.site;
    let visits = match scope.visits().await {
        Ok(visits) => visits,
        Err(none) => return vec![unresolved(id, site, none)],
    };
    let mut judged = Vec::with_capacity(visits.len());
    for visit in visits {
        let finding = match visit.tls.as_ref().and_then(|tls| judge(visit, tls)) {
            Some(finding) => finding,
            None => {
                let root = tls_chain::judge(scope, visit).await;
                Finding::unknown(id, &site.name, "no certificate could be looked at").because_of(&root)
            }
        };
        judged.push((visit.address, finding));
    }
    fold(judged)
}

/// Whether a `tls.*` check has anything to look at.
///
/// # Errors
///
/// Why it has not.
pub(super) fn needs_tls(site: &Site) -> Result<(), String> {
    if site.url.scheme() == "https" { Ok(()) } else { Err("the site's address is not https".to_owned()) }
}

/// `openssl s_client` for this site, as the runbook calls it, with the address that an override names.
pub(super) fn s_client(site: &Site, further: &str) -> String {
    let host = site.url.host_str().unwrap_or_default();
    let name = crate::rules::certificate::plain(host);
    let port = site.url.port_or_known_default().unwrap_or(443);
    let meant = |listed: &str| crate::rules::certificate::plain(listed) == name;
    let to = match site.resolve.iter().find(|entry| entry.host.as_deref().is_none_or(meant)) {
        Some(entry) => SocketAddr::new(entry.address, port).to_string(),
        None => format!("{host}:{port}"),
    };
    let name = if name.parse::<IpAddr>().is_ok() { String::new() } else { format!(" -servername {name}") };
    let roots = match &site.ca_file {
        Some(path) => format!(" -CAfile {}", shell_words::quote(&path.display().to_string())),
        None => String::new(),
    };
    format!("openssl s_client -connect {to}{name}{roots}{further} </dev/null")
}
