//! Whole runs over lineages on a disk and a TLS server that loads its certificate when it is told to. certbot alone is
//! played by a script here, since it needs an authority; the test bed has the real one.

mod authority;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::BoxFuture;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{
    report::{State as Came, Status, assert_one_voice},
    rules::renewal::{Failures, Item},
    system::{
        certbot::testing,
        clock::Fixed,
        process::{Command, Failure, Output, Runner},
        state::State,
        tls::testing::{Authority, Server, config},
    },
};

/// A certificate `a.test` of this folder of certbot, renewed by a plugin of certbot's own.
pub(super) fn certificate(directory: &Path) -> Certificate {
    Certificate {
        name: "prime".into(),
        names: vec!["a.test".into()],
        method: Method::Auto,
        webroot: None,
        certbot: vec!["certbot".into()],
        directory: directory.to_owned(),
        stop: None,
        reload: Some(Reload::Command(vec!["load".into()])),
        verify: vec![],
        email: None,
        agree_tos: false,
        key_type: "ecdsa".into(),
        server: None,
        deadline: Duration::from_secs(60),
    }
}

/// What certbot does when it is told to renew.
type Play = Box<dyn Fn(&Path) -> Result<Output, Failure> + Send + Sync>;

/// A world with one certificate, its server and its certbot.
struct Bench {
    place: tempfile::TempDir,
    certificate: Certificate,
    authority: Authority,
    stage: Arc<Stage>,
    context: Context,
    _server: Server,
}

/// What the played programs share.
struct Stage {
    le: PathBuf,
    play: Mutex<Play>,
    loaded: Arc<Mutex<Arc<ServerConfig>>>,
    load_fails: Mutex<Option<String>>,
    /// How long the old workers still answer after a reload; in the middle third the new ones do.
    load_takes: Mutex<Duration>,
    /// What the site answers.
    status: Mutex<&'static str>,
    asked: Mutex<Vec<String>>,
}

const DATES: (&str, &str) = ("2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z");
const NEWER: (&str, &str) = ("2026-03-10T00:00:00Z", "2026-06-08T00:00:00Z");
const EARLY: &str = "2026-01-10T00:00:00Z";
const DUE_DAY: &str = "2026-03-10T06:00:00Z";

impl Runner for Stage {
    fn run(&self, command: Command) -> BoxFuture<'_, Result<Output, Failure>> {
        let line = command.to_string();
        self.asked.lock().unwrap().push(line.clone());
        let said = |code: i32, out: &str, err: &str| {
            Ok(Output { code: Some(code), stdout: out.into(), stderr: err.into(), ..Output::default() })
        };
        let answer = if line.contains("--version") {
            said(0, "certbot 2.1.0\n", "")
        } else if line.contains("renew --cert-name") {
            (self.play.lock().unwrap())(&self.le)
        } else if line == "load" {
            match &*self.load_fails.lock().unwrap() {
                Some(why) => said(1, "", why),
                None => {
                    let (slot, fresh) = (Arc::clone(&self.loaded), Arc::new(loaded(&self.le)));
                    let takes = *self.load_takes.lock().unwrap();
                    tokio::spawn(async move {
                        let old = slot.lock().unwrap().clone();
                        for next in [&fresh, &old, &fresh] {
                            tokio::time::sleep(takes / 3).await;
                            *slot.lock().unwrap() = Arc::clone(next);
                        }
                    });
                    said(0, "", "")
                }
            }
        } else {
            Err(Failure::Missing(line))
        };
        Box::pin(std::future::ready(answer))
    }
}

/// What a server that reads `live/` shows.
fn loaded(le: &Path) -> ServerConfig {
    let file = |stem: &str| std::fs::read(le.join("live/a.test").join(format!("{stem}.pem"))).unwrap();
    let chain = CertificateDer::pem_slice_iter(&file("fullchain")).map(Result::unwrap).collect();
    config(chain, PrivateKeyDer::from_pem_slice(&file("privkey")).unwrap())
}

impl Bench {
    async fn new(now: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        let le = place.path().join("le");
        let authority = testing::issue(&le, "a.test", 1, &["a.test", "127.0.0.1"], DATES);
        write(&le.join("renewal/a.test.conf"), &testing::conf(&le, "a.test").replace("standalone", "dns-played"));
        let stage = Arc::new(Stage {
            play: Mutex::new(Box::new(|_| Err(Failure::Missing("not played".into())))),
            loaded: Arc::new(Mutex::new(Arc::new(loaded(&le)))),
            load_fails: Mutex::default(),
            load_takes: Mutex::default(),
            status: Mutex::new("200 OK"),
            asked: Mutex::default(),
            le: le.clone(),
        });
        let shown = Arc::clone(&stage);
        let server = Server::accepting(move |tcp| {
            let acceptor = TlsAcceptor::from(Arc::clone(&shown.loaded.lock().unwrap()));
            let answer = format!("HTTP/1.1 {}\r\nContent-Length: 0\r\n\r\n", shown.status.lock().unwrap());
            async move {
                let Ok(mut stream) = acceptor.accept(tcp).await else { return };
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        })
        .await;
        let mut certificate = certificate(&le);
        certificate.verify = vec![("127.0.0.1".into(), server.address.port())];
        let mut context = Context::real(BTreeMap::new(), place.path().to_owned());
        context.clock = Arc::new(Fixed(now.parse().unwrap()));
        context.runner = stage.clone();
        Self { place, certificate, authority, stage, context, _server: server }
    }

    fn at(&mut self, now: &str) {
        self.context.clock = Arc::new(Fixed(now.parse().unwrap()));
    }

    fn settings(&self) -> Settings {
        Settings {
            certificates: vec![self.certificate.clone()],
            state: State::find(&self.context, Some(&self.place.path().join("state"))).unwrap(),
            own: "/proc/self/exe".into(),
            lock_wait: Duration::ZERO,
            command: "renew-cert".into(),
        }
    }

    /// certbot writes version 2 and links to it, like the real one, and says this.
    fn renews(&self, text: &'static str, code: i32) {
        let authority = Authority::new("T Root 2");
        *self.stage.play.lock().unwrap() = Box::new(move |le| {
            testing::add(&authority, le, "a.test", 2, &["a.test", "127.0.0.1"], NEWER);
            crate::system::certbot::relink(le, "a.test", 2).unwrap();
            Ok(Output { code: Some(code), stdout: text.into(), ..Output::default() })
        });
    }

    /// certbot changes nothing and says this.
    fn says(&self, text: &'static str, code: i32) {
        *self.stage.play.lock().unwrap() =
            Box::new(move |_| Ok(Output { code: Some(code), stdout: text.into(), ..Output::default() }));
    }

    async fn run(&self, request: Request) -> Report {
        let mut report = Report::new("renew-cert", "host", self.context.clock.now());
        renew(&self.settings(), request, &mut report, &self.context).await.unwrap();
        report.findings.iter().for_each(assert_one_voice);
        report
    }

    async fn mend(&self, which: Mend) -> Report {
        let mut report = Report::new("renew-cert", "host", self.context.clock.now());
        mend(&self.settings(), &self.certificate, which, false, &mut report, &self.context).await.unwrap();
        report.findings.iter().for_each(assert_one_voice);
        report
    }

    fn asked(&self, part: &str) -> usize {
        self.stage.asked.lock().unwrap().iter().filter(|line| line.contains(part)).count()
    }

    fn record(&self) -> Record {
        Record::load(&self.settings().state, "prime").unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "a test writes files of a place of its own")]
fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

/// The finding of this id whose `data.reason` is this.
fn found<'a>(report: &'a Report, id: &str, reason: &str) -> &'a Finding {
    let found = report
        .findings
        .iter()
        .find(|finding| finding.id == id && finding.data.get("reason").is_some_and(|word| word == reason));
    found.unwrap_or_else(|| panic!("no {id} {reason}: {:#?}", report.findings))
}

fn done(report: &Report, action: &str) -> Option<Came> {
    report.outcomes.iter().find(|outcome| outcome.action == action).map(|outcome| outcome.state)
}

#[tokio::test]
async fn renew_case_01_nothing_due_and_served_is_one_pass_without_certbot() {
    let bench = Bench::new(EARLY).await;
    let report = bench.run(Request::default()).await;
    assert_eq!((report.exit(), report.findings.len(), report.plan.is_none()), (0, 2, true), "{:#?}", report.findings);
    assert_eq!(found(&report, "certificate.due", "early").status, Status::Pass);
    assert_eq!(found(&report, "tls.served", "same").status, Status::Pass);
    assert!(bench.stage.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn renew_case_02_and_03_an_older_served_certificate_is_repaired_by_a_reload_although_nothing_is_due() {
    let bench = Bench::new("2026-03-11T00:00:00Z").await;
    // What certbot does in silence: a newer version that was not linked to is.
    testing::add(&bench.authority, &bench.stage.le, "a.test", 2, &["a.test", "127.0.0.1"], NEWER);
    crate::system::certbot::relink(&bench.stage.le, "a.test", 2).unwrap();
    let report = bench.run(Request::default()).await;
    assert_eq!((report.exit(), bench.asked("certbot"), bench.asked("load")), (0, 0, 1), "{:#?}", report.findings);
    assert!(found(&report, "certificate.due", "repair").summary.starts_with("repaired"));
    assert_eq!(found(&report, "tls.served", "same").status, Status::Pass);
}

#[tokio::test]
async fn a_renewal_is_loaded_compared_and_remembered() {
    let bench = Bench::new(DUE_DAY).await;
    bench.renews("Congratulations, all renewals succeeded", 0);
    let report = bench.run(Request::default()).await;
    assert_eq!(report.exit(), 0, "{:#?}", report.findings);
    assert_eq!(
        (done(&report, "renew"), done(&report, "reload"), done(&report, "verify")),
        (Some(Came::Done), Some(Came::Done), Some(Came::Done))
    );
    assert_eq!(found(&report, "tls.served", "same").status, Status::Pass);
    let record = bench.record();
    assert_eq!((record.failures, record.last.unwrap().method.as_str()), (None, "dns-played"));
    let call =
        bench.stage.asked.lock().unwrap().iter().find(|line| line.contains("renew --cert-name")).cloned().unwrap();
    assert!(
        call.contains(
            "renew --cert-name a.test --force-renewal --no-random-sleep-on-renew --non-interactive --config-dir"
        ),
        "{call}"
    );
    assert!(!call.contains("-hook") && !call.contains(" -q"), "{call}");
    // And then nothing is due.
    assert_eq!(bench.run(Request::default()).await.plan, None);
}

#[tokio::test]
async fn renew_case_04_an_exit_of_0_without_a_new_certificate_is_a_failure_with_its_output() {
    let bench = Bench::new(DUE_DAY).await;
    bench.says("Certificate not yet due for renewal\nNo renewals were attempted.", 0);
    let report = bench.run(Request::default()).await;
    let finding = found(&report, "certificate.renew", "nothing-renewed");
    assert_eq!((report.exit(), finding.status), (1, Status::Fail));
    assert!(finding.observed.as_ref().unwrap().contains("No renewals were attempted"), "{finding:#?}");
    assert_eq!(bench.record().failures.unwrap().count, 1);
}

#[tokio::test]
async fn renew_case_05_a_renewal_that_ends_with_1_all_the_same_is_loaded_and_told() {
    let bench = Bench::new(DUE_DAY).await;
    bench.renews("The following renewals succeeded:\n  a.test\nThe following renewals failed:\n  two\n1 renew failure(s), 0 parse failure(s)", 1);
    let report = bench.run(Request::default()).await;
    assert_eq!((bench.asked("load"), done(&report, "verify")), (1, Some(Came::Done)));
    assert!(
        report.findings.iter().any(|finding| finding.status == Status::Warn && finding.summary.contains("ended badly")),
        "{:#?}",
        report.findings
    );
}

#[tokio::test]
async fn renew_case_05_and_06_a_broken_renewal_file_is_named_and_stops_no_other_certificate() {
    let mut bench = Bench::new(DUE_DAY).await;
    bench.renews("fine", 0);
    let le = bench.stage.le.clone();
    testing::issue(&le, "b.test", 1, &["b.test"], DATES);
    write(&le.join("renewal/b.test.conf"), "");
    let broken = Certificate { name: "broken".into(), names: vec!["b.test".into()], ..bench.certificate.clone() };
    let good = std::mem::replace(&mut bench.certificate, broken);
    let mut settings = bench.settings();
    settings.certificates.push(good);
    let mut report = Report::new("renew-cert", "host", bench.context.clock.now());
    renew(&settings, Request::default(), &mut report, &bench.context).await.unwrap();
    let finding = found(&report, "certificate.lineage", "renewal-file");
    assert!(finding.observed.as_ref().unwrap().ends_with("renewal/b.test.conf"), "{finding:#?}");
    assert_eq!((report.exit(), done(&report, "renew")), (1, Some(Came::Done)));
}

#[tokio::test]
async fn renew_case_07_copies_are_never_renewed_blindly_and_repair_relinks_them() {
    let bench = Bench::new(DUE_DAY).await;
    let (live, archive) = (bench.stage.le.join("live/a.test"), bench.stage.le.join("archive/a.test"));
    for item in Item::ALL {
        std::fs::remove_file(live.join(format!("{}.pem", item.stem()))).unwrap();
        std::fs::copy(archive.join(format!("{}1.pem", item.stem())), live.join(format!("{}.pem", item.stem())))
            .unwrap();
    }
    let report = bench.run(Request::default()).await;
    let finding = found(&report, "certificate.lineage", "copies");
    assert_eq!((report.exit(), bench.asked("certbot")), (1, 0));
    assert!(
        finding.observed.as_ref().unwrap().contains("copies of version 1")
            && finding.fix.as_ref().unwrap().contains("--repair")
    );
    let report = bench.mend(Mend::Newest).await;
    assert_eq!((report.exit(), done(&report, "relink")), (0, Some(Came::Done)), "{:#?}", report.findings);
    bench.renews("fine", 0);
    assert_eq!(bench.run(Request::default()).await.exit(), 0);
}

#[tokio::test]
async fn renew_case_08_and_09_broken_links_stop_a_renewal_and_a_reload() {
    for (item, target) in [(Item::Cert, "/certs/cert1.pem"), (Item::Privkey, "../../archive/a.test/privkey2.pem")] {
        let bench = Bench::new(DUE_DAY).await;
        testing::add(&bench.authority, &bench.stage.le, "a.test", 2, &["a.test", "127.0.0.1"], NEWER);
        let link = bench.stage.le.join("live/a.test").join(format!("{}.pem", item.stem()));
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(target, &link).unwrap();
        let report = bench.run(Request::default()).await;
        assert_eq!((report.exit(), bench.asked("certbot"), bench.asked("load")), (1, 0, 0), "{:#?}", report.findings);
        let report = bench.mend(Mend::Newest).await;
        assert_eq!((report.exit(), bench.asked("load")), (0, 1), "{:#?}", report.findings);
        assert_eq!(found(&report, "tls.served", "same").status, Status::Pass);
    }
}

#[tokio::test]
async fn renew_case_09_links_that_certbot_left_between_two_versions_are_mended_before_the_reload() {
    let bench = Bench::new(DUE_DAY).await;
    let authority = Authority::new("T Root 2");
    *bench.stage.play.lock().unwrap() = Box::new(move |le| {
        testing::add(&authority, le, "a.test", 2, &["a.test", "127.0.0.1"], NEWER);
        let link = le.join("live/a.test/cert.pem");
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink("../../archive/a.test/cert2.pem", link).unwrap();
        Ok(Output { signal: Some(9), ..Output::default() })
    });
    let report = bench.run(Request::default()).await;
    assert_eq!(found(&report, "certificate.lineage", "relinked").status, Status::Warn);
    assert_eq!(found(&report, "tls.served", "same").status, Status::Pass);
}

#[tokio::test]
async fn renew_case_11_a_twin_that_the_server_reads_is_told_by_what_is_served() {
    let bench = Bench::new(EARLY).await;
    testing::issue(&bench.stage.le, "a.test-0001", 1, &["a.test"], DATES);
    let twin = |report: &Report| found(report, "certificate.lineage", "twin").summary.clone();
    assert!(twin(&bench.run(Request::default()).await).starts_with("`a.test-0001` stands beside `a.test`"));
    for item in ["cert", "chain", "fullchain", "privkey"] {
        let of = |name: &str| bench.stage.le.join("archive").join(name).join(format!("{item}1.pem"));
        std::fs::copy(of("a.test"), of("a.test-0001")).unwrap();
    }
    assert_eq!(twin(&bench.run(Request::default()).await), "the server reads `a.test-0001`, not `a.test`");
}

#[tokio::test]
async fn renew_case_42_old_workers_may_answer_for_a_while_after_a_reload() {
    let bench = Bench::new(DUE_DAY).await;
    bench.renews("fine", 0);
    let takes = Duration::from_millis(900);
    *bench.stage.load_takes.lock().unwrap() = takes;
    let begun = tokio::time::Instant::now();
    let report = bench.run(Request::default()).await;
    assert_eq!((report.exit(), bench.asked("load")), (0, 1), "{:#?}", report.findings);
    assert!(begun.elapsed() > takes, "one look at a new worker is no proof");
    assert_eq!(found(&report, "tls.served", "same").status, Status::Pass);
}

#[tokio::test]
async fn renew_case_44_a_rate_limit_is_kept_and_nothing_is_tried_before_its_time_even_by_force() {
    let mut bench = Bench::new(DUE_DAY).await;
    bench.says(
        "Failed to renew certificate a.test with error: urn:ietf:params:acme:error:rateLimited :: too many certificates, retry after 2026-03-12 00:00:00 UTC: see",
        1,
    );
    let report = bench.run(Request::default()).await;
    let finding = found(&report, "certificate.renew", "rate-limited");
    assert_eq!((report.exit(), &finding.data["retry_after"]), (1, &"2026-03-12T00:00:00Z".into()));
    bench.at("2026-03-11T23:59:59Z");
    for force in [false, true] {
        let report = bench.run(Request { force, ..Request::default() }).await;
        assert!(found(&report, "certificate.due", "waiting").summary.contains("2026-03-12T00:00:00Z"));
        assert_eq!((report.exit(), bench.asked("renew --cert-name")), (1, 1));
    }
    // Then it is rehearsed first.
    bench.at("2026-03-12T00:00:01Z");
    bench.renews("fine", 0);
    bench.run(Request::default()).await;
    assert_eq!((bench.asked("--dry-run"), bench.asked("renew --cert-name")), (1, 3));
}

#[tokio::test]
async fn renew_case_45_a_certbot_that_hangs_is_ended_and_tried_again_after_growing_pauses() {
    let mut bench = Bench::new(DUE_DAY).await;
    *bench.stage.play.lock().unwrap() = Box::new(|_| Err(Failure::TimedOut(Duration::from_secs(60))));
    let report = bench.run(Request::default()).await;
    assert_eq!(found(&report, "certificate.renew", "deadline").status, Status::Fail);
    assert_eq!(found(&report, "tls.served", "same").status, Status::Pass, "the site is up and said to be");
    for (now, tries) in [
        ("2026-03-10T06:00:59Z", 1),
        ("2026-03-10T06:01:00Z", 2),
        ("2026-03-10T06:10:59Z", 2),
        ("2026-03-10T06:11:00Z", 3),
    ] {
        bench.at(now);
        bench.run(Request::default()).await;
        assert_eq!(bench.asked("renew --cert-name"), tries, "{now}");
    }
}

#[tokio::test]
async fn renew_case_46_a_refused_nonce_is_tried_once_more_at_once() {
    let bench = Bench::new(DUE_DAY).await;
    bench.says("Failed to renew certificate a.test with error: urn:ietf:params:acme:error:badNonce :: no", 1);
    let report = bench.run(Request::default()).await;
    assert_eq!((bench.asked("renew --cert-name"), report.exit()), (2, 1));
    found(&report, "certificate.renew", "bad-nonce");
}

#[tokio::test]
async fn renew_case_47_an_unknown_account_is_told_and_no_other_is_made() {
    let bench = Bench::new(DUE_DAY).await;
    bench.says("Failed to renew certificate a.test with error: urn:ietf:params:acme:error:accountDoesNotExist :: x", 1);
    let report = bench.run(Request::default()).await;
    assert!(found(&report, "certificate.renew", "account-unknown").fix.as_ref().unwrap().contains("accounts/"));
    assert_eq!((bench.asked("register"), bench.asked("certonly")), (0, 0));
}

#[tokio::test]
async fn renew_case_49_a_second_run_does_the_other_certificates_and_says_who_is_at_work() {
    let bench = Bench::new(EARLY).await;
    let settings = bench.settings();
    let mut report = Report::new("renew-cert", "host", bench.context.clock.now());
    let held = lock(&settings, &bench.certificate, &mut report, &bench.context).await.unwrap().unwrap();
    let second = bench.run(Request::default()).await;
    assert_eq!((second.exit(), second.locked), (4, true));
    assert_eq!(found(&second, "certificate.renew", "locked").status, Status::Skip);
    assert_eq!(bench.run(Request { dry_run: true, ..Request::default() }).await.exit(), 0, "a rehearsal takes no lock");
    drop(held);
    assert_eq!(bench.run(Request::default()).await.exit(), 0);
}

#[tokio::test]
async fn renew_case_52_a_wrong_clock_decides_nothing_and_says_so() {
    let bench = Bench::new("1970-01-01T00:10:00Z").await;
    let report = bench.run(Request { force: true, ..Request::default() }).await;
    assert_eq!(found(&report, "certificate.due", "clock").status, Status::Unknown);
    assert_eq!((report.exit(), bench.asked("certbot")), (3, 0));
}

#[tokio::test]
async fn renew_case_53_a_rehearsal_keeps_nothing_and_ends_our_own_pause() {
    let bench = Bench::new(DUE_DAY).await;
    let state = bench.settings().state;
    let failures = Failures::after(None, "challenge-failed", "no token".into(), None, true, DUE_DAY.parse().unwrap());
    Record { failures: Some(failures), ..Record::default() }.save(&state, "prime").unwrap();
    bench.says("The dry run was successful.", 0);
    let report = bench.run(Request { staging: true, ..Request::default() }).await;
    assert_eq!((done(&report, "rehearse"), bench.asked("--dry-run"), bench.asked("load")), (Some(Came::Done), 1, 0));
    assert_eq!(bench.record().failures, None);
}

#[test]
fn renew_case_56_a_key_that_this_user_may_not_read_decides_nothing_and_asks_for_no_backup() {
    testing::without_rights(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new(DUE_DAY).await;
            testing::close_key(&bench.stage.le, "a.test", 1);
            let report = bench.run(Request::default()).await;
            let finding = found(&report, "certificate.lineage", "forbidden");
            assert_eq!((finding.status, report.exit()), (Status::Unknown, 3), "{:#?}", report.findings);
            assert_eq!(finding.fix.as_deref(), Some("run with sudo: certbot's keys belong to root"));
            assert_eq!((bench.asked("certbot"), bench.asked("load")), (0, 0));
            let settings = bench.settings();
            let survey = Survey::of(&bench.certificate, &settings.state, Ask::Never, &bench.context).await.unwrap();
            let words: Vec<Status> =
                judge_due(&bench.certificate, &survey).iter().map(|finding| finding.status).collect();
            assert_eq!(words, [Status::Unknown, Status::Warn], "when it ends is told all the same");
            let mut report = Report::new("renew-cert", "host", bench.context.clock.now());
            let error = mend(&settings, &bench.certificate, Mend::Back, false, &mut report, &bench.context).await;
            assert!(error.unwrap_err().hints[0].contains("sudo"));
        });
    });
}

#[tokio::test]
async fn renew_case_57_a_site_that_answers_502_with_the_right_certificate_is_a_warning() {
    let bench = Bench::new(DUE_DAY).await;
    bench.renews("fine", 0);
    *bench.stage.status.lock().unwrap() = "502 Bad Gateway";
    let report = bench.run(Request::default()).await;
    assert_eq!((report.exit(), found(&report, "certificate.renew", "status-5xx").status), (0, Status::Warn));
}

#[tokio::test]
async fn renew_case_58_a_server_that_refuses_the_new_certificate_is_told_and_rolled_back() {
    let bench = Bench::new(DUE_DAY).await;
    bench.renews("fine", 0);
    *bench.stage.load_fails.lock().unwrap() = Some("nginx: [emerg] cannot load certificate".into());
    let report = bench.run(Request::default()).await;
    assert_eq!((report.exit(), done(&report, "reload")), (1, Some(Came::Failed)));
    assert!(found(&report, "tls.served", "not-reloaded").status == Status::Fail);
    *bench.stage.load_fails.lock().unwrap() = None;
    let report = bench.mend(Mend::Back).await;
    assert_eq!((report.exit(), done(&report, "relink")), (0, Some(Came::Done)), "{:#?}", report.findings);
    assert_eq!(found(&report, "tls.served", "same").status, Status::Pass);
    assert_eq!(bench.record().rolled_back, Some(1));
    // What was gone back to on purpose is not told as a fault; that it is due again is.
    let plan = bench.run(Request { dry_run: true, ..Request::default() }).await;
    assert!(plan.findings.iter().all(|finding| finding.id != "certificate.lineage"), "{:#?}", plan.findings);
}

#[tokio::test]
async fn a_dry_run_prints_the_plan_and_writes_nothing() {
    let bench = Bench::new(DUE_DAY).await;
    let report = bench.run(Request { dry_run: true, ..Request::default() }).await;
    let plan = report.plan.as_ref().unwrap();
    assert_eq!(plan["steps"][0]["action"], "renew");
    assert!(plan["steps"][0]["reason"].as_str().unwrap().contains("was due on"), "{plan:#}");
    assert!(plan["notes"][0].as_str().unwrap().starts_with("by hand: certbot renew --cert-name a.test"), "{plan:#}");
    assert!(!bench.place.path().join("state").exists());
    assert!(bench.stage.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_configured_name_that_the_certificate_lacks_is_told() {
    let mut bench = Bench::new(EARLY).await;
    bench.certificate.name = "a.test".into();
    bench.certificate.names.push("b.test".into());
    let report = bench.run(Request::default()).await;
    let finding = found(&report, "certificate.lineage", "names");
    assert_eq!((finding.status, report.exit()), (Status::Warn, 0));
    assert!(finding.fix.as_ref().unwrap().ends_with("`certbot certonly --cert-name a.test -d a.test -d b.test`"));
}

#[tokio::test]
async fn a_rehearsal_goes_to_the_authority_of_the_renewal_file() {
    let bench = Bench::new(DUE_DAY).await;
    bench.says("The dry run was successful.", 0);
    bench.run(Request { staging: true, ..Request::default() }).await;
    // certbot alone would ask the staging of Let's Encrypt.
    assert_eq!(bench.asked("--server https://127.0.0.1:1/dir --dry-run"), 1, "{:?}", bench.stage.asked.lock().unwrap());
}

#[tokio::test]
async fn a_first_request_needs_the_operators_word() {
    let mut bench = Bench::new(EARLY).await;
    bench.certificate.names = vec!["new.test".into()];
    let report = bench.run(Request::default()).await;
    assert_eq!(report.exit(), 1);
    assert!(found(&report, "certificate.renew", "agree-tos").fix.as_ref().unwrap().contains("agree_tos"));
}
