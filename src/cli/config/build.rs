//! Makes the [`Model`] out of values that were found right.
//!
//! `None` means that a key of the vocabulary is not of the type that is wanted here: a bug, which the test over
//! `examples/mainstay.toml` finds, and not a mistake of the operator.

use super::{
    model::{
        Backup, Certificate, Compression, Database, Deploy, Domain, Dump, Ec2, Email, Gunicorn, Host, Http, Keep,
        KeyType, Level, Lookup, Method, Model, Mounted, Nginx, Notify, Oauth, Place, Rds, Reload, S3Options, Schedule,
        Service, Site, Timers, Tls, When, Which, Wish,
    },
    value::{FromValue, Tree, Value},
};
use crate::{
    check::{Compose, GunicornSource, NginxSource, Reference, TlsVersion},
    rules::{calendar::Mode, units},
};

/// The model of a tree without mistakes.
pub fn build(tree: &Tree) -> Option<Model> {
    Some(Model {
        project: tree.get("project")?,
        state: tree.maybe("state")?,
        sites: named(tree, "site", site)?,
        backups: named(tree, "backup", backup)?,
        certificates: named(tree, "certificate", certificate)?,
        schedules: named(tree, "schedule", schedule)?,
        host: maybe(tree, "host", host)?,
        domain: maybe(tree, "domain", domain)?,
        database: maybe(tree, "database", database)?,
        notify: notify(&tree.get("notify")?)?,
        timers: timers(&tree.get("timers")?)?,
    })
}

fn named<T>(tree: &Tree, key: &str, make: fn(&str, &Tree) -> Option<T>) -> Option<Vec<T>> {
    let Some(sections) = tree.maybe::<Tree>(key)? else { return Some(Vec::new()) };
    sections.entries.iter().map(|entry| make(&entry.name, &Tree::from_value(&entry.value)?)).collect()
}

fn site(name: &str, tree: &Tree) -> Option<Site> {
    Some(Site {
        name: name.into(),
        url: tree.get("url")?,
        status: match tree.value("status")? {
            one @ Value::Whole(_) => vec![u16::from_value(one)?],
            list => Vec::from_value(list)?,
        },
        contains: tree.maybe("contains")?,
        http: match tree.value("http") {
            None => Http::Derived,
            Some(Value::Flag(_)) => Http::Closed,
            Some(url) => Http::At(FromValue::from_value(url)?),
        },
        addresses: word(tree, "addresses", &[("all", Which::All), ("first", Which::First)])?,
        resolve: tree.maybe("resolve")?.unwrap_or_default(),
        ca_file: tree.maybe("ca_file")?,
        fingerprints: tree
            .get::<Vec<String>>("fingerprints")?
            .iter()
            .map(|text| digest(text))
            .collect::<Option<_>>()?,
        http_closed: level(tree, "http_closed")?,
        trusted_proxy: tree.get("trusted_proxy")?,
        hsts: level(tree, "hsts")?,
        timeout: tree.get("timeout")?,
        tls: tls(&tree.get("tls")?)?,
        nginx: maybe(tree, "nginx", nginx)?,
        gunicorn: maybe(tree, "gunicorn", gunicorn)?,
        oauth: maybe(tree, "oauth", oauth)?,
    })
}

fn tls(tree: &Tree) -> Option<Tls> {
    use TlsVersion::{Tls10, Tls11, Tls12, Tls13};
    let versions = [Tls10, Tls11, Tls12, Tls13].map(|version| (version.number(), version));
    Some(Tls { warn: tree.get("warn")?, fail: tree.get("fail")?, min_version: word(tree, "min_version", &versions)? })
}

fn nginx(tree: &Tree) -> Option<Nginx> {
    let source = if let Some(reference) = reference(tree)? {
        NginxSource::Container(reference)
    } else if let Some(path) = tree.maybe("dump")? {
        NginxSource::Dump(path)
    } else if let Some(path) = tree.maybe("files")? {
        NginxSource::Files(path)
    } else {
        tree.get::<bool>("host")?;
        NginxSource::Host
    };
    Some(Nginx {
        source,
        path: tree.get("path")?,
        http_version: tree.maybe("http_version")?,
        redirect: tree.maybe("redirect")?,
        headers: pairs(tree, "headers")?,
    })
}

/// The container that a section names, by `container` or by `compose`.
fn reference(tree: &Tree) -> Option<Option<Reference>> {
    let name = tree.maybe("container")?.map(Reference::Name);
    let service = tree.maybe("compose")?.map(Reference::Service);
    Some(name.or(service))
}

fn gunicorn(tree: &Tree) -> Option<Gunicorn> {
    let source = if let Some(reference) = reference(tree)? {
        GunicornSource::Container(reference)
    } else if let Some(path) = tree.maybe("pid_file")? {
        GunicornSource::PidFile(path)
    } else {
        GunicornSource::Argv(tree.get("argv")?)
    };
    Some(Gunicorn {
        source,
        workers: tree.maybe("workers")?,
        threads: tree.maybe("threads")?,
        timeout: tree.maybe("timeout")?,
        graceful_timeout: tree.maybe("graceful_timeout")?,
        forwarded_allow_ips: tree.maybe("forwarded_allow_ips")?,
    })
}

fn oauth(tree: &Tree) -> Option<Oauth> {
    let _known = tree.maybe::<String>("provider")?;
    Some(Oauth {
        login: tree.get("login")?,
        authorize: tree.maybe("authorize")?,
        redirect_uri: tree.maybe("redirect_uri")?,
        client_id: tree.maybe("client_id")?,
    })
}

fn backup(name: &str, tree: &Tree) -> Option<Backup> {
    use super::value::Origin;
    let is_default = |key: &str| tree.entries.iter().any(|e| e.name == key && e.origin == Origin::Default);
    Some(Backup {
        name: name.into(),
        root: tree.get("root")?,
        include: tree.get("include")?,
        include_is_default: is_default("include"),
        exclude: tree.get("exclude")?,
        optional: tree.get("optional")?,
        recipients: tree.maybe("recipients")?.unwrap_or_default(),
        recipients_file: tree.maybe("recipients_file")?,
        passphrase: tree.maybe("passphrase")?,
        to: tree.get("to")?,
        compression: word(tree, "compression", &[("gzip", Compression::Gzip), ("zstd", Compression::Zstd)])?,
        mounted: match tree.value("mounted")? {
            Value::Flag(true) => Mounted::Always,
            Value::Flag(false) => Mounted::Never,
            Value::Text(_) => Mounted::Auto,
            _ => return None,
        },
        required: list_or_all(tree, "required")?,
        signers: tree.get("signers")?,
        timezone: tree.get("timezone")?,
        min_good: tree.get("min_good")?,
        one_file_system: tree.get("one_file_system")?,
        after_restore: tree.maybe("after_restore")?,
        keep: keep(&tree.get("keep")?)?,
        max_age: tree.get("max_age")?,
        max_drill_age: tree.get("max_drill_age")?,
        dumps: many(tree, "dump", dump)?,
        s3: maybe(tree, "s3", s3)?.unwrap_or_default(),
    })
}

fn keep(tree: &Tree) -> Option<Keep> {
    Some(Keep {
        last: tree.maybe("last")?,
        hourly: tree.maybe("hourly")?,
        daily: tree.maybe("daily")?,
        weekly: tree.maybe("weekly")?,
        monthly: tree.maybe("monthly")?,
        yearly: tree.maybe("yearly")?,
        within: tree.maybe("within")?,
    })
}

fn dump(tree: &Tree) -> Option<Dump> {
    Some(Dump {
        name: tree.get("name")?,
        command: tree.get("command")?,
        timeout: tree.get("timeout")?,
        min_bytes: tree.get("min_bytes")?,
    })
}

fn s3(tree: &Tree) -> Option<S3Options> {
    Some(S3Options {
        region: tree.maybe("region")?,
        endpoint: tree.maybe("endpoint")?,
        storage_class: tree.maybe("storage_class")?,
        kms_key: tree.maybe("kms_key")?,
        object_lock: tree.maybe("object_lock")?,
    })
}

fn certificate(name: &str, tree: &Tree) -> Option<Certificate> {
    let methods = [("auto", Method::Auto), ("standalone", Method::Standalone), ("webroot", Method::Webroot)];
    Some(Certificate {
        name: name.into(),
        names: tree.get("names")?,
        method: word(tree, "method", &methods)?,
        webroot: tree.maybe("webroot")?,
        certbot: tree.get("certbot")?,
        directory: tree.get("directory")?,
        stop: list_or_all(tree, "stop")?,
        reload: maybe(tree, "reload", reload)?,
        verify: tree.maybe("verify")?.unwrap_or_default(),
        email: tree.maybe("email")?,
        agree_tos: tree.get("agree_tos")?,
        key_type: word(tree, "key_type", &[("ecdsa", KeyType::Ecdsa), ("rsa", KeyType::Rsa)])?,
        server: tree.maybe("server")?,
        deadline: tree.get("deadline")?,
    })
}

fn reload(tree: &Tree) -> Option<Reload> {
    Some(if let Some(reference) = reference(tree)? {
        Reload::Container(reference)
    } else if let Some(unit) = tree.maybe("systemd")? {
        Reload::Systemd(unit)
    } else {
        Reload::Command(tree.get("command")?)
    })
}

fn schedule(name: &str, tree: &Tree) -> Option<Schedule> {
    let modes = [("both", Mode::Both), ("start-only", Mode::StartOnly), ("stop-only", Mode::StopOnly)];
    let services = tree.get::<Vec<String>>("order")?;
    let service = |text: &String| if text == "ec2" { Service::Ec2 } else { Service::Rds };
    Some(Schedule {
        name: name.into(),
        timezone: tree.get("timezone")?,
        on: tree.maybe("on")?.unwrap_or_default(),
        off_dates: tree.get("off_dates")?,
        on_dates: tree.get("on_dates")?,
        mode: word(tree, "mode", &modes)?,
        always_off: tree.get("always_off")?,
        enforce: tree.get("enforce")?,
        max_late: tree.get("max_late")?,
        order: services.iter().map(service).collect(),
        ec2: many(tree, "ec2", ec2)?,
        rds: many(tree, "rds", rds)?,
        prices: pairs(tree, "prices")?,
        deploy: maybe(tree, "deploy", deploy)?,
    })
}

fn ec2(tree: &Tree) -> Option<Ec2> {
    let wishes = [("never", Wish::Never), ("prefer", Wish::Prefer), ("require", Wish::Require)];
    Some(Ec2 {
        regions: tree.get("regions")?,
        tags: pairs(tree, "tags")?,
        ids: tree.maybe("ids")?.unwrap_or_default(),
        role: tree.maybe("role")?,
        external_id: tree.maybe("external_id")?,
        hibernate: word(tree, "hibernate", &wishes)?,
    })
}

fn rds(tree: &Tree) -> Option<Rds> {
    let wishes = [("never", Wish::Never), ("best-effort", Wish::Prefer), ("require", Wish::Require)];
    Some(Rds {
        regions: tree.get("regions")?,
        tags: pairs(tree, "tags")?,
        ids: tree.maybe("ids")?.unwrap_or_default(),
        clusters: tree.maybe("clusters")?.unwrap_or_default(),
        role: tree.maybe("role")?,
        external_id: tree.maybe("external_id")?,
        snapshot: word(tree, "snapshot", &wishes)?,
    })
}

fn deploy(tree: &Tree) -> Option<Deploy> {
    let _by_function = tree.get::<String>("via")?;
    Some(Deploy {
        group: tree.get("group")?,
        role: tree.get("role")?,
        function: tree.maybe("function")?,
        dead_letter_queue: tree.maybe("dead_letter_queue")?,
    })
}

fn host(tree: &Tree) -> Option<Host> {
    let disk: Tree = tree.get("disk")?;
    let share = |key: &str| units::parse_share(&disk.get::<String>(key)?).ok();
    Some(Host {
        disk_warn: share("warn")?,
        disk_fail: share("fail")?,
        paths: tree.get("paths")?,
        updates: level(tree, "updates")?,
        reboot: level(tree, "reboot")?,
        lists_max_age: tree.get("lists_max_age")?,
        clock: tree.get("clock")?,
        containers: match tree.value("containers") {
            None => Some(Vec::new()),
            Some(Value::Flag(_)) => None,
            Some(names) => Some(FromValue::from_value(names)?),
        },
    })
}

fn domain(tree: &Tree) -> Option<Domain> {
    Some(Domain {
        names: tree.maybe("names")?.unwrap_or_default(),
        warn: tree.get("warn")?,
        fail: tree.get("fail")?,
        registries: tree.get("registries")?,
    })
}

fn database(tree: &Tree) -> Option<Database> {
    Some(Database { warn: tree.get("warn")?, fail: tree.get("fail")?, public: level(tree, "public")? })
}

fn notify(tree: &Tree) -> Option<Notify> {
    let times = [("always", When::Always), ("change", When::Change), ("failure", When::Failure)];
    Some(Notify {
        on: word(tree, "on", &times)?,
        webhook: tree.maybe("webhook")?,
        email: maybe(tree, "email", email)?,
        ping: pairs(tree, "ping")?,
    })
}

fn email(tree: &Tree) -> Option<Email> {
    Some(Email { to: tree.get("to")?, from: tree.get("from")?, smtp: tree.get("smtp")? })
}

fn timers(tree: &Tree) -> Option<Timers> {
    Some(Timers {
        check: tree.get("check")?,
        backup: tree.get("backup")?,
        renew_cert: tree.get("renew-cert")?,
        schedule: tree.get("schedule")?,
    })
}

fn maybe<T>(tree: &Tree, key: &str, make: fn(&Tree) -> Option<T>) -> Option<Option<T>> {
    tree.maybe::<Tree>(key)?.map_or(Some(None), |tree| make(&tree).map(Some))
}

fn many<T>(tree: &Tree, key: &str, make: fn(&Tree) -> Option<T>) -> Option<Vec<T>> {
    tree.maybe::<Vec<Tree>>(key)?.unwrap_or_default().iter().map(make).collect()
}

fn pairs<T: FromValue>(tree: &Tree, key: &str) -> Option<Vec<(String, T)>> {
    let map = tree.maybe::<Tree>(key)?.unwrap_or_default();
    map.entries.iter().map(|entry| Some((entry.name.clone(), T::from_value(&entry.value)?))).collect()
}

/// `None` inside for a word such as `"all"` or `"auto"`.
fn list_or_all<T: FromValue>(tree: &Tree, key: &str) -> Option<Option<Vec<T>>> {
    match tree.value(key)? {
        Value::Text(_) => Some(None),
        list => Vec::from_value(list).map(Some),
    }
}

fn word<T: Copy>(tree: &Tree, key: &str, words: &[(&str, T)]) -> Option<T> {
    let text: String = tree.get(key)?;
    words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning)
}

fn level(tree: &Tree, key: &str) -> Option<Level> {
    word(tree, key, &[("fail", Level::Fail), ("warn", Level::Warn), ("pass", Level::Pass), ("off", Level::Off)])
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).filter_map(|d| u8::try_from(d).ok()).collect();
    let bytes: Vec<u8> =
        digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    bytes.try_into().ok()
}

impl FromValue for Compose {
    fn from_value(value: &Value) -> Option<Self> {
        let tree = Tree::from_value(value)?;
        Some(Self { project: tree.get("project")?, service: tree.get("service")? })
    }
}

impl FromValue for Place {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Path(path) => Some(Self::Folder(path.clone())),
            Value::Text(text) => match text.strip_prefix("s3://") {
                Some(rest) => {
                    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                    Some(Self::S3 { bucket: bucket.into(), prefix: prefix.trim_matches('/').into() })
                }
                None => text.strip_prefix("rclone:").map(|remote| Self::Rclone(remote.to_owned())),
            },
            _ => None,
        }
    }
}

impl FromValue for Lookup {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Text(text) = value { text.parse().ok() } else { None }
    }
}
