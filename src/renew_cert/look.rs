//! Looks at what is served: every target at every address, and this machine itself where the network may not lead back.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use futures_util::future::join_all;
use url::Url;

use super::Certificate;
use crate::{
    rules::{
        http::HttpFailure,
        renewal::{Aim, Look, Unseen},
        served::Leaf,
    },
    system::{
        Context,
        http::{Limits, Request, exchange},
        resolve::{Family, resolve},
        tls::{self, Options},
    },
};

/// How long one handshake or request may take.
const WITHIN: Duration = Duration::from_secs(10);

/// What each target serves at each of its addresses, and at 127.0.0.1.
pub(super) async fn look(certificate: &Certificate, context: &Context) -> Vec<Look> {
    let targets = certificate.targets();
    let looks = join_all(targets.iter().map(|(host, port)| target(host, *port, context))).await;
    looks.concat()
}

async fn target(host: &str, port: u16, context: &Context) -> Vec<Look> {
    let name = format!("{host}:{port}");
    let here = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let (published, unresolved) = match resolve(host, port, &[], Family::Any, WITHIN).await {
        Ok(addresses) => (addresses, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    let local = (!published.contains(&here)).then_some((here, Aim::Local));
    let all: Vec<(SocketAddr, Aim)> =
        published.into_iter().map(|address| (address, Aim::Public)).chain(local).collect();
    let mut looks = join_all(all.into_iter().map(|(address, aim)| one(&name, host, address, aim, context))).await;
    if let Some(why) = unresolved {
        let leaf = Err(Unseen { why: why.to_string(), is_ours: true });
        looks.push(Look { name, address: "the DNS".to_owned(), aim: Aim::Public, leaf });
    }
    looks
}

async fn one(name: &str, host: &str, address: SocketAddr, aim: Aim, context: &Context) -> Look {
    let trust = context.trust.with(&context.environment, &[], None);
    let options = Options { now: context.clock.now(), within: WITHIN, http2: false, pins: &[] };
    // A whole handshake each time, and no session is resumed: a resumed one shows no certificate.
    let (observation, trouble) = match tls::open(address, host, &trust, options).await {
        Ok(connection) => (Some(connection.observation), None),
        Err(failed) => (failed.observation.map(|observation| *observation), Some(failed.trouble)),
    };
    let leaf = match (observation.as_ref().and_then(|observation| observation.leaf()), trouble) {
        (Some(leaf), _) => Ok(Leaf { sha256: leaf.sha256, from: leaf.not_before, until: leaf.not_after }),
        (None, Some(trouble)) => {
            let why = trouble.to_string();
            Err(Unseen { is_ours: !HttpFailure::from(trouble).is_the_sites(), why })
        }
        (None, None) => Err(Unseen { why: "no certificate was sent".to_owned(), is_ours: false }),
    };
    Look { name: name.to_owned(), address: address.to_string(), aim, leaf }
}

/// The status that the site answers with over TLS, for a warning after a renewal; `None` where there is no answer.
pub(super) async fn status(certificate: &Certificate, context: &Context) -> Option<u16> {
    let (host, port) = certificate.targets().into_iter().next()?;
    let published = resolve(&host, port, &[], Family::Any, WITHIN).await.unwrap_or_default();
    let here = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let trust = context.trust.with(&context.environment, &[], None);
    for address in std::iter::once(here).chain(published) {
        let options = Options { now: context.clock.now(), within: WITHIN, http2: false, pins: &[] };
        let Ok(connection) = tls::open(address, &host, &trust, options).await else { continue };
        let url = Url::parse(&format!("https://{host}:{port}/")).ok()?;
        let answer = exchange(connection.stream, false, Request::get(url), Limits::header_within(WITHIN)).await;
        if let Ok(answer) = answer {
            return Some(answer.status);
        }
    }
    None
}
