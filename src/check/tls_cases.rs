//! The reference cases 1 to 20 of `check`: certificates, on real servers.

use std::{collections::HashMap, sync::Arc, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType};
use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::ResolvesServerCert,
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};

use super::testing::{context, look, look_in, site};
use crate::{
    check::{Site, Threshold},
    report::{Finding, Status},
    system::tls::testing::{Authority, Issued, Server, between, config, leaf},
};

const TLS: &[&str] = &["tls.chain", "tls.name", "tls.validity", "tls.key", "tls.hygiene"];

/// One server, what was found there, and what must be read in it.
struct Look {
    findings: HashMap<&'static str, Vec<Finding>>,
}

impl Look {
    async fn at(site: &Site) -> Self {
        Self { findings: look(site, TLS).await }
    }

    fn one(&self, id: &str) -> &Finding {
        match self.findings[id].as_slice() {
            [one] => one,
            several => panic!("{id}: {several:#?}"),
        }
    }

    /// Everything passes but these.
    #[track_caller]
    fn expect(&self, others: &[(&str, Status, &str)]) -> &Self {
        for id in TLS {
            let finding = self.one(id);
            let listed = others.iter().find(|(other, ..)| other == id);
            let (status, text) = listed.map_or((Status::Pass, ""), |(_, status, text)| (*status, *text));
            assert_eq!(finding.status, status, "{finding:#?}");
            assert!(finding.summary.contains(text), "{text:?} is not in {finding:#?}");
            assert!(finding.status.is_fine() || finding.fix.is_some(), "no fix: {finding:#?}");
        }
        self
    }

    #[track_caller]
    fn reason(&self, id: &str, reason: &str) -> &Self {
        assert_eq!(self.one(id).data["reason"], reason, "{:#?}", self.one(id));
        self
    }

    /// The notes of `tls.hygiene`.
    fn notes(&self) -> Vec<String> {
        let notes = self.one("tls.hygiene").data["notes"].as_array().unwrap();
        notes.iter().map(|note| note.as_str().unwrap().to_owned()).collect()
    }
}

/// A root, an intermediate, and the site behind them.
struct Bench {
    root: Authority,
    middle: Authority,
}

impl Bench {
    fn new() -> Self {
        let root = Authority::new("T Root");
        Self { middle: root.intermediate("T Int"), root }
    }

    /// Serves this certificate with the intermediate, and asks for `host`.
    async fn serve(&self, issued: Issued, host: &str) -> Look {
        self.serve_with(issued, &[self.middle.der()], host).await
    }

    /// Serves with this chain.
    async fn serve_with(&self, issued: Issued, chain: &[CertificateDer<'static>], host: &str) -> Look {
        let server = Server::tls(issued, chain).await;
        Look::at(&site(host, server.address, &[self.root.der()])).await
    }
}

const HOST: &str = "a.bench.test";

fn dated(dates: (&str, &str)) -> CertificateParams {
    let mut params = leaf(&[HOST]);
    between(&mut params, dates);
    params
}

#[tokio::test]
async fn case_01_a_whole_chain_passes() {
    let bench = Bench::new();
    let look = bench.serve(bench.middle.issue(&[HOST]), HOST).await;
    look.expect(&[]);
    assert!(look.notes().is_empty(), "{:?}", look.notes());
    let validity = &look.one("tls.validity").data;
    assert_eq!((&validity["days_left"], &validity["lifetime_days"]), (&60.into(), &90.into()));
    assert_eq!((&validity["warn_days"], &validity["fail_days"]), (&22.5.into(), &9.0.into()));
    assert_eq!(validity["not_after"], "2027-01-22T18:00:00Z");
    assert!(!validity.contains_key("leaf_not_after"));
    let chain = &look.one("tls.chain").data;
    assert_eq!(chain["chain"][1]["subject"], "CN=T Int");
    assert_eq!(chain["chain"].as_array().unwrap().len(), 2);
    assert!(chain["trust"].as_str().unwrap().ends_with("and 1 of ca.pem"), "{}", chain["trust"]);
    assert_eq!(chain["addresses"], serde_json::json!(["127.0.0.1"]));
    assert!(look.one("tls.chain").summary.contains("`T Root`"));
}

#[tokio::test]
async fn case_02_another_name_fails_and_lists_the_names() {
    let bench = Bench::new();
    let look = bench.serve(bench.middle.issue(&[HOST, "www.bench.test"]), "b.bench.test").await;
    look.expect(&[("tls.name", Status::Fail, "`a.bench.test`, `www.bench.test`")]).reason("tls.name", "name");
    assert_eq!(look.one("tls.name").data["names"], serde_json::json!([HOST, "www.bench.test"]));
}

#[tokio::test]
async fn case_03_a_missing_intermediate_is_named() {
    let bench = Bench::new();
    let look = bench.serve_with(bench.middle.issue(&[HOST]), &[], HOST).await;
    look.expect(&[("tls.chain", Status::Fail, "missing intermediate `T Int`")])
        .reason("tls.chain", "missing-intermediate");

    let mut params = leaf(&[HOST]);
    params.custom_extensions.push(access(2, "http://ca.bench.test/int.crt"));
    let look = bench.serve_with(bench.middle.issue_with(params), &[], HOST).await;
    assert_eq!(look.one("tls.chain").data["issuer_url"], "http://ca.bench.test/int.crt");
    assert!(look.one("tls.chain").fix.as_ref().unwrap().contains("http://ca.bench.test/int.crt"));
}

/// Authority information access with one entry: 1 is OCSP, 2 is caIssuers (RFC 5280, 4.2.2.1).
fn access(method: u8, url: &str) -> rcgen::CustomExtension {
    let location = [&[0x86, url.len() as u8][..], url.as_bytes()].concat();
    let method = [0x06, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, method];
    let description = [&[0x30, (method.len() + location.len()) as u8][..], &method, &location].concat();
    let content = [&[0x30, description.len() as u8][..], &description].concat();
    rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], content)
}

#[tokio::test]
async fn case_04_a_root_that_is_sent_is_a_note() {
    let bench = Bench::new();
    let chain = [bench.middle.der(), bench.root.der()];
    let look = bench.serve_with(bench.middle.issue(&[HOST]), &chain, HOST).await;
    look.expect(&[("tls.hygiene", Status::Pass, "the root `T Root` is sent")]);
    assert_eq!(look.notes().len(), 1);
}

#[tokio::test]
async fn case_05_a_wrong_order_is_a_note() {
    let bench = Bench::new();
    let chain = [bench.root.der(), bench.middle.der()];
    let look = bench.serve_with(bench.middle.issue(&[HOST]), &chain, HOST).await;
    look.expect(&[]);
    assert!(look.notes().iter().any(|note| note.contains("not in order")), "{:?}", look.notes());
}

#[tokio::test]
async fn case_06_a_duplicate_is_a_note() {
    let bench = Bench::new();
    let issued = bench.middle.issue(&[HOST]);
    let chain = [issued.der.clone(), bench.middle.der()];
    let look = bench.serve_with(issued, &chain, HOST).await;
    look.expect(&[("tls.hygiene", Status::Pass, "duplicate: `a.bench.test`")]);
    assert_eq!(look.notes().len(), 1);
}

#[tokio::test]
async fn case_07_an_expired_leaf_fails_with_its_chain_shown() {
    let bench = Bench::new();
    let issued = bench.middle.issue_with(dated(("2026-01-01", "2026-04-01")));
    let look = bench.serve(issued, HOST).await;
    look.expect(&[("tls.validity", Status::Fail, "expired 236 days ago")]).reason("tls.validity", "expired");
    assert_eq!(look.one("tls.validity").data["days_left"], -237);
    assert_eq!(look.one("tls.chain").data["chain"][0]["not_after"], "2026-04-01T00:00:00Z");
}

#[tokio::test]
async fn case_08_expired_and_for_another_host_are_two_findings() {
    let bench = Bench::new();
    let issued = bench.middle.issue_with(dated(("2026-01-01", "2026-04-01")));
    let look = bench.serve(issued, "b.bench.test").await;
    look.expect(&[
        ("tls.name", Status::Fail, "not for `b.bench.test`"),
        ("tls.validity", Status::Fail, "expired 236 days ago"),
    ]);
}

#[tokio::test]
async fn case_09_a_certificate_of_tomorrow_fails_unless_the_clocks_explain_it() {
    let bench = Bench::new();
    let issued = bench.middle.issue_with(dated(("2026-11-25", "2027-02-22")));
    let look = bench.serve(issued, HOST).await;
    look.expect(&[("tls.validity", Status::Fail, "not valid before 2026-11-25T00:00:00Z, in 1 day")])
        .reason("tls.validity", "not-yet-valid");

    let issued = bench.middle.issue_with(dated(("2026-11-23T18:30:00Z", "2027-02-22")));
    let server = answering(issued, &bench, "Mon, 23 Nov 2026 19:00:00 GMT").await;
    let look = Look::at(&site(HOST, server.address, &[bench.root.der()])).await;
    look.expect(&[("tls.validity", Status::Warn, "by a clock that is 1 hour behind the server's")])
        .reason("tls.validity", "clock");
    assert_eq!(look.one("tls.validity").data["clock_skew_seconds"], -3600);
    assert!(look.notes().iter().any(|note| note.contains("3600 s behind")), "{:?}", look.notes());

    let issued = bench.middle.issue_with(dated(("2026-11-23T20:30:00Z", "2027-02-22")));
    let server = answering(issued, &bench, "Mon, 23 Nov 2026 19:00:00 GMT").await;
    let look = Look::at(&site(HOST, server.address, &[bench.root.der()])).await;
    look.expect(&[("tls.validity", Status::Fail, "not valid before")]);
}

/// A server whose clock says this.
async fn answering(issued: Issued, bench: &Bench, date: &'static str) -> Server {
    let key = PrivateKeyDer::Pkcs8(issued.key.serialize_der().into());
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config(vec![issued.der, bench.middle.der()], key)));
    Server::accepting(move |tcp| {
        let acceptor = acceptor.clone();
        async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let Ok(mut stream) = acceptor.accept(tcp).await else { return };
            let _ = stream.read(&mut [0; 4096]).await;
            let answer = format!("HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    })
    .await
}

#[tokio::test]
async fn case_10_an_expired_intermediate_is_named() {
    let root = Authority::new("T Root");
    let middle = root.intermediate_between("T Int", ("2025-01-01", "2026-11-01"));
    let bench = Bench { root, middle };
    let look = bench.serve(bench.middle.issue(&[HOST]), HOST).await;
    look.expect(&[
        ("tls.chain", Status::Fail, "the intermediate `T Int` expired 22 days ago"),
        ("tls.validity", Status::Fail, "expired 22 days ago"),
    ]);
    look.reason("tls.chain", "expired");
    let validity = look.one("tls.validity");
    assert_eq!(validity.data["leaf_not_after"], "2027-01-22T18:00:00Z");
    assert!(validity.cause.as_ref().unwrap().contains("`T Int`"), "{validity:#?}");
}

#[tokio::test]
async fn case_10_an_intermediate_that_ends_first_counts() {
    let root = Authority::new("T Root");
    let middle = root.intermediate_between("T Int", ("2025-01-01", "2026-12-01"));
    let bench = Bench { root, middle };
    let look = bench.serve(bench.middle.issue(&[HOST]), HOST).await;
    look.expect(&[("tls.validity", Status::Fail, "expires in 7 days")]);
    assert_eq!(look.one("tls.validity").data["not_after"], "2026-12-01T00:00:00Z");
}

#[tokio::test]
async fn case_11_an_extra_expired_cross_sign_is_a_note() {
    let bench = Bench::new();
    let old = Authority::new("T Old Root");
    let cross = old.cross_sign(&bench.root, "T Root", ("2021-01-01", "2024-09-30"));
    let chain = [bench.middle.der(), cross];
    let look = bench.serve_with(bench.middle.issue(&[HOST]), &chain, HOST).await;
    look.expect(&[("tls.hygiene", Status::Pass, "`T Root` by `T Old Root` expired")]);
    assert_eq!(look.one("tls.validity").data["days_left"], 60);
    assert!(look.one("tls.chain").summary.contains("`T Root`"));
    assert_eq!(look.notes().len(), 1, "{:?}", look.notes());

    let cross = old.cross_sign(&bench.middle, "T Int", ("2021-01-01", "2024-09-30"));
    let chain = [cross, bench.middle.der()];
    let look = bench.serve_with(bench.middle.issue(&[HOST]), &chain, HOST).await;
    look.expect(&[("tls.hygiene", Status::Pass, "`T Int` by `T Old Root` expired")]);
}

#[tokio::test]
async fn case_12_a_common_name_is_no_name() {
    let bench = Bench::new();
    let mut params = leaf(&[HOST]);
    params.subject_alt_names.clear();
    let look = bench.serve(bench.middle.issue_with(params), HOST).await;
    look.expect(&[("tls.name", Status::Fail, "no subject alternative name")]);
    assert!(look.one("tls.name").cause.as_ref().unwrap().contains("`a.bench.test`"));
}

#[tokio::test]
async fn case_13_a_star_is_one_whole_label() {
    let bench = Bench::new();
    for (host, status) in [(HOST, Status::Pass), ("bench.test", Status::Fail), ("a.b.bench.test", Status::Fail)] {
        let look = bench.serve(bench.middle.issue(&["*.bench.test"]), host).await;
        look.expect(&[("tls.name", status, "")]);
    }
}

#[tokio::test]
async fn case_14_a_star_within_a_label_is_none() {
    let bench = Bench::new();
    let look = bench.serve(bench.middle.issue(&["f*.bench.test"]), "foo.bench.test").await;
    look.expect(&[("tls.name", Status::Fail, "f*.bench.test")]);
}

#[tokio::test]
async fn case_15_an_address_needs_an_address_name() {
    let bench = Bench::new();
    let look = bench.serve(bench.middle.issue(&["127.0.0.1"]), "127.0.0.1").await;
    look.expect(&[]);
    let mut params = leaf(&[HOST]);
    params.subject_alt_names = vec![SanType::DnsName("127.0.0.1".try_into().unwrap())];
    let look = bench.serve(bench.middle.issue_with(params), "127.0.0.1").await;
    look.expect(&[("tls.name", Status::Fail, "not for `127.0.0.1`")]);
}

/// A certificate that signed itself.
fn self_signed(authority: IsCa) -> Issued {
    let mut params = leaf(&[HOST]);
    params.is_ca = authority;
    let key = KeyPair::generate().unwrap();
    let der = params.self_signed(&key).unwrap().der().clone();
    Issued { der, key }
}

#[tokio::test]
async fn case_16_self_signed_is_told_apart() {
    let bench = Bench::new();
    for authority in [IsCa::ExplicitNoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let look = bench.serve_with(self_signed(authority), &[], HOST).await;
        look.expect(&[("tls.chain", Status::Fail, "self-signed")]).reason("tls.chain", "self-signed");
    }
}

#[tokio::test]
async fn case_17_an_authority_as_a_server_is_refused_and_can_be_listed() {
    let authority = self_signed(IsCa::Ca(BasicConstraints::Unconstrained));
    let (der, sha256) = (authority.der.clone(), Sha256::digest(&authority.der).into());
    let server = Server::tls(authority, &[]).await;
    let mut site = site(HOST, server.address, &[der]);
    let look = Look::at(&site).await;
    look.expect(&[("tls.chain", Status::Fail, "(CA:TRUE), used as a server's")]).reason("tls.chain", "ca-as-leaf");
    site.fingerprints = vec![sha256];
    Look::at(&site).await.expect(&[("tls.chain", Status::Pass, "`fingerprints` lists")]);

    let leaf = self_signed(IsCa::ExplicitNoCa);
    let der = leaf.der.clone();
    let server = Server::tls(leaf, &[]).await;
    Look::at(&super::testing::site(HOST, server.address, &[der])).await.expect(&[]);
}

#[tokio::test]
async fn case_18_a_private_authority_is_told_apart() {
    let bench = Bench::new();
    let chain = [bench.middle.der(), bench.root.der()];
    let server = Server::tls(bench.middle.issue(&[HOST]), &chain).await;
    let look = Look::at(&site(HOST, server.address, &[])).await;
    look.expect(&[("tls.chain", Status::Fail, "lead to `T Root`, which is not a trusted root")])
        .reason("tls.chain", "private-ca");
    assert!(look.one("tls.chain").fix.as_ref().unwrap().contains("--ca-file"));
}

#[tokio::test]
async fn case_19_a_client_certificate_is_for_another_purpose() {
    let bench = Bench::new();
    let mut params = leaf(&[HOST]);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let look = bench.serve(bench.middle.issue_with(params), HOST).await;
    look.expect(&[("tls.chain", Status::Fail, "not for TLS servers")]).reason("tls.chain", "purpose");
}

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls");

fn fixture(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(format!("{FIXTURES}/{name}.pem")).unwrap()
}

#[tokio::test]
async fn case_20_a_sha_1_signature_is_weak() {
    let key = PrivateKeyDer::from_pem_file(format!("{FIXTURES}/sha1.key")).unwrap();
    let server = Server::with_config(config(vec![fixture("sha1")], key)).await;
    let look = Look::at(&site(HOST, server.address, &[fixture("root")])).await;
    look.expect(&[
        ("tls.key", Status::Fail, "weak signature: `a.bench.test` is signed with RSA with SHA-1"),
        ("tls.chain", Status::Fail, "RSA with SHA-1"),
    ]);
    look.reason("tls.key", "weak-signature").reason("tls.chain", "weak-signature");
}

#[tokio::test]
async fn case_20_a_key_of_1024_bits_is_weak_and_nothing_else() {
    let arguments = ["-cert", "rsa1024.pem", "-key", "rsa1024.key", "-cipher", "ALL:@SECLEVEL=0", "-www"];
    for version in ["-tls1_2", "-tls1_3"] {
        let server = super::tls_connections::s_server(&[&arguments[..], &[version]].concat()).await;
        let look = Look::at(&site(HOST, server.address, &[fixture("root")])).await;
        look.expect(&[("tls.key", Status::Fail, "weak key: `a.bench.test` has RSA 1024")]);
    }
}

#[tokio::test]
async fn thresholds_follow_the_lifetime_or_are_fixed() {
    use Status::{Fail, Pass, Warn};
    let bench = Bench::new();
    let share = (Threshold::Share(0.25), Threshold::Share(0.10));
    let fixed = (Threshold::Time(Duration::from_secs(21 * 86_400)), Threshold::Time(Duration::from_secs(7 * 86_400)));
    // 45 days of lifetime: 11.25 and 4.5; six days: 36 hours and 14.4.
    let table = [
        ("2026-10-21T18:00:00Z", "2026-12-05T18:00:00Z", share, Pass),
        ("2026-10-20T18:00:00Z", "2026-12-04T18:00:00Z", share, Warn),
        ("2026-10-13T18:00:00Z", "2026-11-27T18:00:00Z", share, Fail),
        ("2026-11-19T18:00:00Z", "2026-11-25T18:00:00Z", share, Pass),
        ("2026-11-18T18:00:00Z", "2026-11-24T18:00:00Z", share, Warn),
        ("2026-11-17T18:00:00Z", "2026-11-23T20:00:00Z", share, Fail),
        ("2026-10-21T18:00:00Z", "2026-12-05T18:00:00Z", fixed, Warn),
        ("2026-10-21T18:00:00Z", "2026-11-30T17:59:59Z", fixed, Fail),
        ("2026-10-21T18:00:00Z", "2026-11-30T18:00:00Z", fixed, Warn),
    ];
    for (from, to, (warn, fail), status) in table {
        let server = Server::tls(bench.middle.issue_with(dated((from, to))), &[bench.middle.der()]).await;
        let mut site = site(HOST, server.address, &[bench.root.der()]);
        (site.tls.warn, site.tls.fail) = (warn, fail);
        Look::at(&site).await.expect(&[("tls.validity", status, "")]);
    }
}

#[tokio::test]
async fn a_demanded_staple_must_be_sent() {
    let bench = Bench::new();
    let mut params = leaf(&[HOST]);
    let feature = rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 24], vec![0x30, 3, 2, 1, 5]);
    params.custom_extensions.push(feature);
    let issued = bench.middle.issue_with(params);
    let chain = vec![issued.der.clone(), bench.middle.der()];
    for (staple, status) in [(None, Status::Fail), (Some(vec![0x30, 0]), Status::Pass)] {
        let server = showing(chain.clone(), &issued.key, staple).await;
        let look = Look::at(&site(HOST, server.address, &[bench.root.der()])).await;
        look.expect(&[("tls.hygiene", status, "")]);
        if status == Status::Fail {
            look.reason("tls.hygiene", "must-staple");
        }
    }
}

#[tokio::test]
async fn a_missing_staple_is_a_note_only_where_there_is_a_responder() {
    let bench = Bench::new();
    let mut params = leaf(&[HOST]);
    params.custom_extensions.push(access(1, "http://ocsp.bench.test"));
    let look = bench.serve(bench.middle.issue_with(params), HOST).await;
    look.expect(&[("tls.hygiene", Status::Pass, "no OCSP answer is stapled")]);
}

#[tokio::test]
async fn certificates_are_judged_although_the_handshake_breaks_off_after_them() {
    let bench = Bench::new();
    let issued = bench.middle.issue(&["b.bench.test"]);
    let key = PrivateKeyDer::Pkcs8(issued.key.serialize_der().into());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(bench.root.der()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let clients =
        rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![issued.der, bench.middle.der()], key)
        .unwrap();
    let server = Server::with_config(config).await;
    let look = Look::at(&site(HOST, server.address, &[bench.root.der()])).await;
    look.expect(&[
        ("tls.chain", Status::Fail, "refused the TLS handshake"),
        ("tls.name", Status::Fail, "`b.bench.test`"),
    ])
    .reason("tls.chain", "alert");
    assert_eq!(look.one("tls.chain").data["chain"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_signature_by_another_key_of_the_same_name_is_wrong() {
    let bench = Bench::new();
    let impostor = bench.root.intermediate("T Int");
    let look = bench.serve_with(bench.middle.issue(&[HOST]), &[impostor.der()], HOST).await;
    look.expect(&[("tls.chain", Status::Fail, "not by the key")]).reason("tls.chain", "bad-signature");
}

#[tokio::test]
async fn a_store_that_is_not_there_is_told_where_the_chain_fails() {
    let bench = Bench::new();
    let server = Server::tls(bench.middle.issue(&[HOST]), &[bench.middle.der(), bench.root.der()]).await;
    let mut world = context();
    let missing = std::collections::BTreeMap::from([("SSL_CERT_FILE".into(), "/does/not/exist".into())]);
    world.environment = Arc::new(missing);
    let found = look_in(&world, &site(HOST, server.address, &[]), TLS).await;
    let chain = &found["tls.chain"][0];
    assert_eq!(chain.status, Status::Fail);
    assert!(chain.cause.as_ref().unwrap().contains("/does/not/exist"), "{chain:#?}");
}

/// A server that shows `chain` and signs with `key`, whether or not they belong together.
async fn showing(chain: Vec<CertificateDer<'static>>, key: &KeyPair, staple: Option<Vec<u8>>) -> Server {
    #[derive(Debug)]
    struct Shown(Arc<CertifiedKey>);
    impl ResolvesServerCert for Shown {
        fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
            Some(self.0.clone())
        }
    }
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let signing = aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let mut shown = CertifiedKey::new(chain, signing);
    shown.ocsp = staple;
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Shown(Arc::new(shown))));
    Server::with_config(config).await
}

#[tokio::test]
async fn a_certificate_that_cannot_be_read_fails_and_hides_nothing_else() {
    let server = showing(vec![CertificateDer::from(vec![0x30, 3, 2, 1, 1])], &KeyPair::generate().unwrap(), None).await;
    let found = look(&site(HOST, server.address, &[]), TLS).await;
    let chain = &found["tls.chain"][0];
    assert_eq!((chain.status, &chain.data["reason"]), (Status::Fail, &"unreadable".into()), "{chain:#?}");
    for id in &TLS[1..] {
        let finding = &found[id][0];
        assert_eq!((finding.status, &finding.data["because_of"]), (Status::Unknown, &"tls.chain".into()));
    }
}

#[tokio::test]
async fn a_certificate_of_somebody_else_is_no_proof() {
    let bench = Bench::new();
    let stolen = bench.middle.issue(&[HOST]).der;
    let sha256: [u8; 32] = Sha256::digest(&stolen).into();
    let server = showing(vec![stolen, bench.middle.der()], &KeyPair::generate().unwrap(), None).await;
    let mut site = site(HOST, server.address, &[bench.root.der()]);
    for fingerprints in [vec![], vec![sha256]] {
        site.fingerprints = fingerprints;
        let look = Look::at(&site).await;
        look.expect(&[("tls.chain", Status::Fail, "did not prove")]).reason("tls.chain", "key-not-proven");
        let context = context();
        let scope = crate::check::Scope::new(&site, &context);
        assert!(!scope.visits().await.as_ref().unwrap()[0].is_trusted());
    }
}
