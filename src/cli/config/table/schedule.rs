//! `[schedule.NAME]`: which machines run when.

use super::{Default, Key, Kind, Rule, Table, Text};

/// `[schedule.NAME]`.
pub(super) static SCHEDULE: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "timezone",
            kind: Kind::Text(Text::Timezone),
            default: Default::Required,
            doc: "The IANA time zone of all times and dates here.",
            example: "\"America/Detroit\"",
        },
        Key {
            name: "on",
            kind: Kind::List(&Kind::Text(Text::Window), 1),
            default: Default::Unset,
            doc: "Running inside these windows, stopped outside: `Mon-Fri 07:00-19:00`, `Fri 22:00-Sat 06:00`, `Mon-Sun 00:00-24:00`.",
            example: "[\"Mon-Fri 07:00-19:00\"]",
        },
        Key {
            name: "off_dates",
            kind: Kind::List(&Kind::Text(Text::Dates), 0),
            default: Default::Value("[]"),
            doc: "Dates on which the windows do not count: a date, a range, or month and day for every year.",
            example: "[\"2026-11-26\", \"2026-12-24..2027-01-01\", \"07-04\"]",
        },
        Key {
            name: "on_dates",
            kind: Kind::List(&Kind::Text(Text::Hours), 0),
            default: Default::Value("[]"),
            doc: "Hours that count besides the windows.",
            example: "[\"2026-12-05 09:00-13:00\"]",
        },
        Key {
            name: "mode",
            kind: Kind::Text(Text::Word(&["both", "start-only", "stop-only"])),
            default: Default::Value("\"both\""),
            doc: "Whether machines are started, stopped, or both.",
            example: "\"stop-only\"",
        },
        Key {
            name: "always_off",
            kind: Kind::Flag,
            default: Default::Value("false"),
            doc: "`true` instead of `on`: never started.",
            example: "true",
        },
        Key {
            name: "enforce",
            kind: Kind::Flag,
            default: Default::Value("false"),
            doc: "Whether what a person started or stopped by hand is undone too.",
            example: "true",
        },
        Key {
            name: "max_late",
            kind: Kind::Whole(0, 100000),
            default: Default::Value("5"),
            doc: "How many stops may come late (an edited file, a new tag, a host back after an outage) without `--yes`.",
            example: "20",
        },
        Key {
            name: "order",
            kind: Kind::List(&Kind::Text(Text::Word(&["rds", "ec2"])), 1),
            default: Default::Value("[\"rds\", \"ec2\"]"),
            doc: "Started in this order, each waited for; stopped in the reverse order.",
            example: "[\"ec2\", \"rds\"]",
        },
        Key { name: "ec2", kind: Kind::Many(&EC2), default: Default::Unset, doc: "EC2 instances.", example: "" },
        Key {
            name: "rds",
            kind: Kind::Many(&RDS),
            default: Default::Unset,
            doc: "RDS instances and Aurora clusters.",
            example: "",
        },
        Key {
            name: "prices",
            kind: Kind::Map(Text::Any, &Kind::Price),
            default: Default::Unset,
            doc: "USD an hour by instance type, for `schedule savings`.",
            example: "{ \"t3.large\" = 0.0832 }",
        },
        Key {
            name: "deploy",
            kind: Kind::Table(&DEPLOY),
            default: Default::Unset,
            doc: "How `schedule deploy` hands the schedule to EventBridge Scheduler.",
            example: "",
        },
    ],
    rules: &[
        Rule::Needs(
            "always_off",
            "false",
            "on",
            "without windows everything would be stopped for ever: write `always_off = true` if that is meant",
        ),
        Rule::Forbids("always_off", "true", "on", "nothing is ever started"),
        Rule::Forbids("always_off", "true", "on_dates", "nothing is ever started"),
        Rule::Forbids("always_off", "true", "off_dates", "there is no window that they could keep from beginning"),
        Rule::Forbids("always_off", "true", "mode", "what is always off has no other side"),
        Rule::AtLeastOne(&["ec2", "rds"]),
    ],
};

/// `[[schedule.NAME.ec2]]`.
static EC2: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "regions",
            kind: Kind::List(&Kind::Text(Text::Region), 1),
            default: Default::Required,
            doc: "The AWS regions to look in.",
            example: "[\"us-east-2\"]",
        },
        Key {
            name: "tags",
            kind: Kind::Map(Text::Any, &Kind::Text(Text::Any)),
            default: Default::Unset,
            doc: "Instances that have all these tags.",
            example: "{ Schedule = \"office-hours\" }",
        },
        Key {
            name: "ids",
            kind: Kind::List(&Kind::Text(Text::Instance), 1),
            default: Default::Unset,
            doc: "Instances by their id.",
            example: "[\"i-0123456789abcdef0\"]",
        },
        Key {
            name: "role",
            kind: Kind::Text(Text::Arn("iam")),
            default: Default::Unset,
            doc: "An IAM role to take on, for another account.",
            example: "\"arn:aws:iam::111122223333:role/mainstay-schedule\"",
        },
        Key {
            name: "external_id",
            kind: Kind::Secret(Text::Any),
            default: Default::Unset,
            doc: "The external id that the role asks for.",
            example: "{ env = \"EXTERNAL_ID\" }",
        },
        Key {
            name: "hibernate",
            kind: Kind::Text(Text::Word(&["never", "prefer", "require"])),
            default: Default::Value("\"never\""),
            doc: "Whether instances hibernate instead of stopping.",
            example: "\"prefer\"",
        },
    ],
    rules: &[
        Rule::ExactlyOne(&["tags", "ids"]),
        Rule::Needs("external_id", "", "role", "an external id is part of taking on a role"),
    ],
};

/// `[[schedule.NAME.rds]]`.
static RDS: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "regions",
            kind: Kind::List(&Kind::Text(Text::Region), 1),
            default: Default::Required,
            doc: "The AWS regions to look in.",
            example: "[\"us-east-2\"]",
        },
        Key {
            name: "tags",
            kind: Kind::Map(Text::Any, &Kind::Text(Text::Any)),
            default: Default::Unset,
            doc: "Instances and clusters that have all these tags.",
            example: "{ Schedule = \"office-hours\" }",
        },
        Key {
            name: "ids",
            kind: Kind::List(&Kind::Text(Text::Name), 1),
            default: Default::Unset,
            doc: "Instances by their identifier.",
            example: "[\"prime-dev-db\"]",
        },
        Key {
            name: "clusters",
            kind: Kind::List(&Kind::Text(Text::Name), 1),
            default: Default::Unset,
            doc: "Aurora clusters by their identifier.",
            example: "[\"prime-aurora\"]",
        },
        Key {
            name: "role",
            kind: Kind::Text(Text::Arn("iam")),
            default: Default::Unset,
            doc: "An IAM role to take on, for another account.",
            example: "\"arn:aws:iam::111122223333:role/mainstay-schedule\"",
        },
        Key {
            name: "external_id",
            kind: Kind::Secret(Text::Any),
            default: Default::Unset,
            doc: "The external id that the role asks for.",
            example: "{ env = \"EXTERNAL_ID\" }",
        },
        Key {
            name: "snapshot",
            kind: Kind::Text(Text::Word(&["never", "best-effort", "require"])),
            default: Default::Value("\"never\""),
            doc: "Whether a snapshot of an instance is made before a stop; clusters get none.",
            example: "\"best-effort\"",
        },
    ],
    rules: &[
        Rule::AtLeastOne(&["tags", "ids", "clusters"]),
        Rule::AtMostOne(&["tags", "ids"]),
        Rule::AtMostOne(&["tags", "clusters"]),
        Rule::Needs("external_id", "", "role", "an external id is part of taking on a role"),
        Rule::Forbids(
            "snapshot",
            "\"require\"",
            "clusters",
            "a snapshot before a stop is made of instances only; Aurora keeps backups of its own",
        ),
    ],
};

/// `[schedule.NAME.deploy]`.
static DEPLOY: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "group",
            kind: Kind::Text(Text::Name),
            default: Default::Value("\"mainstay\""),
            doc: "The schedule group.",
            example: "\"prime\"",
        },
        Key {
            name: "role",
            kind: Kind::Text(Text::Arn("iam")),
            default: Default::Required,
            doc: "The role that EventBridge Scheduler takes on.",
            example: "\"arn:aws:iam::111122223333:role/mainstay-scheduler\"",
        },
        Key {
            name: "via",
            kind: Kind::Text(Text::Word(&["lambda", "direct"])),
            default: Default::Value("\"lambda\""),
            doc: "`lambda` invokes `function`; `direct` calls EC2 and RDS without a function.",
            example: "\"direct\"",
        },
        Key {
            name: "function",
            kind: Kind::Text(Text::Arn("lambda")),
            default: Default::Unset,
            doc: "The function that runs mainstay.",
            example: "\"arn:aws:lambda:us-east-2:111122223333:function:mainstay\"",
        },
        Key {
            name: "dead_letter_queue",
            kind: Kind::Text(Text::Arn("sqs")),
            default: Default::Unset,
            doc: "Where calls that failed for good are put.",
            example: "\"arn:aws:sqs:us-east-2:111122223333:mainstay-failed\"",
        },
    ],
    rules: &[
        Rule::Needs("via", "\"lambda\"", "function", "it is what EventBridge Scheduler invokes"),
        Rule::Forbids("via", "\"direct\"", "function", "EC2 and RDS are called without a function"),
    ],
};
