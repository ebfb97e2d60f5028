//! `[host]`, `[domain]` and `[database]`: what is looked at beside the jobs, and only where the section is there.

use super::{Default, Fact, Key, Kind, Rule, Table, Text};

/// `[host]`.
pub(super) static HOST: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "disk",
            kind: Kind::Table(&DISK),
            default: Default::Value("{}"),
            doc: "How little room is too little, of bytes and of inodes.",
            example: "",
        },
        Key {
            name: "paths",
            kind: Kind::List(&Kind::Text(Text::Path), 0),
            default: Default::Value("[]"),
            doc: "Folders whose filesystems must have room too, besides those that the jobs and docker use.",
            example: "[\"/var/log\"]",
        },
        Key {
            name: "updates",
            kind: Kind::Text(Text::Word(&["fail", "warn", "off"])),
            default: Default::Value("\"warn\""),
            doc: "What security updates that are not installed mean; `off` asks about neither them nor a reboot.",
            example: "\"fail\"",
        },
        Key {
            name: "reboot",
            kind: Kind::Text(Text::Word(&["fail", "warn"])),
            default: Default::Value("\"warn\""),
            doc: "What a reboot that updates wait for means.",
            example: "\"fail\"",
        },
        Key {
            name: "lists_max_age",
            kind: Kind::Text(Text::Duration),
            default: Default::Value("\"3d\""),
            doc: "Package lists that are older say nothing: what waits is then unknown.",
            example: "\"7d\"",
        },
        Key {
            name: "clock",
            kind: Kind::Flag,
            default: Default::Value("true"),
            doc: "Whether the clock must be synchronised.",
            example: "false",
        },
        Key {
            name: "containers",
            kind: Kind::Either(&[Kind::Only(false), Kind::List(&Kind::Text(Text::Any), 1)]),
            default: Default::Words("all that the engine has"),
            doc: "The containers that must be there and be well; `false` asks about none.",
            example: "[\"prime_webtool_nginx_1\"]",
        },
    ],
    rules: &[],
};

/// `disk`.
static DISK: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "warn",
            kind: Kind::Text(Text::Share),
            default: Default::Value("\"10%\""),
            doc: "With less free somebody should look.",
            example: "\"20%\"",
        },
        Key {
            name: "fail",
            kind: Kind::Text(Text::Share),
            default: Default::Value("\"5%\""),
            doc: "With less free it is wrong.",
            example: "\"2%\"",
        },
    ],
    rules: &[Rule::Fact(Fact::FailAfterWarn)],
};

/// `[domain]`.
pub(super) static DOMAIN: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "names",
            kind: Kind::List(&Kind::Text(Text::Host), 1),
            default: Default::Words("the hosts of the sites and the names of the certificates"),
            doc: "Names whose domains must stay registered; of `www.example.org` it is `example.org`.",
            example: "[\"example.org\"]",
        },
        Key {
            name: "warn",
            kind: Kind::Text(Text::Duration),
            default: Default::Value("\"30d\""),
            doc: "With less time left somebody should look.",
            example: "\"60d\"",
        },
        Key {
            name: "fail",
            kind: Kind::Text(Text::Duration),
            default: Default::Value("\"7d\""),
            doc: "With less time left it is wrong.",
            example: "\"14d\"",
        },
        Key {
            name: "registries",
            kind: Kind::Text(Text::Url(&["https", "http"])),
            default: Default::Value("\"https://data.iana.org/rdap/dns.json\""),
            doc: "The list of registries that answer over RDAP.",
            example: "\"https://rdap.example.net/dns.json\"",
        },
    ],
    rules: &[Rule::Fact(Fact::FailAfterWarn)],
};

/// `[database]`.
pub(super) static DATABASE: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "warn",
            kind: Kind::Text(Text::Duration),
            default: Default::Value("\"90d\""),
            doc: "With less time left of a certificate, or of the engine's support, somebody should look.",
            example: "\"180d\"",
        },
        Key {
            name: "fail",
            kind: Kind::Text(Text::Duration),
            default: Default::Value("\"14d\""),
            doc: "With less time left of a certificate it is wrong.",
            example: "\"30d\"",
        },
        Key {
            name: "public",
            kind: Kind::Text(Text::Word(&["fail", "warn", "off"])),
            default: Default::Value("\"warn\""),
            doc: "What a public address means.",
            example: "\"fail\"",
        },
    ],
    rules: &[Rule::Fact(Fact::FailAfterWarn)],
};
