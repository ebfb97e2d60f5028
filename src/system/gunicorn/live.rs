//! A real gunicorn in a real container, and one by its pid file.

use super::*;
use crate::{
    rules::gunicorn::Name,
    system::{
        docker::live::{Live, docker, ready, world},
        process::Command,
    },
};

const TIMEOUT: Duration = Duration::from_secs(20);
const APPLICATION: &str = "wsgiref.simple_server:demo_app";

/// The container sees this machine's own Python and gunicorn.
const MOUNTS: [&str; 6] = ["-v", "/usr:/usr:ro", "-v", "/lib:/lib:ro", "-v", "/lib64:/lib64:ro"];

fn shown(observation: &Observation, name: Name) -> String {
    observation.settings.reading(name).to_string()
}

/// Looks until this many workers live.
async fn until(context: &Context, place: &Source, workers: u64) -> Observation {
    let mut last = None;
    for _ in 0..50 {
        let seen = observe(context, place, TIMEOUT).await;
        match seen {
            Ok(seen) if seen.live_workers == Some(workers) => return seen,
            seen => last = Some(seen),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("never {workers} workers: {last:?}");
}

#[tokio::test]
async fn case_48_a_real_master_that_got_one_worker_more() {
    let context = world();
    let name = "system::gunicorn::live::case_48_a_real_master_that_got_one_worker_more";
    if !ready(&context, name, &["/usr/bin/gunicorn", "/usr/bin/true"]).await {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test's own file")]
    std::fs::write(folder.path().join("gunicorn.conf.py"), "timeout = 90\nthreads = 2\n").unwrap();
    let mount = format!("{}:/app:ro", folder.path().display());
    let mut options = MOUNTS.to_vec();
    options.extend(["-v", &mount, "-w", "/app", "-p", "127.0.0.1::8000"]);
    options.extend(["-e", "GUNICORN_CMD_ARGS=--threads 4", "-e", "FORWARDED_ALLOW_IPS=*", "-e", "WEB_CONCURRENCY=9"]);
    let argv = ["/usr/bin/gunicorn", "-w3", "-b", "0.0.0.0:8000", "-n", "my app", APPLICATION];
    let live = Live::of(&context, &["/usr/bin/true"], &options, &argv).await;

    let seen = until(&context, &Source::Container(Reference::Name(live.name.clone())), 3).await;
    assert_eq!(shown(&seen, Name::Workers), "3 (argv)");
    assert_eq!(shown(&seen, Name::Threads), "4 (GUNICORN_CMD_ARGS)");
    assert_eq!(shown(&seen, Name::Timeout), "90 (/app/gunicorn.conf.py:1)");
    assert_eq!(shown(&seen, Name::ForwardedAllowIps), "* (FORWARDED_ALLOW_IPS)");
    assert_eq!(seen.masters, 1);
    assert_eq!(seen.network.as_ref().unwrap().published[0].host_address, "127.0.0.1");

    docker(&context, &["kill", "-s", "TTIN", &live.name]).await;
    let seen = until(&context, &Source::Container(Reference::Name(live.name.clone())), 4).await;
    assert_eq!(shown(&seen, Name::Workers), "3 (argv)");
}

#[tokio::test]
async fn a_real_master_is_found_by_its_pid_file() {
    let context = world();
    let test = "system::gunicorn::live::a_real_master_is_found_by_its_pid_file";
    let gunicorn = Path::new("/usr/bin/gunicorn");
    if !gunicorn.exists() {
        assert_ne!(context.variable("CI"), Some("true"), "{test} must not be skipped: gunicorn is not installed");
        #[expect(clippy::print_stdout, reason = "a skipped test is counted by its name")]
        {
            println!("SKIPPED {test}: gunicorn is not installed");
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("app.pid");
    #[expect(clippy::disallowed_methods, reason = "a test's own file")]
    std::fs::write(folder.path().join("gunicorn.conf.py"), "graceful_timeout = 7\n").unwrap();
    let mut command = Command::new(gunicorn).args(["-w", "2", "-b", "unix:app.sock", "--pid", "app.pid", APPLICATION]);
    command.folder = Some(folder.path().to_owned());
    command.environment = vec![("WEB_CONCURRENCY".into(), "9".into()), ("GUNICORN_CMD_ARGS".into(), "-t 33".into())];
    let server = context.runner.run(command.timeout(Duration::from_secs(60)));
    let source = Source::PidFile(pid_file);
    let look = until(&context, &source, 2);
    let seen = tokio::select! {
        seen = look => seen,
        ended = server => panic!("gunicorn ended: {ended:?}"),
    };
    assert_eq!(shown(&seen, Name::Workers), "2 (argv)");
    assert_eq!(shown(&seen, Name::Timeout), "33 (GUNICORN_CMD_ARGS)");
    let file = folder.path().join("gunicorn.conf.py");
    assert_eq!(shown(&seen, Name::GracefulTimeout), format!("7 ({}:1)", file.display()));
    assert_eq!(shown(&seen, Name::Bind), "unix:app.sock (argv)");
}
