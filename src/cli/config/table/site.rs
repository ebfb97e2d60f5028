//! `[site.NAME]`: what `check` looks at.

use super::{COMPOSE, Default, Fact, Key, Kind, Rule, Table, Text};

/// `[site.NAME]`.
pub(super) static SITE: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "url",
            kind: Kind::Text(Text::Url(&["https", "http"])),
            default: Default::Required,
            doc: "The address that is asked.",
            example: "\"https://prime.example.edu\"",
        },
        Key {
            name: "status",
            kind: Kind::Either(&[Kind::Whole(100, 599), Kind::List(&Kind::Whole(100, 599), 1)]),
            default: Default::Value("200"),
            doc: "The status code that is right, or a list of them.",
            example: "[200, 204]",
        },
        Key {
            name: "contains",
            kind: Kind::Text(Text::Any),
            default: Default::Unset,
            doc: "Text that the answer must contain, so that it is this application and not a default server.",
            example: "\"<title>Prime</title>\"",
        },
        Key {
            name: "http",
            kind: Kind::Either(&[Kind::Only(false), Kind::Text(Text::Url(&["http"]))]),
            default: Default::Words("http:// and the host of `url`, unless `url` has a port of its own"),
            doc: "The plain address that must redirect to `url`; `false` where port 80 is closed on purpose.",
            example: "\"http://prime.example.edu/\"",
        },
        Key {
            name: "addresses",
            kind: Kind::Text(Text::Word(&["all", "first"])),
            default: Default::Value("\"all\""),
            doc: "Whether every A and AAAA address is looked at, or one that answers is enough.",
            example: "\"first\"",
        },
        Key {
            name: "resolve",
            kind: Kind::List(&Kind::Text(Text::Resolve), 1),
            default: Default::Unset,
            doc: "Look at these addresses instead of those in the DNS (a new host before the switch): an address, or `HOST:PORT:ADDRESS`.",
            example: "[\"10.0.0.7\"]",
        },
        Key {
            name: "ca_file",
            kind: Kind::Text(Text::Path),
            default: Default::Unset,
            doc: "A PEM file with authorities to trust besides the machine's.",
            example: "\"ca.pem\"",
        },
        Key {
            name: "fingerprints",
            kind: Kind::List(&Kind::Text(Text::Fingerprint), 0),
            default: Default::Value("[]"),
            doc: "SHA-256 of certificates that are right although no authority vouches for them.",
            example: "[\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"]",
        },
        Key {
            name: "http_closed",
            kind: Kind::Text(Text::Word(&["fail", "warn", "pass"])),
            default: Default::Value("\"fail\""),
            doc: "What a closed port 80 means.",
            example: "\"warn\"",
        },
        Key {
            name: "trusted_proxy",
            kind: Kind::Flag,
            default: Default::Value("false"),
            doc: "Whether another proxy in front sets `X-Forwarded-*`.",
            example: "true",
        },
        Key {
            name: "hsts",
            kind: Kind::Text(Text::Word(&["fail", "warn", "off"])),
            default: Default::Value("\"warn\""),
            doc: "What a missing `Strict-Transport-Security` means.",
            example: "\"fail\"",
        },
        Key {
            name: "timeout",
            kind: Kind::Text(Text::Duration),
            default: Default::Value("\"10s\""),
            doc: "The deadline for each address of the site.",
            example: "\"5s\"",
        },
        Key {
            name: "tls",
            kind: Kind::Table(&TLS),
            default: Default::Value("{}"),
            doc: "What the certificate and the protocols must be like.",
            example: "",
        },
        Key {
            name: "nginx",
            kind: Kind::Table(&NGINX),
            default: Default::Unset,
            doc: "The nginx that answers, and what it must pass on.",
            example: "",
        },
        Key {
            name: "gunicorn",
            kind: Kind::Table(&GUNICORN),
            default: Default::Unset,
            doc: "The gunicorn behind it; only the settings that are given are judged.",
            example: "",
        },
        Key {
            name: "oauth",
            kind: Kind::Table(&OAUTH),
            default: Default::Unset,
            doc: "The login that must lead to the provider.",
            example: "",
        },
    ],
    rules: &[],
};

/// `[site.NAME.tls]`.
static TLS: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "warn",
            kind: Kind::Text(Text::Threshold),
            default: Default::Value("\"25%\""),
            doc: "Less validity left than this is a warning: a share of the certificate's lifetime, or a time.",
            example: "\"21d\"",
        },
        Key {
            name: "fail",
            kind: Kind::Text(Text::Threshold),
            default: Default::Value("\"10%\""),
            doc: "Less validity left than this is a failure.",
            example: "\"7d\"",
        },
        Key {
            name: "min_version",
            kind: Kind::Text(Text::Word(&["1.0", "1.1", "1.2", "1.3"])),
            default: Default::Value("\"1.2\""),
            doc: "The oldest version of TLS that may be offered.",
            example: "\"1.3\"",
        },
    ],
    rules: &[Rule::Fact(Fact::FailAfterWarn)],
};

/// `[site.NAME.nginx]`.
static NGINX: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "container",
            kind: Kind::Text(Text::Any),
            default: Default::Unset,
            doc: "The container that runs nginx, by its name or id.",
            example: "\"prime_webtool_nginx_1\"",
        },
        Key {
            name: "compose",
            kind: Kind::Table(&COMPOSE),
            default: Default::Unset,
            doc: "The Compose service that runs nginx, found by its labels.",
            example: "{ project = \"prime_webtool\", service = \"nginx\" }",
        },
        Key {
            name: "host",
            kind: Kind::Only(true),
            default: Default::Unset,
            doc: "`true` for the nginx of this machine.",
            example: "true",
        },
        Key {
            name: "dump",
            kind: Kind::Text(Text::Path),
            default: Default::Unset,
            doc: "A file with the output of `nginx -T`.",
            example: "\"nginx-T.txt\"",
        },
        Key {
            name: "files",
            kind: Kind::Text(Text::Path),
            default: Default::Unset,
            doc: "The main configuration file; includes are read beside it.",
            example: "\"nginx.conf\"",
        },
        Key {
            name: "path",
            kind: Kind::Text(Text::UrlPath),
            default: Default::Value("\"/\""),
            doc: "The URL path whose server and location are judged.",
            example: "\"/app/\"",
        },
        Key {
            name: "http_version",
            kind: Kind::Text(Text::Word(&["1.0", "1.1", "2"])),
            default: Default::Unset,
            doc: "What `proxy_http_version` must be.",
            example: "\"1.1\"",
        },
        Key {
            name: "redirect",
            kind: Kind::Text(Text::Any),
            default: Default::Unset,
            doc: "What `proxy_redirect` must be.",
            example: "\"off\"",
        },
        Key {
            name: "headers",
            kind: Kind::Map(Text::Header, &Kind::Text(Text::Any)),
            default: Default::Value(
                "{ X-Forwarded-Proto = \"$scheme\", X-Forwarded-Host = \"$host\", X-Forwarded-Port = \"$server_port\" }",
            ),
            doc: "The headers that the application must receive, with nginx variables. Given, they replace the default as a whole.",
            example: "{ X-Forwarded-Proto = \"$scheme\", X-Real-IP = \"$remote_addr\" }",
        },
    ],
    rules: &[Rule::ExactlyOne(&["container", "compose", "host", "dump", "files"])],
};

/// `[site.NAME.gunicorn]`.
static GUNICORN: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "container",
            kind: Kind::Text(Text::Any),
            default: Default::Unset,
            doc: "The container that runs gunicorn, by its name or id.",
            example: "\"prime_webtool_web_1\"",
        },
        Key {
            name: "compose",
            kind: Kind::Table(&COMPOSE),
            default: Default::Unset,
            doc: "The Compose service that runs gunicorn, found by its labels.",
            example: "{ project = \"prime_webtool\", service = \"web\" }",
        },
        Key {
            name: "pid_file",
            kind: Kind::Text(Text::Path),
            default: Default::Unset,
            doc: "The pid file of a master on this machine.",
            example: "\"/run/gunicorn.pid\"",
        },
        Key {
            name: "argv",
            kind: Kind::List(&Kind::Text(Text::Any), 1),
            default: Default::Unset,
            doc: "A command line to judge, for a rehearsal.",
            example: "[\"gunicorn\", \"--workers\", \"3\", \"app:app\"]",
        },
        Key {
            name: "workers",
            kind: Kind::Whole(1, 100000),
            default: Default::Unset,
            doc: "What `--workers` must be.",
            example: "3",
        },
        Key {
            name: "threads",
            kind: Kind::Whole(1, 100000),
            default: Default::Unset,
            doc: "What `--threads` must be.",
            example: "4",
        },
        Key {
            name: "timeout",
            kind: Kind::Whole(0, 1000000),
            default: Default::Unset,
            doc: "What `--timeout` must be, in seconds.",
            example: "90",
        },
        Key {
            name: "graceful_timeout",
            kind: Kind::Whole(0, 1000000),
            default: Default::Unset,
            doc: "What `--graceful-timeout` must be, in seconds.",
            example: "30",
        },
        Key {
            name: "forwarded_allow_ips",
            kind: Kind::Text(Text::Forwarders),
            default: Default::Unset,
            doc: "What `--forwarded-allow-ips` must be: `*`, or addresses and networks with commas between them.",
            example: "\"*\"",
        },
    ],
    rules: &[Rule::ExactlyOne(&["container", "compose", "pid_file", "argv"])],
};

/// `[site.NAME.oauth]`.
static OAUTH: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "login",
            kind: Kind::Text(Text::UrlOrPath),
            default: Default::Required,
            doc: "The path (or address) that begins the login.",
            example: "\"/auth/login\"",
        },
        Key {
            name: "provider",
            kind: Kind::Text(Text::Word(&["google"])),
            default: Default::Unset,
            doc: "A provider that mainstay knows.",
            example: "\"google\"",
        },
        Key {
            name: "authorize",
            kind: Kind::Text(Text::Url(&["https"])),
            default: Default::Unset,
            doc: "The authorization endpoint of another provider.",
            example: "\"https://login.example.edu/authorize\"",
        },
        Key {
            name: "redirect_uri",
            kind: Kind::Text(Text::Url(&["https", "http"])),
            default: Default::Unset,
            doc: "What `redirect_uri` must be, letter by letter.",
            example: "\"https://prime.example.edu/auth/callback\"",
        },
        Key {
            name: "client_id",
            kind: Kind::Text(Text::Any),
            default: Default::Unset,
            doc: "What `client_id` must be.",
            example: "\"1234.apps.googleusercontent.com\"",
        },
    ],
    rules: &[Rule::ExactlyOne(&["provider", "authorize"])],
};
