//! Runs of several sites against real servers on loopback that are late, wrong or silent.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::future::BoxFuture;
use tokio::{io::AsyncWriteExt, net::TcpListener};
use url::Url;

use super::*;
use crate::{
    check::{
        Scope, Site,
        testing::{context, site},
    },
    report::Progress,
    system::tls::testing::{Authority, Server},
};

const ID: &str = "http.status";

/// A plain site named `name`, found at this port of loopback.
fn plain(name: &str, port: u16) -> Site {
    let address = ([127, 0, 0, 1], port).into();
    let url = Url::parse(&format!("http://site.test:{port}/")).unwrap();
    Site { name: name.to_owned(), url, ..site("site.test", address, &[]) }
}

fn settings(sites: Vec<Site>, only: &[&str]) -> Settings {
    let only = only.iter().map(|id| (*id).to_owned()).collect();
    Settings {
        sites,
        backups: Vec::new(),
        certificates: Vec::new(),
        schedules: Vec::new(),
        hosts: Vec::new(),
        domains: Vec::new(),
        only,
        skip: Vec::new(),
        wait: None,
        strict: false,
        concurrency: 64,
    }
}

/// A server that answers its first requests with the first of these, then the second, and so on; the last for good.
async fn answering(answers: &'static [&'static str]) -> Server {
    let asked = Arc::new(AtomicUsize::new(0));
    Server::accepting(move |mut tcp| {
        let turn = asked.fetch_add(1, Ordering::Relaxed);
        async move {
            let _ = tokio::io::AsyncReadExt::read(&mut tcp, &mut [0; 1024]).await;
            let _ = tcp.write_all(answers[turn.min(answers.len() - 1)].as_bytes()).await;
        }
    })
    .await
}

/// A server that accepts and says nothing.
async fn silent() -> Server {
    Server::accepting(|tcp| async move {
        std::future::pending::<()>().await;
        drop(tcp);
    })
    .await
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const BAD_GATEWAY: &str = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
const MISSING: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

/// What the operator is told while the run goes on.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Progress for Told {
    fn begin(&self, _label: &str, _total: Option<u64>) {}
    fn advance(&self, _units: u64) {}
    fn end(&self) {}
    fn say(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

fn ids(settings: &Settings) -> Vec<&'static str> {
    selection(REGISTRY.sites, settings).iter().map(|check| check.id()).collect()
}

#[test]
fn only_and_skip_take_ids_and_first_words() {
    let all = settings(Vec::new(), &[]);
    assert_eq!(ids(&all).len(), REGISTRY.sites.len());
    let mut some = settings(Vec::new(), &["http.status", "tls"]);
    some.skip = vec!["tls.served".into(), "http".into()];
    // In the registry's order, whatever the command line's was; `--skip` has the last word.
    assert_eq!(ids(&some), ["tls.chain", "tls.name", "tls.validity", "tls.key", "tls.protocols", "tls.hygiene"]);
    assert_eq!(ids(&settings(Vec::new(), &["tl", "http.s"])), [""; 0], "no part of a word is enough");
}

#[tokio::test]
async fn findings_come_in_the_order_of_the_sites_and_of_the_registry() {
    let (slow, quick) = (silent().await, answering(&[OK]).await);
    let mut first = plain("first", slow.address.port());
    first.timeout = Duration::from_millis(300);
    let sites = vec![first, plain("second", quick.address.port())];
    let found = run(&settings(sites, &["http.host", ID]), &context()).await;
    let order: Vec<_> = found.iter().map(|finding| (finding.subject.as_str(), finding.id)).collect();
    assert_eq!(order, [("first", ID), ("first", "http.host"), ("second", ID), ("second", "http.host")]);
}

#[tokio::test]
async fn a_dead_site_costs_its_own_deadline_and_delays_no_other() {
    let (dead, living) = (silent().await, answering(&[OK]).await);
    let mut sites: Vec<Site> = (0..40).map(|n| plain(&format!("s{n}"), living.address.port())).collect();
    sites[0] = plain("dead", dead.address.port());
    sites[0].timeout = Duration::from_millis(800);
    let start = Instant::now();
    // Two places only: the dead site holds one of them all the time.
    let found = run(&Settings { concurrency: 2, ..settings(sites, &["http"]) }, &context()).await;
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(750) && took < Duration::from_millis(1600), "{took:?}");
    let failed: Vec<_> = found.iter().filter(|f| f.status == Status::Fail).map(|f| f.subject.as_str()).collect();
    assert_eq!(failed, ["dead"]);
    assert!(found.iter().filter(|f| f.subject != "dead").all(|f| f.took < Duration::from_millis(700)));
}

#[tokio::test]
async fn a_server_that_drips_costs_one_deadline_and_not_one_for_each_check() {
    let drip = Server::accepting(|mut tcp| async move {
        let _ = tokio::io::AsyncReadExt::read(&mut tcp, &mut [0; 1024]).await;
        let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await;
        while tcp.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let mut site = plain("drip", drip.address.port());
    site.timeout = Duration::from_millis(800);
    let start = Instant::now();
    let found = run(&settings(vec![site], &["http"]), &context()).await;
    assert!(start.elapsed() < Duration::from_millis(1500), "{:?}", start.elapsed());
    let status = found.iter().find(|finding| finding.id == ID).unwrap();
    assert!(status.summary.contains("not complete within 0.8 s"), "{status:#?}");
}

#[tokio::test]
async fn waiting_ends_when_refused_and_bad_gateway_have_become_an_answer() {
    let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let late = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let listener = TcpListener::bind(address).await.unwrap();
        for turn in 0.. {
            let Ok((mut tcp, _)) = listener.accept().await else { return };
            let _ = tokio::io::AsyncReadExt::read(&mut tcp, &mut [0; 1024]).await;
            let _ = tcp.write_all(if turn == 0 { BAD_GATEWAY } else { OK }.as_bytes()).await;
        }
    });
    let told = Arc::new(Told::default());
    let mut world = context();
    world.progress = told.clone();
    let wait = Some(Duration::from_secs(20));
    let start = Instant::now();
    let found = run(&Settings { wait, ..settings(vec![plain("late", address.port())], &[ID]) }, &world).await;
    late.abort();
    assert_eq!(found[0].status, Status::Pass, "{found:#?}");
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    let told = told.0.lock().unwrap();
    assert_eq!(told.len(), 2, "one line a trouble, however often it is seen: {told:?}");
    assert!(told[0].contains("late: ") && told[0].contains("refused"), "{told:?}");
    assert!(told[1].contains("answers 502"), "{told:?}");
}

#[tokio::test]
async fn waiting_ends_when_the_right_certificate_is_served() {
    let root = Authority::new("T Root");
    let (wrong, right) = (root.issue(&["other.test"]), root.issue(&["site.test"]));
    let wrong = Server::tls(wrong, &[]).await;
    let address = wrong.address;
    let swap = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(400)).await;
        drop(wrong);
        // A proxy in place of the old server, which the new one stands behind.
        let new = Server::tls(right, &[]).await;
        for _ in 0..50 {
            match TcpListener::bind(address).await {
                Ok(listener) => loop {
                    let Ok((mut tcp, _)) = listener.accept().await else { return };
                    let Ok(mut to) = tokio::net::TcpStream::connect(new.address).await else { return };
                    tokio::spawn(async move { tokio::io::copy_bidirectional(&mut tcp, &mut to).await });
                },
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    });
    let wait = Some(Duration::from_secs(20));
    let sites = vec![site("site.test", address, &[root.der()])];
    let found = run(&Settings { wait, ..settings(sites, &["tls.name"]) }, &context()).await;
    swap.abort();
    assert_eq!(found[0].status, Status::Pass, "{found:#?}");
}

#[tokio::test]
async fn nobody_waits_for_what_no_deploy_mends() {
    let server = answering(&[MISSING]).await;
    let mut nowhere = plain("nowhere", server.address.port());
    nowhere.family = crate::check::Family::V6;
    let wait = Some(Duration::from_secs(30));
    let start = Instant::now();
    let sites = vec![plain("missing", server.address.port()), nowhere];
    let found = run(&Settings { wait, ..settings(sites, &[ID]) }, &context()).await;
    assert_eq!(found.iter().map(|f| f.status).collect::<Vec<_>>(), [Status::Fail; 2], "{found:#?}");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn waiting_ends_with_its_time_and_keeps_the_last_look() {
    let server = answering(&[BAD_GATEWAY]).await;
    let wait = Some(Duration::from_millis(1300));
    let start = Instant::now();
    let found =
        run(&Settings { wait, ..settings(vec![plain("down", server.address.port())], &[ID]) }, &context()).await;
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(1300) && took < Duration::from_secs(4), "{took:?}");
    assert_eq!(found[0].data["reason"], "status-5xx");
}

#[test]
fn what_a_deploy_mends_is_told_from_what_it_does_not() {
    let finding = |reason: &str| Finding::fail("tls.chain", "s", "x").data("reason", reason);
    let mended = ["no-connection", "timeout", "not-tls", "not-http", "alert", "protocol", "status-5xx", "name"];
    let certificates = ["self-signed", "private-ca", "missing-intermediate", "expired", "key-not-proven"];
    for reason in mended.iter().chain(&certificates) {
        assert!(is_mendable(&finding(reason)), "{reason}");
        assert!(!is_mendable(&Finding::warn("tls.chain", "s", "x").data("reason", *reason)), "a warning is no reason");
    }
    // `refused` is nginx that refuses its own configuration.
    for reason in ["refused", "old-tls", "weak-key", "no-such-host", "no-route", "no-room", "syntax", "status"] {
        assert!(!is_mendable(&finding(reason)), "{reason}");
    }
}

/// A check that never ends.
struct Stuck;

impl Check for Stuck {
    fn id(&self) -> &'static str {
        "tls.chain"
    }
    fn title(&self) -> &'static str {
        "never ends"
    }
    fn needs(&self) -> &'static str {
        "patience"
    }
    fn applies(&self, _site: &Site) -> Result<(), String> {
        Ok(())
    }
    fn run<'a>(&'a self, _scope: &'a Scope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(std::future::pending())
    }
    fn by_hand(&self, _site: &Site) -> String {
        "true".to_owned()
    }
}

#[tokio::test]
async fn a_check_that_hangs_becomes_unknown() {
    let (mut site, world) = (plain("s", 1), context());
    site.timeout = Duration::from_millis(300);
    let start = Instant::now();
    let found = judge(&Stuck, &site, &Scope::new(&site, &world), Duration::from_millis(700)).await;
    assert_eq!((found[0].status, &found[0].data["reason"]), (Status::Unknown, &"timeout".into()));
    assert_eq!(found[0].summary, "did not finish within 1 s");
    assert_eq!(found[0].by_hand.as_deref(), Some("true"));
    assert!(start.elapsed() >= Duration::from_secs(1));
}
