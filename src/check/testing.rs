//! A site, a world and one look at it, for the tests of checks.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, LazyLock},
    time::Duration,
};

use futures_util::future::join_all;
use rustls::pki_types::CertificateDer;
use url::Url;

use super::{Addresses, Family, HttpSide, REGISTRY, Resolve, Scope, Site, Threshold, TlsPolicy, TlsVersion};
use crate::{
    report::{Finding, Status, assert_one_voice},
    system::{
        Context,
        clock::Fixed,
        tls::testing::{Authority, now},
    },
};

/// A world at [`now`] whose trust store holds one root that nobody uses.
pub(super) fn context() -> Context {
    static ROOT: LazyLock<tempfile::NamedTempFile> = LazyLock::new(|| Authority::new("T Other Root").pem_file());
    let environment = BTreeMap::from([(OsString::from("SSL_CERT_FILE"), ROOT.path().as_os_str().to_owned())]);
    let mut context = Context::real(environment, PathBuf::from("/"));
    context.clock = Arc::new(Fixed(now()));
    context
}

/// A site named `prime` at `https://HOST:PORT/`, found at this address, that trusts these roots.
pub(super) fn site(host: &str, address: SocketAddr, roots: &[CertificateDer<'static>]) -> Site {
    let host = host.parse::<std::net::Ipv6Addr>().map_or_else(|_| host.to_owned(), |address| format!("[{address}]"));
    Site {
        name: "prime".to_owned(),
        url: Url::parse(&format!("https://{host}:{}/", address.port())).unwrap(),
        status: vec![200],
        contains: None,
        http: HttpSide::Unsaid("a test".to_owned()),
        addresses: Addresses::All,
        resolve: vec![Resolve { host: None, port: None, address: address.ip() }],
        family: Family::Any,
        extra_roots: roots.to_vec(),
        ca_file: (!roots.is_empty()).then(|| PathBuf::from("ca.pem")),
        fingerprints: Vec::new(),
        http_closed: Status::Fail,
        trusted_proxy: false,
        hsts: None,
        timeout: Duration::from_secs(5),
        tls: TlsPolicy { warn: Threshold::Share(0.25), fail: Threshold::Share(0.10), min_version: TlsVersion::Tls12 },
        nginx: None,
        gunicorn: None,
        oauth: None,
    }
}

/// What the checks of these ids find, by id.
pub(super) async fn look(site: &Site, ids: &[&str]) -> HashMap<&'static str, Vec<Finding>> {
    look_in(&context(), site, ids).await
}

/// The same in a world of one's own.
pub(super) async fn look_in(context: &Context, site: &Site, ids: &[&str]) -> HashMap<&'static str, Vec<Finding>> {
    let scope = Scope::new(site, context);
    let checks = REGISTRY.sites.iter().filter(|check| ids.contains(&check.id()));
    let found: HashMap<_, _> =
        join_all(checks.map(|check| async { (check.id(), check.run(&scope).await) })).await.into_iter().collect();
    found.values().flatten().for_each(assert_one_voice);
    found
}
