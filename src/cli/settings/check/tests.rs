use std::{collections::BTreeMap, path::Path, time::Duration};

use super::*;
use crate::{
    check::{Family, Threshold, TlsVersion},
    cli::config::{Found, value::Tree},
};

const FILE: &str = "\
[site.prime]
url = \"https://prime.example.edu\"
status = [200, 204]
resolve = [\"10.0.0.7\"]
hsts = \"off\"
http_closed = \"warn\"
[site.prime.nginx]
container = \"nginx\"
[site.prime.oauth]
login = \"/auth/login?next=/\"
provider = \"google\"
[site.api]
url = \"https://api.example.edu:8443/v1\"
timeout = \"3s\"
[site.api.tls]
warn = \"21d\"
fail = \"7d\"
min_version = \"1.3\"
[site.api.nginx]
host = true
[site.api.nginx.headers]
X-Real-IP = \"$remote_addr\"
[site.closed]
url = \"https://closed.example.edu\"
http = false
fingerprints = [\"9F:86:D0:81:88:4C:7D:65:9A:2F:EA:A0:C5:5A:D0:15:A3:BF:4F:1B:2B:0B:82:2C:D1:5D:6C:15:B0:F0:0A:08\"]
";

fn args(targets: &[&str]) -> CheckArgs {
    CheckArgs { targets: targets.iter().map(|target| target.to_string()).collect(), ..CheckArgs::default() }
}

const KNOWN: &[&str] = &["tls.chain", "tls.name", "http.status", "nginx.headers"];

/// A configuration with this text, as if it had been read from this file.
fn read(text: &str, path: &str) -> Loaded {
    Loaded {
        model: config::parse(text, path).unwrap(),
        tree: Tree::default(),
        path: path.into(),
        found: Found::Flag,
        text: String::new(),
        warnings: Vec::new(),
    }
}

fn context(folder: &Path) -> Context {
    Context::real(BTreeMap::new(), folder.to_path_buf())
}

fn settings(args: &CheckArgs) -> Result<Settings> {
    check_settings(Some(&read(FILE, "/srv/mainstay.toml")), args, KNOWN, &context(Path::new("/")))
}

fn one(target: &str) -> Site {
    check_settings(None, &args(&[target]), KNOWN, &context(Path::new("/"))).unwrap().sites.remove(0)
}

fn names(settings: &Settings) -> Vec<&str> {
    settings.sites.iter().map(|site| site.name.as_str()).collect()
}

#[test]
fn without_names_all_sites_are_looked_at_in_the_order_of_the_file() {
    let settings = settings(&args(&[])).unwrap();
    assert_eq!(names(&settings), ["prime", "api", "closed"]);
    assert_eq!((settings.concurrency, settings.strict, settings.wait), (CONCURRENCY, false, None));
}

#[test]
fn names_and_addresses_are_told_apart_and_taken_once() {
    let settings = settings(&args(&["api", "https://x.example", "api", "y.example:8443/z", "prime"])).unwrap();
    assert_eq!(names(&settings), ["api", "https://x.example", "y.example:8443/z", "prime"]);
}

#[test]
fn a_site_of_the_file_is_as_the_file_says() {
    let settings = settings(&args(&[])).unwrap();
    let [prime, api, closed] = &settings.sites[..] else { panic!("three sites") };
    assert_eq!(prime.status, [200, 204]);
    assert_eq!(prime.http, HttpSide::Redirects(Url::parse("http://prime.example.edu/").unwrap()));
    assert_eq!((prime.hsts, prime.http_closed), (None, Status::Warn));
    assert_eq!(prime.resolve, [Resolve { host: None, port: None, address: "10.0.0.7".parse().unwrap() }]);
    let headers: Vec<_> = prime.nginx.as_ref().unwrap().headers.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(headers, ["X-Forwarded-Host=$host", "X-Forwarded-Port=$server_port", "X-Forwarded-Proto=$scheme"]);
    let oauth = prime.oauth.as_ref().unwrap();
    assert_eq!(oauth.login.as_str(), "https://prime.example.edu/auth/login?next=/");
    assert_eq!(oauth.provider, Provider::Google);
    assert_eq!(api.http, HttpSide::Unsaid("the address has a port of its own; set `http` to the plain address".into()));
    assert_eq!((api.timeout, api.tls.min_version), (Duration::from_secs(3), TlsVersion::Tls13));
    assert_eq!(api.tls.warn, Threshold::Time(Duration::from_secs(21 * 86_400)));
    let nginx = api.nginx.as_ref().unwrap();
    assert_eq!(nginx.source, crate::check::NginxSource::Host);
    assert_eq!(nginx.headers.len(), 1, "headers of the file take the place of the default");
    assert_eq!(closed.http, HttpSide::Closed);
    assert_eq!(closed.fingerprints[0][..3], [0x9f, 0x86, 0xd0]);
}

#[test]
fn an_address_needs_no_file_and_has_the_defaults() {
    let site = one("https://prime.example.edu/app?x=1");
    assert_eq!(site.url.as_str(), "https://prime.example.edu/app?x=1");
    assert_eq!(site.http, HttpSide::Redirects(Url::parse("http://prime.example.edu/").unwrap()));
    assert_eq!((site.status.as_slice(), site.timeout), (&[200][..], Duration::from_secs(10)));
    assert_eq!((site.tls.warn, site.tls.fail), (Threshold::Share(0.25), Threshold::Share(0.1)));
    assert_eq!((site.hsts, site.http_closed, site.trusted_proxy), (Some(Status::Warn), Status::Fail, false));
    assert!(site.nginx.is_none() && site.gunicorn.is_none() && site.oauth.is_none());
}

#[test]
fn addresses_are_understood_as_people_type_them() {
    let table = [
        ("prime.example.edu", "https://prime.example.edu/"),
        ("prime.example.edu:8443/x", "https://prime.example.edu:8443/x"),
        ("localhost:8443", "https://localhost:8443/"),
        ("HTTPS://Prime.Example.EDU", "https://prime.example.edu/"),
        ("http://prime.example.edu", "http://prime.example.edu/"),
        ("https://prime.example.edu:443/", "https://prime.example.edu/"),
        ("[::1]:8443", "https://[::1]:8443/"),
        ("::1", "https://[::1]/"),
        ("192.0.2.1", "https://192.0.2.1/"),
        ("https://a.example/@ops?x=@", "https://a.example/@ops?x=@"),
        ("bücher.example", "https://xn--bcher-kva.example/"),
        ("https://bücher.example/straße", "https://xn--bcher-kva.example/stra%C3%9Fe"),
    ];
    for (typed, url) in table {
        let site = one(typed);
        assert_eq!((site.url.as_str(), site.name.as_str()), (url, typed));
    }
    assert_eq!(one("bücher.example").http, HttpSide::Redirects(Url::parse("http://xn--bcher-kva.example/").unwrap()));
    assert_eq!(one("http://a.example").http, HttpSide::Unsaid("the address itself is plain http".into()));
    assert!(matches!(one("a.example:8443").http, HttpSide::Unsaid(_)));
}

#[test]
fn wrong_targets_are_refused_with_what_to_do() {
    let refused = |target: &str| settings(&args(&[target])).unwrap_err();
    let error = refused("prim");
    assert_eq!((error.kind, error.what.as_str()), (Kind::Usage, "check `prim`"));
    assert_eq!(error.why, ["nothing in the configuration has this name; there are `prime`, `api`, `closed`"]);
    assert_eq!(error.hints, ["did you mean `prime`?", "for an address: mainstay check https://prim"]);
    for (target, why) in [
        ("ftp://a.example", "it must be an address that begins with https:// or http://, not \"ftp://a.example\""),
        ("https://", "empty host"),
        ("https://a.example:99999", "invalid port number"),
        ("https://a.example:0", "there is no port 0"),
        ("a.example /x", "an address has no blanks and no control characters"),
        ("a.example\n", "an address has no blanks and no control characters"),
        ("https://ops:hunter2@a.example", "a user or password can not stand in it"),
        ("", "nothing in the configuration has this name; there are `prime`, `api`, `closed`"),
    ] {
        let error = refused(target);
        assert_eq!((error.kind, error.why.as_slice()), (Kind::Usage, &[why.to_string()][..]), "{target}");
        assert!(!format!("{error:?}").contains("hunter2"));
        assert!(!error.what.contains('\n'));
    }
}

#[test]
fn nothing_to_check_is_an_error_with_two_ways_out() {
    let error = check_settings(None, &args(&[]), KNOWN, &context(Path::new("/"))).unwrap_err();
    assert_eq!(error.kind, Kind::Config);
    assert!(error.hints[0].contains("mainstay check https://") && error.hints[1].contains("[site.prime]"), "{error:?}");
    let empty = read("project = \"x\"", "mainstay.toml");
    let error = check_settings(Some(&empty), &args(&[]), KNOWN, &context(Path::new("/"))).unwrap_err();
    assert_eq!(error.why, ["mainstay.toml has no section that `check` looks at, and no address was given"]);
}

#[test]
fn only_and_skip_take_ids_and_first_words() {
    let with = |only: &[&str], skip: &[&str]| {
        let list = |words: &[&str]| words.iter().map(|word| word.to_string()).collect();
        settings(&CheckArgs { only: list(only), skip: list(skip), ..args(&[]) })
    };
    assert_eq!(with(&["tls", "http.status"], &["tls.name"]).unwrap().only, ["tls", "http.status"]);
    assert_eq!(with(&["tls, nginx.headers"], &[]).unwrap().only, ["tls", "nginx.headers"]);
    let error = with(&["tsl.name"], &[]).unwrap_err();
    assert_eq!((error.kind, error.what.as_str()), (Kind::Usage, "use `--only tsl.name`"));
    assert_eq!(error.hints, ["did you mean `tls.name`?", "`mainstay check --list` prints every check"]);
    assert!(with(&[], &["name"]).is_err(), "the second word alone is no check");
    assert!(with(&["t"], &[]).is_err(), "a part of a word is no check");
    assert!(with(&[","], &[]).is_err(), "a list of nothing must not mean everything");
    assert_eq!(
        with(&["tls"], &["tls"]).unwrap_err().why,
        ["--only and --skip leave no check over for what is to be looked at"]
    );
}

#[test]
fn resolve_takes_the_place_of_the_file_for_its_host_only() {
    let with = |resolve: &[&str]| {
        let resolve = resolve.iter().map(|text| text.to_string()).collect();
        settings(&CheckArgs { resolve, ..args(&["prime"]) })
    };
    let ours = with(&["Prime.example.edu:443:[2001:db8::1]", "prime.example.edu:80:2001:db8::2"]).unwrap();
    let shown: Vec<_> = ours.sites[0].resolve.iter().map(|entry| (entry.port, entry.address.to_string())).collect();
    assert_eq!(shown, [(Some(443), "2001:db8::1".into()), (Some(80), "2001:db8::2".into())]);
    assert_eq!(ours.sites[0].resolve[0].host.as_deref(), Some("prime.example.edu"));
    let other = with(&["login.example:443:10.0.0.9"]).unwrap();
    assert_eq!(other.sites[0].resolve.len(), 2, "what the file says of the site stays");
    assert_eq!(with(&["[::1]:443:127.0.0.1"]).unwrap().sites[0].resolve[0].host.as_deref(), Some("[::1]"));
    let idn = with(&["bücher.example:443:10.0.0.9"]).unwrap();
    assert_eq!(idn.sites[0].resolve[0].host.as_deref(), Some("xn--bcher-kva.example"));
    for wrong in
        ["10.0.0.7", "a.example:10.0.0.7", "a.example:0:10.0.0.7", "a.example:443:b.example", ":443:10.0.0.7", "::", ""]
    {
        let error = with(&[wrong]).unwrap_err();
        assert_eq!(error.kind, Kind::Usage, "{wrong}");
        assert_eq!(error.what, format!("use `--resolve {wrong}`"));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test makes the files that are named")]
fn the_ca_file_is_read_or_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| std::fs::write(folder.path().join(name), content).unwrap();
    let pem = rcgen::generate_simple_self_signed(vec!["a.example".into()]).unwrap().cert;
    write("ca.pem", format!("{}\n{}", pem.pem(), pem.pem()).as_bytes());
    write("ca.der", pem.der());
    write("empty.pem", b"");
    write("cut.pem", &pem.pem().as_bytes()[..200]);
    write("other.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let with = |name: &str| {
        let args = CheckArgs { ca_file: Some(name.into()), ..args(&["https://a.example"]) };
        check_settings(None, &args, KNOWN, &context(folder.path()))
    };
    let site = with("ca.pem").unwrap().sites.remove(0);
    assert_eq!((site.extra_roots.len(), site.ca_file), (2, Some(folder.path().join("ca.pem"))));
    for (name, why) in [
        ("absent.pem", "No such file or directory (os error 2)"),
        ("empty.pem", "there is no PEM certificate in it"),
        ("ca.der", "there is no PEM certificate in it"),
        ("cut.pem", "it is damaged: its PEM can not be read"),
        ("other.pem", "its certificate 1 is not X.509"),
    ] {
        let error = with(name).unwrap_err();
        assert_eq!((error.kind, error.why.as_slice()), (Kind::Usage, &[why.to_string()][..]), "{name}");
    }
    assert!(with("ca.der").unwrap_err().hints[0].contains("-inform der"));
    // The same, named by the file, is a mistake of the configuration.
    let text = "[site.a]\nurl = \"https://a.example\"\nca_file = \"absent.pem\"\n";
    let loaded = read(text, &folder.path().join("mainstay.toml").display().to_string());
    let error = check_settings(Some(&loaded), &args(&[]), KNOWN, &context(Path::new("/"))).unwrap_err();
    assert_eq!(error.kind, Kind::Config);
    assert!(error.what.ends_with("/absent.pem`"), "{error:?}");
}

#[test]
fn the_other_flags_are_handed_on() {
    let args = CheckArgs { wait: Some(Duration::from_secs(60)), strict: true, ipv6: true, ..args(&["prime"]) };
    let settings = settings(&args).unwrap();
    assert_eq!((settings.wait, settings.strict), (Some(Duration::from_secs(60)), true));
    assert_eq!(settings.sites[0].family, Family::V6);
}

#[test]
fn names_choose_sites_and_backups_and_both_where_they_share_one() {
    const BOTH: &str = "state = \"/state\"\n[site.prime]\nurl = \"https://prime.example.edu\"\n\
        [backup.prime]\npassphrase = { env = \"P\" }\nto = [\"/mnt/a\"]\n\
        [backup.media]\npassphrase = { env = \"P\" }\nto = [\"/mnt/b\"]\n";
    let loaded = read(BOTH, "/srv/mainstay.toml");
    let of = |targets: &[&str], only: &[&str]| {
        let only = only.iter().map(|word| (*word).to_owned()).collect();
        let args = CheckArgs { only, ..args(targets) };
        let known: Vec<_> = check::REGISTRY.checks().map(|check| check.id).collect();
        let settings = check_settings(Some(&loaded), &args, &known, &context(Path::new("/")))?;
        let backups = settings.backups.iter().map(|backup| backup.set.name.clone()).collect::<Vec<_>>();
        Ok::<_, Error>((settings.sites.into_iter().map(|site| site.name).collect::<Vec<_>>(), backups))
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(of(&[], &[]).unwrap(), (names(&["prime"]), names(&["prime", "media"])));
    assert_eq!(of(&["prime"], &[]).unwrap(), (names(&["prime"]), names(&["prime"])));
    assert_eq!(of(&["media"], &[]).unwrap(), (names(&[]), names(&["media"])));
    assert_eq!(of(&["media", "https://x.example"], &[]).unwrap(), (names(&["https://x.example"]), names(&["media"])));
    let error = of(&["meida"], &[]).unwrap_err();
    assert_eq!(error.why, ["nothing in the configuration has this name; there are `prime`, `media`"]);
    assert_eq!(error.hints[0], "did you mean `media`?");
    assert!(of(&["media"], &["tls"]).is_err() && of(&["https://x.example"], &["backup"]).is_err(), "nothing is left");
    assert!(of(&["media"], &["backup.fresh"]).is_ok());
}
