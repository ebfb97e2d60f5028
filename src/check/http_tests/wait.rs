//! `--wait`: what a deploy can still mend is looked at again, the rest is told at once.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::world::{Asked, World, reason};
use crate::{
    check::{GunicornSite, GunicornSource, Settings, Site, run},
    report::{Finding, Status},
    system::{Context, clock, tls::testing::now},
};

const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

/// What is found in the end, and how long that took.
async fn waited(site: &Site, only: &str, wait: Duration) -> (Vec<Finding>, Duration) {
    let mut context = Context::real(BTreeMap::new(), PathBuf::from("/"));
    context.clock = Arc::new(clock::Fixed(now()));
    let settings = Settings {
        sites: vec![site.clone()],
        only: vec![only.to_owned()],
        backups: Vec::new(),
        certificates: Vec::new(),
        schedules: Vec::new(),
        hosts: Vec::new(),
        domains: Vec::new(),
        skip: Vec::new(),
        wait: Some(wait),
        strict: false,
        concurrency: 4,
    };
    let start = Instant::now();
    let findings = run(&settings, &context).await;
    (findings, start.elapsed())
}

#[tokio::test]
async fn a_deploy_that_comes_up_is_waited_for() {
    let world = World::new(|asked| if asked.before == 0 { UNAVAILABLE.to_owned() } else { Asked::ok("") }).await;
    let (findings, took) = waited(&world.site, "http.status", Duration::from_secs(30)).await;
    assert_eq!(findings.len(), 1, "only the last look counts: {findings:?}");
    assert_eq!(findings[0].status, Status::Pass, "{findings:?}");
    assert!(world.seen().len() == 2 && took < Duration::from_secs(20), "{:?} in {took:?}", world.seen());
}

#[tokio::test]
async fn a_deploy_that_never_comes_up_ends_with_the_time() {
    let world = World::new(|_| UNAVAILABLE.to_owned()).await;
    let (findings, took) = waited(&world.site, "http.status", Duration::from_millis(1500)).await;
    assert_eq!((findings[0].status, reason(&findings[0])), (Status::Fail, "status-5xx"));
    assert!(took >= Duration::from_millis(1500) && took < Duration::from_secs(10), "{took:?}");
    assert!(world.seen().len() >= 2, "{:?}", world.seen());
}

#[tokio::test]
async fn what_no_deploy_mends_is_told_at_once() {
    let long = Duration::from_secs(60);
    let world = World::new(|_| "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned()).await;
    let (findings, took) = waited(&world.site, "http.status", long).await;
    assert_eq!((findings[0].status, world.seen().len()), (Status::Fail, 1), "{findings:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");

    let mut site = world.site.clone();
    site.gunicorn = Some(GunicornSite {
        source: GunicornSource::Argv(["gunicorn", "-w", "0x3", "app:app"].map(str::to_owned).to_vec()),
        workers: Some(3),
        threads: None,
        timeout: None,
        graceful_timeout: None,
        forwarded_allow_ips: None,
    });
    let (findings, took) = waited(&site, "gunicorn.settings", long).await;
    assert_eq!((findings[0].status, reason(&findings[0])), (Status::Fail, "refused"), "{findings:?}");
    assert!(took < Duration::from_secs(20), "a wrong command line stays wrong: {took:?}");
}
