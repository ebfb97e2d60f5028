//! The engine's answers, scripted where they cannot be had, and the real engine where one is.

#![expect(clippy::disallowed_methods, reason = "a test compares with this machine's clock")]

use std::{sync::Arc, time::Duration};

use super::{live, live::Live, *};
use crate::system::process::Scripted;

const LIMIT: Duration = Duration::from_secs(20);

fn scripted(runner: Scripted) -> (Context, Arc<Scripted>) {
    let runner = Arc::new(runner);
    (Context { runner: runner.clone(), ..live::world() }, runner)
}

fn document(name: &str, state: &str, labels: &str) -> String {
    format!(
        r#"{{"Id": "{name}", "Name": "/{name}", "State": {{"Status": "{state}"}}, "Config": {{"Labels": {labels}}}}}"#
    )
}

#[tokio::test]
async fn podman_is_used_where_there_is_no_docker() {
    let table = "PID PPID ELAPSED COMMAND\n1 0 3s nginx: master process nginx\n";
    let (context, runner) = scripted(
        Scripted::default().on("podman inspect", 0, format!("[{}]", document("web", "running", "{}")), "").on(
            "podman top web pid ppid etime args",
            0,
            table,
            "",
        ),
    );
    let docker = Docker::new(&context, LIMIT);
    assert_eq!(docker.inspect("web").await.unwrap().name, "web");
    assert_eq!(docker.program(), "podman");
    assert_eq!(docker.processes("web").await.unwrap()[0].arguments, "nginx: master process nginx");
    let docker_calls = runner.asked().iter().filter(|line| line.starts_with("docker")).count();
    assert_eq!(docker_calls, 1, "docker is not looked for again");
    assert!(context.engines.is_podman());
}

#[tokio::test]
async fn podman_copies_without_an_option_for_links_also_under_dockers_name() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(2);
    header.set_mtime("2026-11-26T04:00:00Z".parse::<Timestamp>().unwrap().as_second().unsigned_abs());
    builder.append_data(&mut header, "hosts", &b"hi"[..]).unwrap();
    let stream = builder.into_inner().unwrap();
    let refuses = "Error: unknown shorthand flag: 'L' in -L\nSee 'podman cp --help'\n";
    for program in ["docker", "podman"] {
        let script = Scripted::default().on(&format!("{program} cp -L"), 125, "", refuses);
        let (context, _) = scripted(script.on(&format!("{program} cp web:/etc/hosts -"), 0, stream.clone(), ""));
        let copied = Docker::new(&context, LIMIT).copy("web", "/etc/hosts").await.unwrap();
        // Its times are rounded: half a second may be too much.
        assert_eq!((&copied.content[..], copied.modified), (&b"hi"[..], "2026-11-26T03:59:59.5Z".parse().unwrap()));
    }
}

#[tokio::test]
async fn the_ways_in_which_an_engine_refuses_are_troubles_of_their_own() {
    let (context, _) = scripted(Scripted::default());
    assert_eq!(Docker::new(&context, LIMIT).inspect("web").await, Err(Trouble::Absent));

    let denied = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock";
    let (context, _) = scripted(Scripted::default().on("docker", 1, "[]\n", denied));
    assert_eq!(Docker::new(&context, LIMIT).inspect("web").await, Err(Trouble::Forbidden(denied.into())));

    let late = Failure::TimedOut(Duration::from_secs(5));
    let (context, _) = scripted(Scripted::default().fail("docker", late));
    let trouble = Docker::new(&context, LIMIT).inspect("web").await.unwrap_err();
    assert_eq!(trouble, Trouble::Silent(Duration::from_secs(5)));

    let (context, _) = scripted(Scripted::default().on("docker", 1, "", "Cannot connect to the Docker daemon at x"));
    let trouble = Docker::new(&context, LIMIT).find_service("prime", "nginx").await.unwrap_err();
    assert_eq!(trouble.reason(), "engine-down");
}

#[tokio::test]
async fn a_name_of_compose_1_finds_its_twin_of_compose_2() {
    let (context, _) = scripted(
        Scripted::default()
            .on(
                "inspect --type container prime_webtool_web_1",
                1,
                "[]",
                "Error: No such container: prime_webtool_web_1",
            )
            .on("ps -a --format", 0, "other\nprime_webtool-web-1\nprime_webtool-web-2\n", "")
            .on("prime_webtool-web-1", 0, format!("[{}]", document("prime_webtool-web-1", "running", "null")), ""),
    );
    let container = Docker::new(&context, LIMIT).inspect("prime_webtool_web_1").await.unwrap();
    assert_eq!(container.name, "prime_webtool-web-1");
    let note = "there is no container `prime_webtool_web_1`; looked at `prime_webtool-web-1`";
    assert_eq!(container.note.as_deref(), Some(note));
}

#[tokio::test]
async fn two_twins_are_not_guessed_between() {
    let (context, _) = scripted(Scripted::default().on("inspect", 1, "[]", "Error: No such container: a-b_c").on(
        "ps -a",
        0,
        "a_b_c\na-b-c\n",
        "",
    ));
    let trouble = Docker::new(&context, LIMIT).inspect("a-b_c").await.unwrap_err();
    let Trouble::NoSuch { near, .. } = trouble else { panic!("{trouble}") };
    assert_eq!(near.len(), 2);
}

#[tokio::test]
async fn a_name_that_reads_like_an_option_is_not_passed_on() {
    let (context, runner) = scripted(Scripted::default().on("ps -a", 0, "web\n", ""));
    let trouble = Docker::new(&context, LIMIT).inspect("--format={{.}}").await.unwrap_err();
    assert_eq!(trouble, Trouble::NoSuch { name: "--format={{.}}".into(), near: vec!["web".into()] });
    assert_eq!(runner.asked(), ["docker ps -a --format {{.Names}}"]);
}

#[tokio::test]
async fn of_several_containers_of_a_service_the_running_one_is_taken_and_the_rest_named() {
    let labels = |number: u32, once: &str| {
        format!(r#"{{"com.docker.compose.container-number": "{number}", "com.docker.compose.oneoff": "{once}"}}"#)
    };
    let documents = [
        document("p_web_run_1", "running", &labels(1, "True")),
        document("p_web_3", "running", &labels(3, "False")),
        document("p_web_1", "exited", &labels(1, "False")),
        document("p_web_2", "running", &labels(2, "False")),
    ];
    let (context, _) = scripted(Scripted::default().on("ps -aq", 0, "a\nb\nc\nd\n", "").on(
        "inspect --type container a b c d",
        0,
        format!("[{}]", documents.join(",")),
        "",
    ));
    let container = Docker::new(&context, LIMIT).find_service("p", "web").await.unwrap();
    assert_eq!(container.name, "p_web_2");
    assert_eq!(container.note.as_deref(), Some("one of 2: looked at `p_web_2`, not at `p_web_3`, `p_web_1`"));
}

#[tokio::test]
async fn a_service_without_labels_is_found_by_its_name_and_an_absent_one_is_told() {
    let (context, _) = scripted(
        Scripted::default()
            .on("ps -aq", 0, "", "")
            .on("inspect --type container prime_web_1", 0, format!("[{}]", document("prime_web_1", "exited", "{}")), "")
            .on("inspect", 1, "[]", "Error: No such container: x")
            .on("ps -a --format", 0, "prime_web_1\n", ""),
    );
    let docker = Docker::new(&context, LIMIT);
    let container = docker.find_service("prime", "web").await.unwrap();
    assert!(container.note.as_deref().is_some_and(|note| note.contains("labels")));
    let trouble = container.running().unwrap_err();
    assert_eq!(trouble, Trouble::NotRunning { name: "prime_web_1".into(), state: "exited".into() });
    let trouble = docker.find_service("prime", "nginx").await.unwrap_err();
    let said = "there is no container `nginx (Compose project prime)`; there are `prime_web_1`";
    assert_eq!(trouble.to_string(), said);
}

#[tokio::test]
async fn an_older_ps_is_asked_in_its_own_words() {
    let (context, _) = scripted(
        Scripted::default().on("etimes", 1, "", "Error response from daemon: ps: bad -o argument 'etimes'").on(
            "etime",
            0,
            "PID  PPID  ELAPSED  COMMAND\n7  1  1:05  nginx: master process nginx\n",
            "",
        ),
    );
    let processes = Docker::new(&context, LIMIT).processes("web").await.unwrap();
    assert_eq!(processes[0].pid, 7);
    assert!(processes[0].started.is_some());
}

#[tokio::test]
async fn real_a_container_is_found_looked_into_and_copied_from() {
    let context = live::world();
    if !live::ready(&context, "real_a_container_is_found_looked_into_and_copied_from", &["/usr/bin/busybox"]).await {
        return;
    }
    let options = [
        "-l",
        "com.docker.compose.project=mainstay-test",
        "-l",
        "com.docker.compose.service=sleeper",
        "-e",
        "COLOUR=blue sky",
        "-w",
        "/tmp",
        "-p",
        "127.0.0.1::8000",
    ];
    let live = Live::of(&context, &["/usr/bin/busybox"], &options, &["/usr/bin/busybox", "sleep", "987"]).await;
    let docker = Docker::new(&context, LIMIT);
    let container = docker.inspect(&live.name).await.unwrap().running().unwrap();
    assert_eq!(container.argv, ["/usr/bin/busybox", "sleep", "987"]);
    assert!(container.environment.contains(&"COLOUR=blue sky".to_owned()));
    assert_eq!((container.published[0].port, container.published[0].host_address.as_str()), (8000, "127.0.0.1"));
    assert!(container.pid > 0 && container.started.is_some());
    assert_eq!(container.networks[0].name, "bridge");
    assert_eq!(docker.find_service("mainstay-test", "sleeper").await.unwrap().id, container.id);
    let twin = live.name.replace('-', "_");
    assert!(docker.inspect(&twin).await.unwrap().note.is_some());

    let processes = docker.processes(&container.id).await.unwrap();
    assert_eq!(processes.len(), 1);
    assert_eq!((processes[0].pid, processes[0].arguments.as_str()), (container.pid, "/usr/bin/busybox sleep 987"));
    let age = jiff::Timestamp::now().duration_since(processes[0].started.unwrap());
    assert!(age.as_secs() < 60 && age.as_secs() > -2, "{age}");

    let output = docker
        .exec(&container.id, &["/usr/bin/busybox", "sh", "-c", "echo out; echo Error: mine >&2; exit 3"])
        .await
        .unwrap();
    assert_eq!((output.code, output.text().as_str(), output.complaint().as_str()), (Some(3), "out\n", "Error: mine"));
    let missing = docker.exec(&container.id, &["nginx", "-T"]).await.unwrap();
    assert!(matches!(missing.code, Some(126 | 127)), "{missing:?}");

    let link = ["/usr/bin/busybox", "ln", "-s", "../etc/passwd", "/tmp/link"];
    assert!(docker.exec(&container.id, &link).await.unwrap().success());
    assert!(docker.copy(&container.id, "/tmp/link").await.unwrap().content.starts_with(b"root:x:0:0"));
    let absent = docker.copy(&container.id, "/no/such/file").await.unwrap_err();
    assert_eq!(absent.reason(), "engine-error", "{absent}");
    assert!(docker.copy(&container.id, "/etc").await.is_err());
    let tree = docker.copy_tree(&container.id, "/tmp").await.unwrap();
    assert_eq!(tree.links[Path::new("/tmp/link")], Path::new("/etc/passwd"));

    live::docker(&context, &["pause", &live.name]).await;
    let paused = docker.exec(&container.id, &["/usr/bin/busybox", "true"]).await.unwrap_err();
    assert!(matches!(&paused, Trouble::NotRunning { state, .. } if state == "paused"), "{paused}");
    live::docker(&context, &["unpause", &live.name]).await;
    live::docker(&context, &["kill", &live.name]).await;
    assert!(matches!(docker.processes(&container.id).await, Err(Trouble::NotRunning { .. })));
    assert!(matches!(docker.exec(&container.id, &["x"]).await, Err(Trouble::NotRunning { .. })));
    assert!(docker.copy(&container.id, "/tmp/link").await.is_ok(), "a stopped container can be copied from");
}

#[tokio::test]
async fn real_an_engine_that_is_not_there_is_told() {
    let mut context = live::world();
    if !live::ready(&context, "real_an_engine_that_is_not_there_is_told", &[]).await {
        return;
    }
    let absent = Docker::new(&context, LIMIT).inspect("mainstay-test-no-such-container").await.unwrap_err();
    assert!(matches!(absent, Trouble::NoSuch { .. }), "{absent}");
    /// Points every command to a socket that nobody listens on.
    struct Elsewhere;
    impl crate::system::Runner for Elsewhere {
        fn run(&self, mut command: Command) -> futures_util::future::BoxFuture<'_, Result<Output, Failure>> {
            command.environment.push(("DOCKER_HOST".into(), "unix:///nowhere/docker.sock".into()));
            Box::pin(async move { crate::system::process::Machine.run(command).await })
        }
    }
    context.runner = Arc::new(Elsewhere);
    let down = Docker::new(&context, LIMIT).inspect("web").await.unwrap_err();
    assert_eq!(down.reason(), "engine-down", "{down}");
}
