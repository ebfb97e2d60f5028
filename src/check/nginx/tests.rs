//! The four checks of nginx together: what stands in their way, and a real nginx whose certificate is renewed.

use std::{net::IpAddr, path::Path, sync::Arc, time::Duration};

use super::*;
use crate::{
    check::{
        Addresses, Check, Compose, Family, HttpSide, NginxSite, Reference, Resolve, Threshold, TlsPolicy, TlsVersion,
        nginx_config::NginxConfig, nginx_fresh::NginxFresh, nginx_headers::NginxHeaders, tls_served::TlsServed,
    },
    report::assert_one_voice,
    system::{
        docker::live::{self, Live},
        process::{Command, Failure, Scripted},
        tls::testing,
    },
};

const CHECKS: [&dyn Check; 4] = [&NginxConfig, &NginxHeaders, &NginxFresh, &TlsServed];

fn site(source: NginxSource, port: u16) -> Site {
    let headers = [("X-Forwarded-Proto", "$scheme"), ("X-Forwarded-Port", "$server_port")];
    Site {
        name: "prime".into(),
        url: format!("https://a.test:{port}/").parse().unwrap(),
        status: vec![200],
        contains: None,
        http: HttpSide::Unsaid("a test".into()),
        addresses: Addresses::All,
        resolve: vec![Resolve { host: None, port: None, address: IpAddr::from([127, 0, 0, 1]) }],
        family: Family::Any,
        extra_roots: Vec::new(),
        ca_file: None,
        fingerprints: Vec::new(),
        http_closed: Status::Fail,
        trusted_proxy: false,
        hsts: None,
        timeout: Duration::from_secs(20),
        tls: TlsPolicy { warn: Threshold::Share(0.25), fail: Threshold::Share(0.1), min_version: TlsVersion::Tls12 },
        nginx: Some(NginxSite {
            source,
            path: "/".into(),
            http_version: None,
            redirect: None,
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        }),
        gunicorn: None,
        oauth: None,
    }
}

/// The findings of all four checks, as the runner would gather them.
async fn findings(site: &Site, context: &Context) -> Vec<Finding> {
    let scope = Scope::new(site, context);
    let mut findings = Vec::new();
    for check in CHECKS {
        match check.applies(site) {
            Ok(()) => findings.extend(check.run(&scope).await),
            Err(why) => findings.push(Finding::skip(check.id(), &site.name, why)),
        }
    }
    findings.iter().for_each(assert_one_voice);
    findings
}

fn statuses(findings: &[Finding]) -> Vec<(&str, Status)> {
    findings.iter().map(|finding| (finding.id, finding.status)).collect()
}

fn reason(finding: &Finding) -> &str {
    finding.data.get("reason").and_then(Value::as_str).unwrap_or_default()
}

fn scripted(runner: Scripted) -> Context {
    Context { runner: Arc::new(runner), ..live::world() }
}

fn web() -> NginxSource {
    NginxSource::Container(Reference::Name("web".into()))
}

const INSPECT: &str = r#"[{"Id": "abc", "Name": "/web", "State": {"Status": "running", "Pid": 7},
    "NetworkSettings": {"Ports": {"8443/tcp": [{"HostIp": "0.0.0.0", "HostPort": "443"}]}}}]"#;
const TOP: &str = "PID PPID ELAPSED COMMAND\n70 1 90 nginx: master process nginx\n71 70 90 nginx: worker process\n";

fn found() -> Scripted {
    Scripted::default().on("docker inspect", 0, INSPECT, "").on("docker top", 0, TOP, "")
}

const CONFIG: &str = "events {}\nhttp {\n  server {\n    listen 8443 ssl;\n    server_name a.test;\n    ssl_certificate \
    c.pem;\n    ssl_certificate_key c.key;\n    location / {\n      proxy_set_header X-Forwarded-Proto $scheme;\n      \
    proxy_set_header X-Forwarded-Port 443;\n      proxy_pass http://127.0.0.1:8000;\n    }\n  }\n}\n";

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

#[tokio::test]
async fn whatever_stands_in_the_way_is_unknown_with_a_remedy_and_the_rest_follows_from_it() {
    let denied = "permission denied while trying to connect to the docker API at unix:///var/run/docker.sock";
    let table = [
        ("docker-absent", Scripted::default()),
        ("engine-forbidden", Scripted::default().on("docker", 1, "", denied)),
        ("engine-down", Scripted::default().on("docker", 1, "", "Cannot connect to the Docker daemon at unix:///x.")),
        ("engine-down", Scripted::default().fail("docker", Failure::TimedOut(Duration::from_secs(20)))),
        (
            "no-container",
            Scripted::default().on("inspect", 1, "[]", "Error: No such container: web").on("ps -a", 0, "webb\n", ""),
        ),
        ("not-running", Scripted::default().on("inspect", 0, INSPECT.replace("running", "exited"), "")),
        (
            "no-nginx",
            Scripted::default().on("inspect", 0, INSPECT, "").on("top", 0, "PID PPID CMD\n7 1 gunicorn app:app\n", ""),
        ),
    ];
    for (expected, runner) in table {
        let found = findings(&site(web(), 443), &scripted(runner)).await;
        assert_eq!(reason(&found[0]), expected);
        for finding in &found {
            assert_eq!(finding.status, Status::Unknown, "{expected}: {finding:?}");
            assert!(finding.fix.is_some(), "{expected}: {finding:?}");
        }
        assert_eq!(found.len(), 4, "{expected}");
        assert!(found[1..].iter().all(|finding| finding.data["because_of"] == "nginx.config"), "{expected}");
    }
}

#[tokio::test]
async fn a_site_without_nginx_is_skipped_and_files_alone_are_not_said_to_run() {
    let mut none = site(NginxSource::Host, 443);
    none.nginx = None;
    let context = scripted(Scripted::default());
    assert!(findings(&none, &context).await.iter().all(|finding| finding.status == Status::Skip));

    let gone = findings(&site(NginxSource::Dump("/no/such/dump".into()), 443), &context).await;
    let expected = [
        ("nginx.config", Status::Unknown),
        ("nginx.headers", Status::Unknown),
        ("nginx.fresh", Status::Skip),
        ("tls.served", Status::Skip),
    ];
    assert_eq!(statuses(&gone), expected);
    assert_eq!(reason(&gone[0]), "unreadable");
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test makes its own files")]
async fn a_saved_dump_is_judged() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let dump = format!("# configuration file /etc/nginx/nginx.conf:\n{CONFIG}\n").replace("8443", "443");
    std::fs::write(file.path(), dump).unwrap();
    let found = findings(&site(NginxSource::Dump(file.path().into()), 443), &scripted(Scripted::default())).await;
    assert_eq!(statuses(&found)[..2], [("nginx.config", Status::Pass), ("nginx.headers", Status::Pass)], "{found:#?}");
    assert_eq!(found[0].by_hand.as_deref(), Some(format!("cat {}", file.path().display()).as_str()));
}

#[tokio::test]
async fn the_published_port_leads_to_the_server_inside() {
    let dump = format!("# configuration file /etc/nginx/nginx.conf:\n{CONFIG}\n");
    let runner = found()
        .on("nginx -T", 0, dump.clone(), "")
        .on("nginx -V", 0, "", "nginx version: nginx/1.22.1\n")
        .on("cp -L abc:/etc/nginx -", 0, tar(&[("nginx/nginx.conf", CONFIG), ("nginx/c.pem", "none")]), "")
        .on("cp -L abc:/etc/nginx/c.pem -", 0, tar(&[("c.pem", "none")]), "");
    let mut public = site(web(), 443);
    public.timeout = Duration::from_millis(500);
    let found_here = findings(&public, &scripted(runner)).await;
    assert_eq!(found_here[0].status, Status::Pass, "{:#?}", found_here[0]);
    assert_eq!(found_here[1].status, Status::Pass, "{:#?}", found_here[1]);
    assert_eq!(found_here[0].by_hand.as_deref(), Some("docker exec web nginx -T"));
    assert_eq!(found_here[2].status, Status::Pass, "{:#?}", found_here[2]);
    assert_eq!((found_here[3].status, reason(&found_here[3])), (Status::Unknown, "unreadable"));

    // The same with the container's own port in the header: as it was asked for, and told in a note.
    let runner =
        found().on("nginx -T", 0, dump.replace("-Port 443", "-Port $server_port"), "").on("nginx -V", 0, "", "");
    let found_here = findings(&public, &scripted(runner)).await;
    assert_eq!(found_here[1].status, Status::Pass, "{:#?}", found_here[1]);
    assert!(found_here[1].data["notes"].to_string().contains("visitors use 443"), "{:#?}", found_here[1]);
}

#[tokio::test]
async fn case_40_an_upstream_that_does_not_resolve_is_unknown_and_the_headers_come_from_the_files() {
    let emerg = "nginx: [emerg] host not found in upstream \"app\" in /etc/nginx/nginx.conf:11";
    let runner = |emerg: &str, config: &str| {
        found()
            .on("nginx -T", 1, "", format!("{emerg}\nnginx: configuration file /etc/nginx/nginx.conf test failed\n"))
            .on(
                "nginx -V",
                0,
                "",
                "nginx version: nginx/1.22.1\nconfigure arguments: --conf-path=/etc/nginx/nginx.conf\n",
            )
            .on("cp -L abc:/etc/nginx -", 0, tar(&[("nginx/nginx.conf", config)]), "")
    };
    let found = findings(&site(web(), 443), &scripted(runner(emerg, CONFIG))).await;
    assert_eq!(found[0].status, Status::Unknown);
    assert!(found[0].summary.contains("host not found in upstream \"app\""), "{}", found[0].summary);
    assert_eq!((found[1].id, found[1].status), ("nginx.headers", Status::Pass), "{:#?}", found[1]);

    let denied = "nginx: [emerg] open() \"/run/nginx.pid\" failed (13: Permission denied)";
    let found = findings(&site(web(), 443), &scripted(runner(denied, CONFIG))).await;
    assert_eq!(found[0].status, Status::Unknown);
    assert!(found[0].fix.as_deref().is_some_and(|fix| fix.contains("sudo")));

    // What nginx refuses for its text is wrong, not unknown.
    let typo = "nginx: [emerg] unknown directive \"proxy_sett\" in /etc/nginx/nginx.conf:11";
    let found = findings(&site(web(), 443), &scripted(runner(typo, CONFIG))).await;
    assert_eq!((found[0].status, reason(&found[0])), (Status::Fail, "refused"));
    let open = findings(&site(web(), 443), &scripted(runner("nginx: [emerg] unexpected end of file", "http {"))).await;
    assert_eq!(statuses(&open)[..2], [("nginx.config", Status::Fail), ("nginx.headers", Status::Unknown)]);
}

#[tokio::test]
async fn an_nginx_that_hangs_on_a_name_is_not_taken_for_a_dead_engine() {
    let runner = found()
        .fail("nginx -T", Failure::TimedOut(Duration::from_secs(10)))
        .on("nginx -V", 0, "", "configure arguments: --conf-path=/etc/nginx/nginx.conf\n")
        .on("cp -L abc:/etc/nginx -", 0, tar(&[("nginx/nginx.conf", CONFIG)]), "");
    let found = findings(&site(web(), 443), &scripted(runner)).await;
    assert_eq!((found[0].status, reason(&found[0])), (Status::Unknown, "dump-unavailable"));
    assert!(found[0].summary.contains("nginx -T did not end within 10 s"), "{}", found[0].summary);
    assert!(!found[0].fix.as_ref().unwrap().contains("systemctl"), "{:#?}", found[0]);
    assert_eq!((found[1].id, found[1].status), ("nginx.headers", Status::Pass), "{:#?}", found[1]);
}

#[tokio::test]
async fn a_login_with_a_location_of_its_own_is_judged_there() {
    let nested = "location / {\n      location /auth/ {\n        proxy_set_header Host $host;\n        proxy_pass \
        http://127.0.0.1:8000;\n      }";
    let dump = |config: &str| format!("# configuration file /etc/nginx/nginx.conf:\n{config}\n");
    let runner = |config: &str| found().on("nginx -T", 0, dump(config), "nginx: [warn] odd").on("nginx -V", 0, "", "");
    let mut site = site(web(), 443);
    site.oauth = Some(crate::check::OauthSite {
        login: "https://a.test/auth/login".parse().unwrap(),
        provider: crate::check::Provider::Google,
        redirect_uri: None,
        client_id: None,
    });
    site.nginx.as_mut().unwrap().headers.remove("X-Forwarded-Port");
    let headers = async |config: &str| {
        let found = findings(&site, &scripted(runner(config))).await;
        assert!(found[0].data["notes"].to_string().contains("[warn] odd"), "{:#?}", found[0]);
        found.into_iter().filter(|finding| finding.id == "nginx.headers").collect::<Vec<_>>()
    };
    let one = headers(CONFIG).await;
    assert_eq!(one.len(), 1, "{one:#?}");
    let two = headers(&CONFIG.replace("location / {", nested)).await;
    assert_eq!(two.iter().map(|finding| finding.status).collect::<Vec<_>>(), [Status::Pass, Status::Fail], "{two:#?}");
    assert!(two[1].summary.starts_with("for /auth/login: "), "{}", two[1].summary);
    assert_eq!((two[1].data["path"].as_str(), reason(&two[1])), (Some("/auth/login"), "dropped"));
}

#[tokio::test]
async fn an_nginx_that_cannot_be_run_is_never_a_pass() {
    let missing = "OCI runtime exec failed: exec failed: unable to start container process: exec: \"nginx\": executable \
                   file not found in $PATH: unknown\n";
    let runner =
        found().on("exec", 126, missing, "").on("docker cp", 1, "", "Error response from daemon: no such file");
    let found = findings(&site(web(), 443), &scripted(runner)).await;
    assert!(found.iter().all(|finding| finding.status == Status::Unknown), "{found:#?}");
}

#[test]
fn hand_run_commands_name_the_container_and_want_no_terminal() {
    let compose = Compose { project: "prime_webtool".into(), service: "nginx".into() };
    let compose = NginxSource::Container(Reference::Service(compose));
    let line = NginxConfig.by_hand(&site(compose, 443));
    assert_eq!(
        line,
        "docker exec \"$(docker ps -q --filter label=com.docker.compose.project=prime_webtool --filter \
         label=com.docker.compose.service=nginx)\" nginx -T"
    );
    let line = TlsServed.by_hand(&site(NginxSource::Container(Reference::Name("prime_webtool_nginx_1".into())), 443));
    assert!(line.contains("docker cp -L prime_webtool_nginx_1:/etc/letsencrypt/live/a.test/fullchain.pem - | tar -xO"));
    for check in CHECKS {
        for source in [web(), NginxSource::Host] {
            let line = check.by_hand(&site(source, 443));
            assert!(!line.is_empty() && !line.contains(" -it") && !line.contains("exec -"), "{}: {line}", check.id());
        }
    }
}

const PROGRAMS: &[&str] = &["/usr/sbin/nginx"];

/// Writes a certificate for `a.test` that begins on `from`, and its key.
#[expect(clippy::disallowed_methods, reason = "a test makes its own files")]
fn certificate(folder: &Path, authority: &testing::Authority, from: &str) {
    let mut params = testing::leaf(&["a.test"]);
    testing::between(&mut params, (from, "2099-01-01"));
    let issued = authority.issue_with(params);
    std::fs::write(folder.join("c.pem"), pem(&issued.der) + &pem(&authority.der())).unwrap();
    std::fs::write(folder.join("c.key"), issued.key.serialize_pem()).unwrap();
}

fn pem(der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test makes its own files")]
async fn real_case_23_a_renewed_certificate_is_seen_until_nginx_is_reloaded() {
    let context = live::world();
    let test = "real_case_23_a_renewed_certificate_is_seen_until_nginx_is_reloaded";
    if !live::ready(&context, test, PROGRAMS).await {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let authority = testing::Authority::new("Test Root");
    certificate(folder.path(), &authority, "2026-01-01");
    let config = format!("user root; error_log stderr; {}", CONFIG.replace("http {", "http {\naccess_log off;"));
    std::fs::write(folder.path().join("nginx.conf"), config).unwrap();
    let mount = format!("{}:/etc/nginx", folder.path().display());
    let argv = ["/usr/sbin/nginx", "-g", "daemon off;"];
    let live = Live::of(&context, PROGRAMS, &["-v", &mount, "-p", "127.0.0.1::8443"], &argv).await;
    let port = live::docker(&context, &["port", &live.name, "8443/tcp"]).await.text();
    let port: u16 = port.lines().next().and_then(|line| line.trim().rsplit_once(':')).unwrap().1.parse().unwrap();
    let site = site(NginxSource::Container(Reference::Name(live.name.clone())), port);
    let settled = async |wanted: &str| {
        let mut found = Vec::new();
        for _ in 0..30 {
            found = findings(&site, &context).await;
            if found.iter().any(|finding| finding.id == "tls.served" && reason(finding) == wanted) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        found
    };

    let found = settled("same").await;
    assert_eq!(statuses(&found)[0], ("nginx.config", Status::Pass), "{found:#?}");
    // The header says 443, but the site is published elsewhere.
    assert_eq!(statuses(&found)[1], ("nginx.headers", Status::Fail), "{found:#?}");
    assert_eq!(statuses(&found)[2..], [("nginx.fresh", Status::Pass), ("tls.served", Status::Pass)], "{found:#?}");
    for finding in found.iter().filter(|finding| finding.id != "tls.served") {
        let line = finding.by_hand.clone().unwrap();
        let output = context.runner.run(Command::new("sh").args(["-c", &line])).await.unwrap();
        assert!(output.success() && !output.stdout.is_empty(), "{line}: {}", output.complaint());
    }

    tokio::time::sleep(Duration::from_millis(1100)).await;
    certificate(folder.path(), &authority, "2026-02-01");
    let found = settled("not-reloaded").await;
    assert_eq!(statuses(&found)[2..], [("nginx.fresh", Status::Fail), ("tls.served", Status::Fail)], "{found:#?}");
    assert_eq!(found[2].data["newest_file"], "/etc/nginx/c.pem");

    // The fix that the finding names mends it.
    let fix = found[3].fix.clone().unwrap();
    let line = fix.split('`').nth(1).unwrap();
    let output = context.runner.run(Command::new("sh").args(["-c", line])).await.unwrap();
    assert!(output.success(), "{line}: {}", output.complaint());
    let found = settled("same").await;
    assert_eq!(statuses(&found)[2..], [("nginx.fresh", Status::Pass), ("tls.served", Status::Pass)], "{found:#?}");

    certificate(folder.path(), &authority, "2025-12-01");
    assert_eq!(reason(&settled("older-file").await[3]), "older-file");
}
