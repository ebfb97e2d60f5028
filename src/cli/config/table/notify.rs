//! `[notify]` and `[timers]`: who is told, and when jobs run.

use super::{Default, Key, Kind, Table, Text};

/// `[notify]`.
pub(super) static NOTIFY: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "on",
            kind: Kind::Text(Text::Word(&["failure", "change", "always"])),
            default: Default::Value("\"change\""),
            doc: "When somebody is told; `change`: the first failure and the recovery.",
            example: "\"failure\"",
        },
        Key {
            name: "webhook",
            kind: Kind::Secret(Text::Url(&["https", "http"])),
            default: Default::Unset,
            doc: "Gets a JSON POST that Slack, Mattermost and Teams understand.",
            example: "{ env = \"SLACK_WEBHOOK\" }",
        },
        Key {
            name: "email",
            kind: Kind::Table(&EMAIL),
            default: Default::Unset,
            doc: "Gets a mail.",
            example: "{ to = [\"ops@example.edu\"], from = \"mainstay@example.edu\", smtp = \"smtp://localhost:25\" }",
        },
        Key {
            name: "ping",
            kind: Kind::Map(Text::Job, &Kind::Secret(Text::Url(&["https", "http"]))),
            default: Default::Unset,
            doc: "Gets pings at the start and at the end of a job, as healthchecks.io understands them: an address for each of `check`, `backup`, `renew-cert`, `schedule`.",
            example: "{ backup = \"https://hc.example.net/ping/backup\" }",
        },
    ],
    rules: &[],
};

/// `email`.
static EMAIL: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "to",
            kind: Kind::List(&Kind::Text(Text::Email), 1),
            default: Default::Required,
            doc: "Who gets it.",
            example: "[\"ops@example.edu\"]",
        },
        Key {
            name: "from",
            kind: Kind::Text(Text::Email),
            default: Default::Required,
            doc: "Who sends it.",
            example: "\"mainstay@example.edu\"",
        },
        Key {
            name: "smtp",
            kind: Kind::Secret(Text::Url(&["smtp", "smtps"])),
            default: Default::Required,
            doc: "The mail server; a secret when it holds a password.",
            example: "\"smtp://localhost:25\"",
        },
    ],
    rules: &[],
};

/// `[timers]`.
pub(super) static TIMERS: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "check",
            kind: Kind::Text(Text::Repeat),
            default: Default::Value("\"every 15m\""),
            doc: "`mainstay check`.",
            example: "\"every 5m\"",
        },
        Key {
            name: "backup",
            kind: Kind::Text(Text::Repeat),
            default: Default::Value("\"daily 02:30\""),
            doc: "`mainstay backup create`.",
            example: "\"weekly Sun 03:00\"",
        },
        Key {
            name: "renew-cert",
            kind: Kind::Text(Text::Repeat),
            default: Default::Value("\"twice daily\""),
            doc: "`mainstay renew-cert`; twice a day is at random minutes.",
            example: "\"daily 04:00\"",
        },
        Key {
            name: "schedule",
            kind: Kind::Text(Text::Repeat),
            default: Default::Value("\"every 5m\""),
            doc: "`mainstay schedule apply`.",
            example: "\"every 10m\"",
        },
    ],
    rules: &[],
};
