//! `[backup.NAME]`: what is kept, for whom and where.

use super::{Default, Fact, Key, Kind, Rule, Table, Text};

/// `[backup.NAME]`.
pub(super) static BACKUP: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "root",
            kind: Kind::Text(Text::Path),
            default: Default::Value("\".\""),
            doc: "The folder whose files are kept; the folder of the configuration unless given. Must be given where the configuration lies under `/etc`.",
            example: "\"/srv/prime\"",
        },
        Key {
            name: "include",
            kind: Kind::List(&Kind::Text(Text::Glob), 1),
            default: Default::Value("[\".env\", \".env.*\", \"config/\"]"),
            doc: "What is kept, in the syntax of `.gitignore`. Each entry of the default may be absent, but together they must match a file.",
            example: "[\".env\", \"config/\", \"media/\"]",
        },
        Key {
            name: "exclude",
            kind: Kind::List(&Kind::Text(Text::Glob), 0),
            default: Default::Value("[]"),
            doc: "What is left out, in the syntax of `.gitignore`.",
            example: "[\"*.sock\", \"config/cache/\"]",
        },
        Key {
            name: "optional",
            kind: Kind::List(&Kind::Text(Text::Glob), 0),
            default: Default::Value("[]"),
            doc: "Entries of a written `include` that may match nothing.",
            example: "[\"media/\"]",
        },
        Key {
            name: "recipients",
            kind: Kind::List(&Kind::Text(Text::Recipient), 1),
            default: Default::Unset,
            doc: "Public keys that can open the archives: `age1…` or an SSH public key.",
            example: "[\"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\"]",
        },
        Key {
            name: "recipients_file",
            kind: Kind::Text(Text::Path),
            default: Default::Unset,
            doc: "A file with one recipient a line.",
            example: "\"recipients.txt\"",
        },
        Key {
            name: "passphrase",
            kind: Kind::Secret(Text::Any),
            default: Default::Unset,
            doc: "A passphrase that opens the archives, instead of recipients.",
            example: "{ env = \"BACKUP_PASSPHRASE\" }",
        },
        Key {
            name: "to",
            kind: Kind::List(&Kind::Text(Text::Destination), 1),
            default: Default::Required,
            doc: "Where archives go: a folder, `s3://BUCKET/PREFIX` or `rclone:REMOTE:PATH`.",
            example: "[\"/mnt/usb/backups\", \"s3://prime-backups/app\", \"rclone:gdrive:backups/prime\"]",
        },
        Key {
            name: "compression",
            kind: Kind::Text(Text::Word(&["gzip", "zstd"])),
            default: Default::Value("\"gzip\""),
            doc: "`gzip` makes `.tar.gz.age`, `zstd` makes `.tar.zst.age`.",
            example: "\"zstd\"",
        },
        Key {
            name: "mounted",
            kind: Kind::Either(&[Kind::Text(Text::Word(&["auto"])), Kind::Flag]),
            default: Default::Value("\"auto\""),
            doc: "Whether a folder in `to` must be on a mounted medium; `auto`: where its path says so (`/mnt`, `/media`, `/run/media`, `/etc/fstab`).",
            example: "true",
        },
        Key {
            name: "required",
            kind: Kind::Either(&[Kind::Text(Text::Word(&["all"])), Kind::List(&Kind::Text(Text::Destination), 1)]),
            default: Default::Value("\"all\""),
            doc: "The entries of `to` that a backup must reach to be good.",
            example: "[\"s3://prime-backups/app\"]",
        },
        Key {
            name: "signers",
            kind: Kind::List(&Kind::Text(Text::Signer), 0),
            default: Default::Value("[]"),
            doc: "Public keys whose archives restore accepts besides those of this host.",
            example: "[\"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\"]",
        },
        Key {
            name: "timezone",
            kind: Kind::Text(Text::Timezone),
            default: Default::Value("\"UTC\""),
            doc: "The calendar of `keep`.",
            example: "\"America/Detroit\"",
        },
        Key {
            name: "min_good",
            kind: Kind::Whole(1, 1000),
            default: Default::Value("3"),
            doc: "`backup prune` never leaves fewer good archives than this.",
            example: "5",
        },
        Key {
            name: "one_file_system",
            kind: Kind::Flag,
            default: Default::Value("true"),
            doc: "Whether folders on other file systems are left out.",
            example: "false",
        },
        Key {
            name: "after_restore",
            kind: Kind::List(&Kind::Text(Text::Any), 1),
            default: Default::Unset,
            doc: "A command to run after a restore in place.",
            example: "[\"docker\", \"restart\", \"prime_webtool_web_1\"]",
        },
        Key {
            name: "keep",
            kind: Kind::Table(&KEEP),
            default: Default::Value("{ last = 3, daily = 7, weekly = 5, monthly = 12 }"),
            doc: "How many archives stay. Given, it replaces the default as a whole.",
            example: "{ daily = 14, yearly = 3, within = \"90d\" }",
        },
        Key {
            name: "max_age",
            kind: Kind::Text(Text::Duration),
            default: Default::Value("\"7d\""),
            doc: "`check` fails when the newest good archive is older, or the files have changed since.",
            example: "\"2d\"",
        },
        Key {
            name: "max_drill_age",
            kind: Kind::Text(Text::Duration),
            default: Default::Value("\"90d\""),
            doc: "`check` warns when no restore has been rehearsed for that long.",
            example: "\"30d\"",
        },
        Key {
            name: "dump",
            kind: Kind::Many(&DUMP),
            default: Default::Unset,
            doc: "A command whose output goes into the archive as a file.",
            example: "",
        },
        Key {
            name: "s3",
            kind: Kind::Table(&S3),
            default: Default::Unset,
            doc: "How the `s3://` entries of `to` are reached.",
            example: "",
        },
    ],
    rules: &[
        Rule::AtLeastOne(&["recipients", "recipients_file", "passphrase"]),
        Rule::AtMostOne(&["recipients", "passphrase"]),
        Rule::AtMostOne(&["recipients_file", "passphrase"]),
        Rule::Fact(Fact::OptionalInInclude),
        Rule::Fact(Fact::RequiredInTo),
        Rule::Fact(Fact::RootOutsideEtc),
        Rule::Fact(Fact::S3InTo),
    ],
};

/// `keep`.
static KEEP: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "last",
            kind: Kind::Whole(0, 10000),
            default: Default::Unset,
            doc: "The newest ones.",
            example: "3",
        },
        Key {
            name: "hourly",
            kind: Kind::Whole(0, 10000),
            default: Default::Unset,
            doc: "The newest one of each of so many hours.",
            example: "24",
        },
        Key {
            name: "daily",
            kind: Kind::Whole(0, 10000),
            default: Default::Unset,
            doc: "The newest one of each of so many days.",
            example: "7",
        },
        Key {
            name: "weekly",
            kind: Kind::Whole(0, 10000),
            default: Default::Unset,
            doc: "The newest one of each of so many weeks.",
            example: "5",
        },
        Key {
            name: "monthly",
            kind: Kind::Whole(0, 10000),
            default: Default::Unset,
            doc: "The newest one of each of so many months.",
            example: "12",
        },
        Key {
            name: "yearly",
            kind: Kind::Whole(0, 10000),
            default: Default::Unset,
            doc: "The newest one of each of so many years.",
            example: "3",
        },
        Key {
            name: "within",
            kind: Kind::Text(Text::Duration),
            default: Default::Unset,
            doc: "All that are not older.",
            example: "\"90d\"",
        },
    ],
    rules: &[Rule::AtLeastOne(&["last", "hourly", "daily", "weekly", "monthly", "yearly", "within"])],
};

/// `[[backup.NAME.dump]]`.
static DUMP: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "name",
            kind: Kind::Text(Text::Name),
            default: Default::Required,
            doc: "The name of the file in the archive.",
            example: "\"db.sql\"",
        },
        Key {
            name: "command",
            kind: Kind::List(&Kind::Text(Text::Any), 1),
            default: Default::Required,
            doc: "The program and its arguments; no shell.",
            example: "[\"docker\", \"exec\", \"db\", \"pg_dump\", \"-U\", \"app\", \"app\"]",
        },
        Key {
            name: "timeout",
            kind: Kind::Text(Text::Duration),
            default: Default::Value("\"10m\""),
            doc: "The deadline for the command.",
            example: "\"30m\"",
        },
        Key {
            name: "min_bytes",
            kind: Kind::Whole(0, u64::MAX),
            default: Default::Value("1"),
            doc: "Less output than this is a failure.",
            example: "1024",
        },
    ],
    rules: &[],
};

/// `[backup.NAME.s3]`.
static S3: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "region",
            kind: Kind::Text(Text::Region),
            default: Default::Unset,
            doc: "The region of the bucket.",
            example: "\"us-east-2\"",
        },
        Key {
            name: "endpoint",
            kind: Kind::Text(Text::Url(&["https", "http"])),
            default: Default::Unset,
            doc: "The address of an S3-compatible store.",
            example: "\"https://s3.example.net\"",
        },
        Key {
            name: "storage_class",
            kind: Kind::Text(Text::Word(&[
                "STANDARD",
                "STANDARD_IA",
                "ONEZONE_IA",
                "INTELLIGENT_TIERING",
                "GLACIER_IR",
                "GLACIER",
                "DEEP_ARCHIVE",
                "REDUCED_REDUNDANCY",
            ])),
            default: Default::Unset,
            doc: "The storage class of new archives.",
            example: "\"STANDARD_IA\"",
        },
        Key {
            name: "kms_key",
            kind: Kind::Text(Text::Any),
            default: Default::Unset,
            doc: "The KMS key (id, alias or ARN) that encrypts the objects.",
            example: "\"alias/backups\"",
        },
        Key {
            name: "object_lock",
            kind: Kind::Text(Text::Duration),
            default: Default::Unset,
            doc: "How long an archive can not be deleted by anybody.",
            example: "\"30d\"",
        },
    ],
    rules: &[],
};
