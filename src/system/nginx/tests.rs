//! Scripted engines for what cannot be had, and a real nginx in a real container where there is an engine.

use std::{sync::Arc, time::Duration};

use super::*;
use crate::system::{
    docker::{
        Compose,
        live::{self, Live},
    },
    process::{Failure, Scripted},
};

const LIMIT: Duration = Duration::from_secs(20);

const INSPECT: &str = r#"[{"Id": "abc", "Name": "/web", "State": {"Status": "running", "Pid": 7},
    "NetworkSettings": {"Ports": {"8443/tcp": [{"HostIp": "0.0.0.0", "HostPort": "443"}]}}}]"#;

fn context(runner: Scripted) -> Context {
    Context { runner: Arc::new(runner), ..live::world() }
}

fn table(rows: &[&str]) -> String {
    format!("PID PPID ELAPSED COMMAND\n{}\n", rows.join("\n"))
}

fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mtime(1_700_000_000);
        builder.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

async fn fault(runner: Scripted, target: &Source) -> Fault {
    match Nginx::observe(&context(runner), LIMIT, target).await {
        Err(fault) => fault,
        Ok(nginx) => panic!("{} was found", nginx.title()),
    }
}

#[tokio::test]
async fn the_dump_is_asked_with_the_masters_own_arguments() {
    let rows = [
        "70 1 90 nginx: master process /opt/nginx -c /x/prod.conf -g daemon off;",
        "71 70 80 nginx: worker process",
        "72 70 90 nginx: worker process is shutting down",
        "73 70 90 nginx: cache manager process",
    ];
    let dump = "# configuration file /x/prod.conf:\nevents {}\nhttp {}\n\n";
    let runner = Scripted::default()
        .on("inspect", 0, INSPECT, "")
        .on("docker top abc", 0, table(&rows), "")
        .on(
            "docker exec abc /opt/nginx -c /x/prod.conf -g 'daemon off;' -T",
            0,
            dump,
            "nginx: [warn] x in /x/prod.conf:1\nnginx: configuration file /x/prod.conf test is successful\n",
        )
        .on(
            "docker exec abc /opt/nginx -V",
            0,
            "",
            "nginx version: nginx/1.25.3 (Ubuntu)\nconfigure arguments: --prefix=/usr\n",
        );
    let nginx = Nginx::observe(&context(runner), LIMIT, &Source::Container(Reference::Name("web".to_owned())))
        .await
        .unwrap_or_else(|fault| panic!("{fault:?}"));
    assert_eq!(nginx.config.as_ref().unwrap().files(), ["/x/prod.conf"]);
    assert_eq!((nginx.version.as_deref(), nginx.refusal.as_deref()), (Some("1.25.3"), None));
    assert_eq!(nginx.warnings, ["nginx: [warn] x in /x/prod.conf:1"]);
    let workers: Vec<(u32, bool)> =
        nginx.workers().await.unwrap().iter().map(|worker| (worker.pid, worker.leaving)).collect();
    assert_eq!(workers, [(71, false), (72, true)]);
    assert_eq!((nginx.inner_port(443), nginx.inner_port(80)), (8443, 80));
    assert_eq!(nginx.dump_command(), "docker exec web /opt/nginx -c /x/prod.conf -g 'daemon off;' -T");
    assert!(nginx.reload().ends_with("-s reload`"));
    assert_eq!(nginx.print_command("/a b.pem"), "docker cp -L 'web:/a b.pem' - | tar -xO");
}

#[tokio::test]
async fn case_40_a_refused_configuration_is_read_from_its_files_and_the_reason_kept() {
    let files = tar(&[
        ("nginx/nginx.conf", "http { include /etc/nginx/conf.d/*.conf; include /opt/extra.conf; }"),
        ("nginx/conf.d/a.conf", "server { listen 443 ssl; }"),
        ("nginx/conf.d/.hidden.conf", "server {}"),
    ]);
    let emerg = "nginx: [emerg] host not found in upstream \"app\" in /etc/nginx/conf.d/a.conf:3";
    let runner = Scripted::default()
        .on("inspect", 0, INSPECT, "")
        .on("top", 0, table(&["70 1 90 nginx: master process nginx", "71 70 90 nginx: worker process"]), "")
        .on("nginx -T", 1, "", format!("nginx: [warn] early\n{emerg}\nnginx: configuration file test failed\n"))
        .on("nginx -V", 0, "", "nginx version: nginx/1.22.1\nconfigure arguments: --with-cc-opt='-g -O2' --conf-path=/etc/nginx/nginx.conf\n")
        .on("docker cp -L abc:/etc/nginx -", 0, files, "")
        .on("docker cp -L abc:/opt/extra.conf -", 0, tar(&[("extra.conf", "# nothing")]), "");
    let nginx = Nginx::observe(&context(runner), LIMIT, &Source::Container(Reference::Name("web".to_owned())))
        .await
        .unwrap_or_else(|fault| panic!("{fault:?}"));
    assert_eq!(nginx.refusal.as_deref(), Some(emerg));
    let config = nginx.config.as_ref().unwrap();
    assert_eq!(config.files(), ["/etc/nginx/nginx.conf", "/etc/nginx/conf.d/a.conf", "/opt/extra.conf"]);
}

#[tokio::test]
async fn what_stands_in_the_way_is_a_fault_with_its_remedy() {
    let absent = fault(Scripted::default(), &Source::Container(Reference::Name("web".to_owned()))).await;
    assert_eq!(absent.reason, "docker-absent");

    let service = Compose { project: "prime".to_owned(), service: "nginx".to_owned() };
    let service = &Source::Container(Reference::Service(service));
    let forbidden = Scripted::default().on(
        "docker",
        1,
        "",
        "permission denied while trying to connect to the docker API at unix:///x",
    );
    assert_eq!(fault(forbidden, service).await.reason, "engine-forbidden");

    let stuck = Scripted::default().fail("docker", Failure::TimedOut(LIMIT));
    assert_eq!(fault(stuck, &Source::Container(Reference::Name("web".to_owned()))).await.reason, "engine-down");

    let exited = Scripted::default().on("inspect", 0, INSPECT.replace("running", "exited"), "");
    let exited = fault(exited, &Source::Container(Reference::Name("web".to_owned()))).await;
    assert_eq!(exited.reason, "not-running");
    assert!(exited.fix.contains("docker start web"), "{}", exited.fix);

    let other = Scripted::default().on("inspect", 0, INSPECT, "").on(
        "top",
        0,
        table(&["7 1 9 gunicorn: master [app:app]"]),
        "",
    );
    let other = fault(other, &Source::Container(Reference::Name("web".to_owned()))).await;
    assert_eq!(other.reason, "no-nginx");
    assert!(other.what.contains("gunicorn"), "{}", other.what);

    let gone = fault(Scripted::default(), &Source::Dump("/no/such/dump.txt".into())).await;
    assert_eq!((gone.reason, gone.what.as_str()), ("unreadable", "`/no/such/dump.txt`: there is no such file"));
    assert_eq!(fault(Scripted::default(), &Source::Files("/dev/null".into())).await.reason, "unreadable");
}

#[tokio::test]
async fn a_dump_that_is_none_is_not_taken_for_an_empty_configuration() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let nginx = Nginx::observe(&context(Scripted::default()), LIMIT, &Source::Dump(file.path().to_owned())).await;
    assert!(nginx.is_ok_and(|nginx| nginx.config.is_err()));
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test makes its own files")]
async fn files_are_read_with_what_they_include_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("conf.d")).unwrap();
    fs::write(
        at("nginx.conf"),
        "http { include /etc/nginx/mime.types; include /etc/nginx/conf.d/*.conf; include extra/*.none; }",
    )
    .unwrap();
    fs::write(at("conf.d/b.conf"), "server { server_name b.test; }").unwrap();
    fs::write(at("conf.d/a.conf"), "server { server_name a.test; }").unwrap();
    fs::write(at("conf.d/.a.conf.swp"), "}").unwrap();
    let main = at("nginx.conf");
    let nginx = Nginx::observe(&context(Scripted::default()), LIMIT, &Source::Files(main.clone()))
        .await
        .unwrap_or_else(|fault| panic!("{fault:?}"));
    let config = nginx.config.as_ref().unwrap();
    let expected =
        [main.to_str().unwrap(), "/etc/nginx/mime.types", "/etc/nginx/conf.d/a.conf", "/etc/nginx/conf.d/b.conf"];
    assert_eq!(config.files(), expected);
    assert!(nginx.workers().await.is_err() && nginx.start.is_none());
}

#[test]
fn of_several_masters_the_one_that_was_there_first_is_taken() {
    let process = |pid, parent, arguments: &str| Process { pid, parent, started: None, arguments: arguments.into() };
    let found = find(&[
        process(20, 10, "nginx: master process nginx"),
        process(21, 20, "nginx: worker process"),
        process(10, 1, "nginx: master process nginx"),
        process(11, 10, "nginx: worker process"),
    ])
    .unwrap();
    assert_eq!(found.workers.iter().map(|worker| worker.pid).collect::<Vec<_>>(), [11]);
    assert_eq!(found.note.as_deref(), Some("several masters run: looked at pid 10, not at 20"));
    let single = find(&[process(1, 0, "nginx -g daemon off; master_process off;")]).unwrap();
    assert_eq!(single.workers[0].pid, 1);
    assert!(find(&[process(1, 0, "gunicorn app:app")]).is_none());
}

#[test]
fn the_main_file_is_found_as_nginx_finds_it() {
    let about =
        About { conf_path: Some("conf/nginx.conf".into()), prefix: Some("/opt/nginx".into()), ..About::default() };
    let start = |config: Option<&str>, prefix: Option<&str>| Start {
        config: config.map(ToOwned::to_owned),
        prefix: prefix.map(ToOwned::to_owned),
        ..Start::default()
    };
    assert_eq!(about.main_file(&start(None, None)), "/opt/nginx/conf/nginx.conf");
    assert_eq!(about.main_file(&start(Some("x.conf"), Some("/srv"))), "/srv/x.conf");
    assert_eq!(about.main_file(&start(Some("/x.conf"), None)), "/x.conf");
    assert_eq!(About::default().main_file(&Start::default()), "/etc/nginx/nginx.conf");
}

const PROGRAMS: &[&str] = &["/usr/sbin/nginx"];

/// Puts a file into a container, with the present time.
#[expect(clippy::disallowed_methods, reason = "a test makes its own files")]
async fn put(context: &Context, live: &Live, path: &str, content: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), content).unwrap();
    live::docker(context, &["cp", file.path().to_str().unwrap(), &format!("{}:{path}", live.name)]).await;
}

/// A container without a shell in which nginx runs with `-c`; its configuration is mounted from `folder`.
#[expect(clippy::disallowed_methods, reason = "a test makes its own files")]
async fn start(context: &Context, folder: &Path) -> Live {
    let main =
        "user root; error_log stderr; pid /run/nginx.pid; events {} http { access_log off; include conf.d/*.conf; }";
    fs::create_dir(folder.join("conf.d")).unwrap();
    fs::write(folder.join("prod.conf"), main).unwrap();
    fs::write(folder.join("conf.d/a.conf"), "server { listen 8080; location / { return 204; } }\n").unwrap();
    let mount = format!("{}:/srv/conf", folder.display());
    let argv = ["/usr/sbin/nginx", "-c", "/srv/conf/prod.conf", "-g", "daemon off;"];
    let live = Live::of(context, PROGRAMS, &["-v", &mount, "-p", "127.0.0.1::8080"], &argv).await;
    // A container is running before its master has read the configuration and forked.
    for _ in 0..50 {
        let docker = Docker::new(context, LIMIT);
        let processes = docker.processes(&live.name).await.unwrap_or_default();
        if processes.iter().any(|process| process.arguments.starts_with("nginx: worker")) {
            return live;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nginx did not start: {}", live::docker(context, &["logs", &live.name]).await.complaint());
}

#[tokio::test]
async fn real_an_edit_after_the_start_is_seen_and_a_reload_settles_it() {
    let context = live::world();
    if !live::ready(&context, "real_an_edit_after_the_start_is_seen_and_a_reload_settles_it", PROGRAMS).await {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let live = start(&context, folder.path()).await;
    let observe = async || {
        let nginx = Nginx::observe(&context, LIMIT, &Source::Container(Reference::Name(live.name.clone())))
            .await
            .unwrap_or_else(|fault| panic!("{fault:?}"));
        let freshness = nginx.freshness(&[]).await;
        (crate::rules::fresh::judge("x", &freshness, context.clock.now()), nginx)
    };
    let (finding, nginx) = observe().await;
    let files = ["/srv/conf/prod.conf", "/srv/conf/conf.d/a.conf"];
    assert_eq!(nginx.config.as_ref().unwrap().files(), files);
    assert_eq!(nginx.start.as_ref().unwrap().config.as_deref(), Some("/srv/conf/prod.conf"));
    assert!(nginx.version.as_deref().is_some_and(|version| version.starts_with("1.")));
    assert_eq!(finding.status, crate::report::Status::Pass, "{finding:?}");
    let Place::Container { container, .. } = &nginx.place else { panic!("not in a container") };
    assert_eq!(nginx.inner_port(container.published[0].host_port), 8080);

    // The engine tells the times of files in whole seconds.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    put(&context, &live, "/srv/conf/conf.d/a.conf", "server { listen 8080; location / { return 205; } }\n").await;
    let (finding, _) = observe().await;
    assert_eq!(finding.data["reason"], "reload-pending", "{finding:?}");

    live::docker(&context, &["exec", &live.name, "/usr/sbin/nginx", "-c", "/srv/conf/prod.conf", "-s", "reload"]).await;
    for _ in 0..20 {
        if observe().await.0.status == crate::report::Status::Pass {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(observe().await.0.status, crate::report::Status::Pass);

    // A broken file: nginx goes on with what it has, and the files are read without it.
    put(
        &context,
        &live,
        "/srv/conf/conf.d/a.conf",
        "server { listen 8080; location / { proxy_pass http://no-such-host.invalid; } }\n",
    )
    .await;
    let (_, nginx) = observe().await;
    assert!(
        nginx
            .refusal
            .as_deref()
            .is_some_and(|line| line.contains("[emerg]") && line.contains("host not found in upstream")),
        "{:?}",
        nginx.refusal
    );
    let copied = nginx.read("/srv/conf/conf.d/a.conf").await.unwrap();
    assert!(copied.content.starts_with(b"server"));
    assert!(nginx.read("/no/such").await.is_err());
}
