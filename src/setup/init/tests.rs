//! Whatever is found, the text is a configuration that our own reader accepts.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;

use super::*;
use crate::{
    cli::config::parse,
    report::{Status, assert_one_voice},
    rules::nginx::{Outline, Place},
    system::{
        Context,
        process::{Failure, Scripted},
    },
};

const KEY: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

fn server(names: &[String], tls: Vec<u16>, peers: &[String]) -> Outline {
    Outline {
        names: names.to_vec(),
        tls,
        plain: vec![80],
        certificates: vec!["/etc/letsencrypt/live/prime.example.edu/fullchain.pem".into()],
        peers: peers.to_vec(),
        at: Place { file: "/etc/nginx/conf.d/prime.conf".into(), line: 3 },
    }
}

fn runbook() -> Found {
    Found {
        folder: "/srv/prime".into(),
        secrets: vec![".env".into(), "config/".into()],
        engine: Engine::Running(2),
        nginx: vec![Nginx {
            at: At::Container("prime_webtool_nginx_1".into()),
            servers: Ok(vec![
                server(&["prime.example.edu".into()], Vec::new(), &[]),
                server(&["prime.example.edu".into(), "_".into()], vec![443], &["web".into()]),
            ]),
            published: vec![(443, "0.0.0.0".into(), 443)],
        }],
        gunicorn: vec![Gunicorn {
            at: At::Service("prime".into(), "web".into(), "prime_webtool_web_1".into()),
            aliases: vec!["web".into()],
            settings: Ok(vec![
                ("workers", "3".into(), "argv".into()),
                ("timeout", "90".into(), "gunicorn.conf.py:2".into()),
                ("forwarded_allow_ips", "*".into(), "argv".into()),
            ]),
        }],
        lineages: Ok(vec![Lineage {
            name: "prime.example.edu".into(),
            names: vec!["prime.example.edu".into()],
            webroot: Some("/srv/prime/webroot".into()),
        }]),
        keys: vec![(KEY.into(), "/home/ann/key.txt".into())],
        region: Some(Region { name: "us-east-2".into(), from: "$AWS_REGION".into() }),
        ..Found::default()
    }
}

#[test]
fn the_runbooks_system_becomes_a_configuration_with_all_four_parts() {
    let text = compose(&runbook(), None);
    let model = parse(&text, "/srv/prime/mainstay.toml").unwrap_or_else(|wrong| panic!("{wrong:?}\n{text}"));
    assert_eq!(model.project, "prime");
    let [site] = &model.sites[..] else { panic!("{text}") };
    assert_eq!((site.name.as_str(), site.url.as_str()), ("prime", "https://prime.example.edu/"));
    assert!(site.nginx.is_some());
    let gunicorn = site.gunicorn.as_ref().unwrap();
    assert_eq!((gunicorn.workers, gunicorn.timeout, gunicorn.threads), (Some(3), Some(90), None));
    assert_eq!(model.backups[0].recipients, [KEY]);
    let [certificate] = &model.certificates[..] else { panic!("{text}") };
    assert_eq!(certificate.webroot.as_deref(), Some(std::path::Path::new("/srv/prime/webroot")));
    assert!(certificate.reload.is_some());
    assert!(text.contains("gunicorn.conf.py:2") && text.contains("us-east-2") && text.contains("/home/ann/key.txt"));
}

#[test]
fn an_empty_folder_becomes_a_configuration_of_comments() {
    let found = Found { folder: "/".into(), ..Found::default() };
    for key in [None, Some(KEY)] {
        let text = compose(&found, key);
        let model = parse(&text, "/mainstay.toml").unwrap_or_else(|wrong| panic!("{wrong:?}\n{text}"));
        assert_eq!((model.project.as_str(), model.sites.len() + model.backups.len()), ("app", 0));
        assert!(text.contains("# url = \"https://prime.example.edu\"") && text.contains("# [backup.app]"), "{text}");
    }
    let secrets = Found { secrets: vec![".env".into()], folder: "/srv/x".into(), ..Found::default() };
    assert!(compose(&secrets, None).contains("mainstay backup keygen"));
    assert_eq!(parse(&compose(&secrets, Some(KEY)), "/srv/x/mainstay.toml").unwrap().backups.len(), 1);
}

#[test]
fn findings_speak_in_one_voice_and_what_could_not_be_asked_is_unknown() {
    let mut found = runbook();
    found.engine = Engine::Trouble("permission denied".into(), "join the group `docker`".into());
    found.lineages = Err("permission denied".into());
    found.nginx[0].servers = Err("nginx: [emerg]\nunknown directive".into());
    found.gunicorn[0].settings = Err("it is not Python".into());
    let told = findings(&found);
    told.iter().for_each(assert_one_voice);
    let unknown = told.iter().filter(|finding| finding.status == Status::Unknown).count();
    assert_eq!(unknown, 4);
    findings(&Found::default()).iter().for_each(assert_one_voice);
    let text = compose(&found, None);
    assert!(parse(&text, "/srv/prime/mainstay.toml").is_ok(), "{text}");
    assert!(text.contains("# The container engine could not be asked: permission denied"), "{text}");
}

#[test]
fn a_file_elsewhere_names_the_folder_that_was_looked_at() {
    let found = Found { is_away: true, ..runbook() };
    let model = parse(&compose(&found, None), "/etc/x/mainstay.toml").unwrap();
    assert_eq!(model.backups[0].root, found.folder);
    assert!(!compose(&runbook(), None).contains("\nroot = "));
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_forbidden_or_hangs_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let found = async |script: Scripted| {
        let context = Context { runner: Arc::new(script), ..Context::real(BTreeMap::new(), folder.path().into()) };
        look(folder.path(), &context).await.engine
    };
    assert_eq!(found(Scripted::default()).await, Engine::Absent);
    let denied =
        "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock\n";
    for script in [
        Scripted::default().on("docker ps", 1, "", denied),
        Scripted::default().fail("docker ps", Failure::TimedOut(std::time::Duration::from_secs(5))),
    ] {
        let Engine::Trouble(why, fix) = found(script).await else { panic!("no trouble") };
        assert!(!why.is_empty() && !fix.is_empty());
    }
}

/// What others can call things.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9.-]{1,12}",
        ".{0,12}",
        Just("prime.example.edu".to_owned()),
        Just("www.prime.example.edu".to_owned()),
        Just("*.example.edu".to_owned()),
        Just("_".to_owned()),
        Just("127.0.0.1".to_owned()),
        Just("a\"]\n[site.x]\nurl = 1\u{0}\u{7f}\u{85}\u{2028}".to_owned()),
    ]
}

fn at() -> impl Strategy<Value = At> {
    // The engine gives no container an empty name.
    let some = || word().prop_filter("a name", |name| !name.trim().is_empty() && !name.contains('\0'));
    prop_oneof![
        Just(At::Host),
        some().prop_map(At::Container),
        (some(), some(), some()).prop_map(|(project, service, name)| At::Service(project, service, name)),
    ]
}

prop_compose! {
    fn outlines()(names in prop::collection::vec(word(), 0..3), tls in prop::collection::vec(1_u16.., 0..2),
        peers in prop::collection::vec(word(), 0..2), file in word(), line in 0_usize..99) -> Outline {
        Outline { at: Place { file: file.into(), line }, ..server(&names, tls, &peers) }
    }
}

prop_compose! {
    fn any_found()(folder in word(), secrets in prop::collection::vec(word(), 0..2),
        nginx in prop::collection::vec((at(), prop::collection::vec(outlines(), 0..4), prop::option::of(word()),
            (1_u16.., word(), 1_u16..)), 0..3),
        gunicorn in prop::collection::vec((at().prop_filter("in a container", |at| *at != At::Host), word(), word(), word()), 0..3),
        lineages in prop::collection::vec((word(), prop::collection::vec(word(), 0..3), prop::option::of(word())), 0..3),
        lost in prop::option::of(word()), region in prop::option::of((word(), word())), stick in word()) -> Found {
        let of_nginx = |(at, servers, why, port): (At, Vec<Outline>, Option<String>, (u16, String, u16))| {
            Nginx { at, servers: why.map_or(Ok(servers), Err), published: vec![port] }
        };
        let of_gunicorn = |(at, alias, value, from): (At, String, String, String)| Gunicorn {
            at, aliases: vec![alias],
            settings: Ok(["workers", "timeout", "forwarded_allow_ips"].map(|key| (key, value.clone(), from.clone())).to_vec()),
        };
        let of_lineage = |(name, names, webroot)| Lineage { name, names, webroot };
        Found {
            folder: format!("/srv/{folder}").into(),
            secrets,
            nginx: nginx.into_iter().map(of_nginx).collect(),
            gunicorn: gunicorn.into_iter().map(of_gunicorn).collect(),
            lineages: lost.map_or(Ok(lineages.into_iter().map(of_lineage).collect()), Err),
            region: region.map(|(name, from)| Region { name, from }),
            destination: Destination::Medium(format!("/media/{}", stick.replace('\0', "")).into()),
            ..Found::default()
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_found_is_written_so_that_it_is_read(found in any_found(), keyed: bool) {
        let text = compose(&found, keyed.then_some(KEY));
        let read = parse(&text, "/srv/prime/mainstay.toml");
        prop_assert!(read.is_ok(), "{:?}\n{}", read.err(), text);
        findings(&found);
    }
}
