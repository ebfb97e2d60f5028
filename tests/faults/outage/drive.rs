//! One outage with a real certbot in it, through the library: what `kills` kills.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use mainstay::{
    renew_cert::outage::{self, Outage, Preflight, Wanted},
    system::{Context, process::Command, state::State},
};
use tokio::signal::unix::{SignalKind, signal};

use crate::program::PROGRAM;

/// The variable that says that this process is the one to be killed.
pub const DRIVEN: &str = "MAINSTAY_TEST_DRIVE";

/// Not a test of its own: what the process does that `kills` starts. Its exit code is that of the command.
#[test]
fn one_outage_with_certbot_in_it() {
    if std::env::var_os(DRIVEN).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let code = runtime.block_on(async {
        let context = context();
        for (kind, number) in [
            (SignalKind::hangup(), 1),
            (SignalKind::interrupt(), 2),
            (SignalKind::quit(), 3),
            (SignalKind::terminate(), 15),
        ] {
            let (mut stream, cancel) = (signal(kind).expect("a signal"), context.cancel.clone());
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    cancel.raise(number);
                }
            });
        }
        whole(&context).await
    });
    std::process::exit(code);
}

async fn whole(context: &Context) -> i32 {
    let wanted = wanted();
    let found = outage::recover(&wanted.state, "test", Duration::from_secs(300), context).await.expect("a recovery");
    assert!(found.is_none_or(|recovered| recovered.ended.back), "not recovered");
    let preflight = outage::preflight(&wanted, context).await;
    assert!(preflight.may_stop(), "{:?}", preflight.refusals);
    let interrupted = || context.cancel.state().signal.map(|signal| 128 + i32::from(signal));
    let outage = match Outage::begin(preflight, &wanted, context).await {
        Ok(outage) => outage,
        Err(unbegun) => {
            println!("{unbegun:?}");
            return interrupted().unwrap_or(1);
        }
    };
    let renewed = outage.run(certbot(), context).await;
    let ended = outage.end(context).await;
    println!("{renewed:?} {ended:?}");
    match (interrupted(), ended.back, renewed) {
        (_, false, _) => 1,
        (Some(code), ..) => code,
        (None, true, Ok(output)) if output.success() => 0,
        _ => 1,
    }
}

/// The world as a run sees it.
pub fn context() -> Context {
    Context::real(std::env::vars_os().collect::<BTreeMap<_, _>>(), "/".into())
}

/// What a renewal of the world's certificate wants.
pub fn wanted() -> Wanted {
    Wanted {
        certificate: "prime".into(),
        command: "renew-cert prime".into(),
        stop: None,
        host: "prime.example.test".into(),
        engine: None,
        writable: vec!["/etc/letsencrypt".into(), "/var/lib/letsencrypt".into(), "/var/log/letsencrypt".into()],
        state: State::at(PathBuf::from("/var/lib/mainstay")),
        lock_wait: Duration::ZERO,
        own: PROGRAM.into(),
    }
}

/// What renews it, whether it is due or not.
pub fn certbot() -> Command {
    Command::new("certbot")
        .args(["renew", "-n", "--cert-name", "prime", "--force-renewal", "--no-random-sleep-on-renew"])
        .timeout(Duration::from_secs(120))
}

/// The preflight of the world, which must not refuse.
pub async fn preflight(wanted: &Wanted, context: &Context) -> Preflight {
    let preflight = outage::preflight(wanted, context).await;
    assert_eq!(preflight.refusals, []);
    assert!(preflight.notes.is_empty(), "{:?}", preflight.notes);
    preflight
}
