//! Places, with scripted engines and with real gunicorns.

use std::{collections::BTreeMap, sync::Arc};

use super::*;
use crate::{
    rules::gunicorn::{Name, Reading},
    system::process::Scripted,
};

const TIMEOUT: Duration = Duration::from_secs(10);

/// A pid that this machine cannot have, so that its `/proc` tells nothing.
const FAR: u32 = 4_100_000_000;

fn context(engine: Scripted) -> (Context, Arc<Scripted>) {
    let engine = Arc::new(engine);
    let mut context = Context::real(BTreeMap::new(), std::env::temp_dir());
    context.runner = engine.clone();
    (context, engine)
}

/// What `docker inspect` says of a running container with this `Path` and `Args`.
fn inspected(argv: &[&str], environment: &[&str]) -> String {
    serde_json::json!([{
        "Id": "c0ffee", "Name": "/web", "Path": argv[0], "Args": argv[1..],
        "State": {"Status": "running", "Pid": FAR, "StartedAt": "2026-11-23T18:00:00Z"},
        "Config": {"Image": "app", "Env": environment, "WorkingDir": "/app", "Labels": {}},
        "HostConfig": {"NetworkMode": "app_default"},
        "NetworkSettings": {
            "Ports": {"8000/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8000"}]},
            "Networks": {"app_default": {"IPAddress": "172.18.0.3", "IPPrefixLen": 16}},
        },
    }])
    .to_string()
}

/// What `docker top` prints: pid, parent and arguments, counted from [`FAR`].
fn top(lines: &[(u32, u32, &str)]) -> String {
    let mut text = "PID PPID ELAPSED COMMAND\n".to_owned();
    for (pid, parent, arguments) in lines {
        text.push_str(&format!("{} {} 60 {arguments}\n", FAR + pid, FAR.wrapping_add(*parent)));
    }
    text
}

const ABSENT: &str = "Error response from daemon: Could not find the file /app/gunicorn.conf.py in container c0ffee";

fn shown(observation: &Observation, name: Name) -> String {
    observation.settings.reading(name).to_string()
}

#[tokio::test]
async fn case_46_a_title_hides_the_arguments_and_the_engine_knows_them() {
    let engine = Scripted::default()
        .on(
            "inspect",
            0,
            inspected(&["gunicorn", "-w", "3", "--forwarded-allow-ips=*", "app"], &["WEB_CONCURRENCY=9"]),
            "",
        )
        .on(" top ", 0, top(&[(0, 9, "gunicorn: master [app]"), (1, 0, "gunicorn: worker [app]")]), "")
        .on(" cp ", 1, "", ABSENT);
    let seen =
        observe(&context(engine).0, &Source::Container(Reference::Name("web".to_owned())), TIMEOUT).await.unwrap();
    assert_eq!(shown(&seen, Name::Workers), "3 (argv)");
    assert_eq!(shown(&seen, Name::ForwardedAllowIps), "* (argv)");
    assert_eq!(shown(&seen, Name::Threads), "1 (default)");
    assert_eq!((seen.live_workers, seen.masters), (Some(1), 1));
    let network = seen.network.unwrap();
    assert_eq!(network.published[0].to_string(), "0.0.0.0:8000");
    assert_eq!(network.subnets[0].network().unwrap().to_string(), "172.18.0.0/16");
}

#[tokio::test]
async fn case_47_a_title_behind_a_script_is_unknown() {
    let engine = Scripted::default()
        .on("inspect", 0, inspected(&["./entrypoint.sh", "gunicorn", "-w", "3"], &[]), "")
        .on(" top ", 0, top(&[(0, 9, "gunicorn: master [app]")]), "");
    let seen =
        observe(&context(engine).0, &Source::Container(Reference::Name("web".to_owned())), TIMEOUT).await.unwrap();
    assert!(seen.settings.is_unknown());
    assert!(shown(&seen, Name::Workers).contains("entrypoint.sh"), "{}", shown(&seen, Name::Workers));
}

#[tokio::test]
async fn what_a_title_hides_the_control_socket_tells() {
    let hidden = || {
        Scripted::default().on("inspect", 0, inspected(&["./entrypoint.sh", "gunicorn", "-w", "3"], &[]), "").on(
            " top ",
            0,
            top(&[(0, 9, "gunicorn: master [app]"), (1, 0, "gunicorn: worker [app]")]),
            "",
        )
    };
    let engine = hidden().on("gunicornc -j -c", 0, r#"{"workers": 3, "threads": 1, "timeout": 90}"#, "");
    let seen =
        observe(&context(engine).0, &Source::Container(Reference::Name("web".to_owned())), TIMEOUT).await.unwrap();
    assert_eq!(shown(&seen, Name::Workers), "3 (control socket)");
    assert!(matches!(seen.settings.reading(Name::ForwardedAllowIps), Reading::Unknown(_)), "it does not tell that");
    assert_eq!(seen.notes, ["workers, threads, timeout as gunicorn's control socket tells them"]);

    let engine = hidden().on("gunicornc -j -c", 1, r#"{"workers": 3}"#, "Error: cannot connect");
    let seen =
        observe(&context(engine).0, &Source::Container(Reference::Name("web".to_owned())), TIMEOUT).await.unwrap();
    assert!(seen.settings.is_unknown() && seen.notes.is_empty(), "{seen:?}");
}

#[tokio::test]
async fn the_container_is_asked_where_the_pid_is_not_visible_here() {
    let cmdline = "/usr/bin/python3\0/usr/bin/gunicorn\0-n\0my app\0-w\x002\0app:app\0";
    let engine = Scripted::default()
        .on("inspect", 0, inspected(&["./entrypoint.sh"], &[]), "")
        .on(
            " top ",
            0,
            top(&[
                (0, 9, "/usr/bin/python3 /usr/bin/gunicorn -n my app -w 2 app:app"),
                (4, 0, "/usr/bin/python3 /usr/bin/gunicorn -n my app -w 2 app:app"),
            ]),
            "",
        )
        .on("cat /proc/1/cmdline", 0, cmdline, "")
        .on("cat /proc/1/environ", 0, "PATH=/bin\0GUNICORN_CMD_ARGS=--threads 4 -c conf/prod.py\0", "")
        .on("readlink /proc/1/cwd", 0, "/srv\n", "")
        .on(" cp ", 1, "", "no such file or directory");
    let (context, engine) = context(engine);
    let seen = observe(&context, &Source::Container(Reference::Name("web".to_owned())), TIMEOUT).await.unwrap();
    assert_eq!(shown(&seen, Name::Workers), "2 (argv)");
    assert_eq!(shown(&seen, Name::Threads), "4 (GUNICORN_CMD_ARGS)");
    assert_eq!(shown(&seen, Name::Timeout), "unknown (the configuration file conf/prod.py is not there)");
    assert_eq!(seen.live_workers, Some(1));
    assert!(engine.asked().iter().any(|line| line.contains("c0ffee:/srv/conf/prod.py")), "{:?}", engine.asked());
}

#[tokio::test]
async fn an_environment_behind_a_script_hides_what_it_could_set() {
    let cmdline = "gunicorn\0-w\x003\0app:app\0";
    let engine = Scripted::default()
        .on("inspect", 0, inspected(&["./entrypoint.sh"], &["WEB_CONCURRENCY=9"]), "")
        .on(" top ", 0, top(&[(0, 9, "gunicorn -w 3 app:app")]), "")
        .on("cat /proc/1/cmdline", 0, cmdline, "")
        .on("cat /proc/1/environ", 1, "", "cat: /proc/1/environ: Permission denied");
    let seen =
        observe(&context(engine).0, &Source::Container(Reference::Name("web".to_owned())), TIMEOUT).await.unwrap();
    assert_eq!(shown(&seen, Name::Workers), "3 (argv)");
    assert!(matches!(seen.settings.reading(Name::Threads), Reading::Unknown(reason) if reason.contains("environment")));
}

#[tokio::test]
async fn two_masters_by_their_titles_are_an_upgrade() {
    let engine = Scripted::default()
        .on("inspect", 0, inspected(&["gunicorn", "-w", "1", "app"], &[]), "")
        .on(
            " top ",
            0,
            top(&[
                (0, 9, "gunicorn: master [app]"),
                (1, 0, "gunicorn: worker [app]"),
                (2, 0, "gunicorn: master [app.2]"),
                (3, 2, "gunicorn: worker [app.2]"),
            ]),
            "",
        )
        .on(" cp ", 1, "", ABSENT);
    let seen =
        observe(&context(engine).0, &Source::Container(Reference::Name("web".to_owned())), TIMEOUT).await.unwrap();
    assert_eq!((seen.masters, seen.live_workers), (2, Some(1)));
    assert!(seen.notes.iter().any(|note| note.contains("USR2")), "{:?}", seen.notes);
}

#[tokio::test]
async fn what_hinders_is_told_with_what_to_do() {
    let down = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
    let stopped = inspected(&["gunicorn", "--nonsense", "app"], &[]).replace("running", "restarting");
    for (engine, reason, part) in [
        (Scripted::default(), "docker-absent", "neither"),
        (Scripted::default().on("inspect", 1, "", down), "engine-down", "does not answer"),
        (Scripted::default().on("inspect", 0, stopped, ""), "not-running", "unrecognized arguments: --nonsense"),
        (
            Scripted::default().on("inspect", 0, inspected(&["nginx"], &[]), "").on(
                " top ",
                0,
                top(&[(0, 9, "nginx: master process nginx")]),
                "",
            ),
            "no-gunicorn",
            "only `nginx: master process nginx`",
        ),
    ] {
        let trouble = observe(&context(engine).0, &Source::Container(Reference::Name("web".to_owned())), TIMEOUT)
            .await
            .unwrap_err();
        assert_eq!(trouble.reason, reason, "{trouble:?}");
        assert!(trouble.what.contains(part) && !trouble.fix.is_empty(), "{trouble:?}");
    }
}

#[tokio::test]
async fn a_rehearsal_reads_the_given_words_only() {
    let (context, engine) = context(Scripted::default());
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let seen = observe(&context, &Source::Argv(words("gunicorn -w 3 app:app")), TIMEOUT).await.unwrap();
    assert_eq!(shown(&seen, Name::Workers), "3 (argv)");
    assert_eq!((seen.live_workers, &seen.network), (None, &None));
    let refused = observe(&context, &Source::Argv(words("gunicorn --work 3 app:app")), TIMEOUT).await.unwrap();
    assert!(refused.refused.unwrap().contains("ambiguous option"));
    assert!(observe(&context, &Source::Argv(words("uwsgi -w 3")), TIMEOUT).await.is_err());
    assert!(engine.asked().is_empty());
}

#[tokio::test]
async fn a_pid_file_that_leads_nowhere_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut context = context(Scripted::default()).0;
    context.folder = folder.path().to_owned();
    for (content, reason) in [
        (None, "no-pid-file"),
        (Some("many\n".to_owned()), "no-pid-file"),
        (Some(format!("{FAR}\n")), "not-running"),
        (Some(std::process::id().to_string()), "no-gunicorn"),
    ] {
        if let Some(content) = &content {
            #[expect(clippy::disallowed_methods, reason = "a test's own file")]
            std::fs::write(folder.path().join("app.pid"), content).unwrap();
        }
        let trouble = observe(&context, &Source::PidFile("app.pid".into()), TIMEOUT).await.unwrap_err();
        assert_eq!(trouble.reason, reason, "{trouble:?}");
    }
}
