//! `[certificate.NAME]`: what certbot renews, and how.

use super::{COMPOSE, Default, Key, Kind, Rule, Table, Text};

/// `[certificate.NAME]`.
pub(super) static CERTIFICATE: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "names",
            kind: Kind::List(&Kind::Text(Text::Host), 1),
            default: Default::Required,
            doc: "The names of the certificate.",
            example: "[\"prime.example.edu\"]",
        },
        Key {
            name: "method",
            kind: Kind::Text(Text::Word(&["auto", "webroot", "standalone"])),
            default: Default::Value("\"auto\""),
            doc: "`webroot` renews without stopping anything, `standalone` stops what holds port 80; `auto`: webroot where a probe token is served, else standalone.",
            example: "\"standalone\"",
        },
        Key {
            name: "webroot",
            kind: Kind::Text(Text::Path),
            default: Default::Unset,
            doc: "The folder that the web server serves `/.well-known/acme-challenge/` from.",
            example: "\"/srv/prime/webroot\"",
        },
        Key {
            name: "certbot",
            kind: Kind::List(&Kind::Text(Text::Any), 1),
            default: Default::Value("[\"certbot\"]"),
            doc: "The command that runs certbot.",
            example: "[\"docker\", \"compose\", \"run\", \"--rm\", \"certbot\"]",
        },
        Key {
            name: "directory",
            kind: Kind::Text(Text::Path),
            default: Default::Value("\"/etc/letsencrypt\""),
            doc: "The configuration folder of certbot.",
            example: "\"/srv/prime/letsencrypt\"",
        },
        Key {
            name: "stop",
            kind: Kind::Either(&[Kind::Text(Text::Word(&["auto"])), Kind::List(&Kind::Text(Text::Any), 1)]),
            default: Default::Value("\"auto\""),
            doc: "The containers that are stopped for `standalone`; `auto`: those that hold port 80.",
            example: "[\"prime_webtool_nginx_1\"]",
        },
        Key {
            name: "reload",
            kind: Kind::Table(&RELOAD),
            default: Default::Unset,
            doc: "What must load the new certificate.",
            example: "{ container = \"prime_webtool_nginx_1\" }",
        },
        Key {
            name: "verify",
            kind: Kind::List(&Kind::Text(Text::HostPort), 1),
            default: Default::Words("the names, at port 443"),
            doc: "Where the new certificate must be served.",
            example: "[\"prime.example.edu:443\"]",
        },
        Key {
            name: "email",
            kind: Kind::Text(Text::Email),
            default: Default::Unset,
            doc: "The account's address, for a first request only.",
            example: "\"ops@example.edu\"",
        },
        Key {
            name: "agree_tos",
            kind: Kind::Flag,
            default: Default::Value("false"),
            doc: "Whether you agree to the terms of the authority; must be `true` for a first request.",
            example: "true",
        },
        Key {
            name: "key_type",
            kind: Kind::Text(Text::Word(&["ecdsa", "rsa"])),
            default: Default::Value("\"ecdsa\""),
            doc: "The type of new keys.",
            example: "\"rsa\"",
        },
        Key {
            name: "server",
            kind: Kind::Text(Text::Url(&["https"])),
            default: Default::Unset,
            doc: "Another ACME directory.",
            example: "\"https://acme.example.net/directory\"",
        },
        Key {
            name: "deadline",
            kind: Kind::Text(Text::Duration),
            default: Default::Value("\"5m\""),
            doc: "How long certbot may take.",
            example: "\"10m\"",
        },
    ],
    rules: &[
        Rule::Needs("method", "\"webroot\"", "webroot", "that method writes its token there"),
        Rule::Forbids("method", "\"webroot\"", "stop", "that method stops nothing"),
        Rule::Forbids("method", "\"standalone\"", "webroot", "that method serves the token itself"),
    ],
};

/// `reload`.
static RELOAD: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "container",
            kind: Kind::Text(Text::Any),
            default: Default::Unset,
            doc: "Sends `nginx -s reload` in this container.",
            example: "\"prime_webtool_nginx_1\"",
        },
        Key {
            name: "compose",
            kind: Kind::Table(&COMPOSE),
            default: Default::Unset,
            doc: "The same in the container of a Compose service.",
            example: "{ project = \"prime_webtool\", service = \"nginx\" }",
        },
        Key {
            name: "systemd",
            kind: Kind::Text(Text::Any),
            default: Default::Unset,
            doc: "Reloads this unit.",
            example: "\"nginx\"",
        },
        Key {
            name: "command",
            kind: Kind::List(&Kind::Text(Text::Any), 1),
            default: Default::Unset,
            doc: "Runs this command.",
            example: "[\"nginx\", \"-s\", \"reload\"]",
        },
    ],
    rules: &[Rule::ExactlyOne(&["container", "compose", "systemd", "command"])],
};
