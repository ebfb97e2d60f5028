//! The vocabulary of `mainstay.toml`: every section and key with its kind, default, words and an example.
//!
//! This is the only place where it is written. Reading, the JSON Schema, `config show` and `docs/configuration.md` all
//! walk these tables; `model` gives the values names in code, and a test makes sure that it takes every one.

mod backup;
mod certificate;
mod host;
mod notify;
mod schedule;
mod site;

/// The whole file.
pub static ROOT: Table = Table {
    doc: "",
    keys: &[
        Key {
            name: "project",
            kind: Kind::Text(Text::Name),
            default: Default::Words("the name of the folder that holds the file"),
            doc: "Names archives, state and reports.",
            example: "\"prime\"",
        },
        Key {
            name: "state",
            kind: Kind::Text(Text::Path),
            default: Default::Words("/var/lib/mainstay as root, else the user's state folder"),
            doc: "The folder for locks, the journal and the history. `$MAINSTAY_STATE` comes before it.",
            example: "\"/var/lib/mainstay\"",
        },
        Key {
            name: "site",
            kind: Kind::Named(&site::SITE),
            default: Default::Unset,
            doc: "A web site that `mainstay check` looks at.",
            example: "",
        },
        Key {
            name: "backup",
            kind: Kind::Named(&backup::BACKUP),
            default: Default::Unset,
            doc: "A set of files that `mainstay backup` keeps copies of.",
            example: "",
        },
        Key {
            name: "certificate",
            kind: Kind::Named(&certificate::CERTIFICATE),
            default: Default::Unset,
            doc: "A certificate that `mainstay renew-cert` renews with certbot.",
            example: "",
        },
        Key {
            name: "schedule",
            kind: Kind::Named(&schedule::SCHEDULE),
            default: Default::Unset,
            doc: "Machines that `mainstay schedule` starts and stops.",
            example: "",
        },
        Key {
            name: "host",
            kind: Kind::Table(&host::HOST),
            default: Default::Unset,
            doc: "This machine: `mainstay check` looks at it where the section is there.",
            example: "",
        },
        Key {
            name: "domain",
            kind: Kind::Table(&host::DOMAIN),
            default: Default::Unset,
            doc: "The registration of domains: `mainstay check` asks their registries where the section is there.",
            example: "",
        },
        Key {
            name: "database",
            kind: Kind::Table(&host::DATABASE),
            default: Default::Unset,
            doc: "The upkeep of the schedules' databases: `mainstay check` looks at it where the section is there.",
            example: "",
        },
        Key {
            name: "notify",
            kind: Kind::Table(&notify::NOTIFY),
            default: Default::Value("{}"),
            doc: "Who is told how a run ended.",
            example: "",
        },
        Key {
            name: "timers",
            kind: Kind::Table(&notify::TIMERS),
            default: Default::Value("{}"),
            doc: "When `mainstay timers install` lets each job run; only jobs with a section get a timer.",
            example: "",
        },
    ],
    rules: &[],
};

/// One table of keys.
#[derive(Debug)]
pub struct Table {
    /// What it is, for a table that is not explained by the key that holds it.
    pub doc: &'static str,
    /// In the order in which a person reads them.
    pub keys: &'static [Key],
    /// What must hold between the keys.
    pub rules: &'static [Rule],
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// What holds when it is not given.
    pub default: Default,
    /// What it does, in Markdown.
    pub doc: &'static str,
    /// A valid value as TOML; empty for sections.
    pub example: &'static str,
}

/// What holds when a key is not given.
#[derive(Clone, Copy, Debug)]
pub enum Default {
    /// The key must be given.
    Required,
    /// Nothing holds.
    Unset,
    /// This value, as TOML.
    Value(&'static str),
    /// Something that follows from elsewhere, in words.
    Words(&'static str),
}

/// What a value may be.
#[derive(Debug)]
pub enum Kind {
    /// One of these, told apart by their TOML type.
    Either(&'static [Kind]),
    /// `true` or `false`.
    Flag,
    /// A list of these, with at least so many.
    List(&'static Kind, usize),
    /// An array of tables: `[[…]]`.
    Many(&'static Table),
    /// A table whose keys are free.
    Map(Text, &'static Kind),
    /// Tables by name: `[site.NAME]`.
    Named(&'static Table),
    /// Only this one of `true` and `false`.
    Only(bool),
    /// A price: a number above zero.
    Price,
    /// A secret: a text, or where to get one.
    Secret(Text),
    /// A table.
    Table(&'static Table),
    /// A text of some syntax.
    Text(Text),
    /// A whole number between these, both included.
    Whole(u64, u64),
}

/// The syntax of a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Text {
    /// An IP address.
    Address,
    /// Anything but nothing.
    Any,
    /// An Amazon Resource Name of this service.
    Arn(&'static str),
    /// Where archives go: a folder, `s3://`, `rclone:`.
    Destination,
    /// `2026-11-26`, a range, or a date of every year.
    Dates,
    /// A length of time above zero.
    Duration,
    /// An e-mail address.
    Email,
    /// SHA-256 as hexadecimal digits.
    Fingerprint,
    /// Addresses and networks that gunicorn trusts, or `*`.
    Forwarders,
    /// A `.gitignore` pattern.
    Glob,
    /// The name of an HTTP header.
    Header,
    /// A host name.
    Host,
    /// A host name and a port.
    HostPort,
    /// Hours of one date.
    Hours,
    /// The id of an EC2 instance.
    Instance,
    /// A job of mainstay.
    Job,
    /// A plain name.
    Name,
    /// A file or folder; relative to the folder of the configuration.
    Path,
    /// Who can open an archive.
    Recipient,
    /// An AWS region.
    Region,
    /// When something is done again.
    Repeat,
    /// An address, alone or after `HOST:PORT:`.
    Resolve,
    /// A share of a whole, like `10%`.
    Share,
    /// A minisign public key.
    Signer,
    /// A share of a lifetime, or a length of time.
    Threshold,
    /// An IANA time zone.
    Timezone,
    /// A path that begins with `/`.
    UrlPath,
    /// An address with one of these schemes.
    Url(&'static [&'static str]),
    /// A path that begins with `/`, or an address.
    UrlOrPath,
    /// A weekly window.
    Window,
    /// One of these words.
    Word(&'static [&'static str]),
}

/// What must hold between the keys of a table.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// At most one of these can be given.
    AtMostOne(&'static [&'static str]),
    /// At least one of these must be given.
    AtLeastOne(&'static [&'static str]),
    /// Exactly one of these must be given.
    ExactlyOne(&'static [&'static str]),
    /// Something that only code can tell.
    Fact(Fact),
    /// When the first key has this value (as TOML), the second must be given; the words say why.
    Needs(&'static str, &'static str, &'static str, &'static str),
    /// When the first key has this value (as TOML), the second can not be given; the words say why.
    Forbids(&'static str, &'static str, &'static str, &'static str),
}

/// What only code can tell of a section.
#[derive(Clone, Copy, Debug)]
pub enum Fact {
    /// The failure comes after the warning.
    FailAfterWarn,
    /// `optional` names entries of a written `include`.
    OptionalInInclude,
    /// `required` names entries of `to`.
    RequiredInTo,
    /// `root` is given where the file lies under `/etc`.
    RootOutsideEtc,
    /// The section for S3 has something to reach.
    S3InTo,
}

impl Table {
    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// A Compose project and service.
static COMPOSE: Table = Table {
    doc: "A Compose service, found by its labels.",
    keys: &[
        Key {
            name: "project",
            kind: Kind::Text(Text::Any),
            default: Default::Required,
            doc: "The Compose project.",
            example: "\"prime_webtool\"",
        },
        Key {
            name: "service",
            kind: Kind::Text(Text::Any),
            default: Default::Required,
            doc: "The service of the project.",
            example: "\"nginx\"",
        },
    ],
    rules: &[],
};

/// Where a secret comes from when it is not written out.
pub(super) static SECRET: Table = Table {
    doc: "Where to get a secret.",
    keys: &[
        Key {
            name: "env",
            kind: Kind::Text(Text::Any),
            default: Default::Unset,
            doc: "The environment variable that holds it.",
            example: "\"SLACK_WEBHOOK\"",
        },
        Key {
            name: "file",
            kind: Kind::Text(Text::Path),
            default: Default::Unset,
            doc: "The file that holds it, without the line end.",
            example: "\"secrets/webhook\"",
        },
        Key {
            name: "command",
            kind: Kind::List(&Kind::Text(Text::Any), 1),
            default: Default::Unset,
            doc: "The command that prints it.",
            example: "[\"pass\", \"show\", \"webhook\"]",
        },
    ],
    rules: &[Rule::ExactlyOne(&["env", "file", "command"])],
};

/// The section that a key belongs to, when exactly one has it: for a key that stands in the wrong place.
pub fn home_of(name: &str) -> Option<String> {
    let mut homes = Vec::new();
    visit(&ROOT, "", &mut |path, key| {
        if key.name == name && !path.is_empty() {
            homes.push(format!("[{path}]"));
        }
    });
    if homes.len() == 1 { homes.pop() } else { None }
}

/// Whether a key of this name is known and never holds a secret.
pub fn is_open(name: &str) -> bool {
    let (mut known, mut secret) = (false, false);
    visit(&ROOT, "", &mut |_, key| {
        if key.name == name {
            known = true;
            secret |= matches!(key.kind, Kind::Secret(_));
        }
    });
    known && !secret
}

/// Visits every key with the path of its section; a name that the operator chooses is `NAME`.
pub fn visit(table: &'static Table, path: &str, see: &mut impl FnMut(&str, &'static Key)) {
    for key in table.keys {
        see(path, key);
        let inner = if path.is_empty() { key.name.to_string() } else { format!("{path}.{}", key.name) };
        match &key.kind {
            Kind::Named(table) => visit(table, &format!("{inner}.NAME"), see),
            Kind::Table(table) | Kind::Many(table) => visit(table, &inner, see),
            _ => {}
        }
    }
}
