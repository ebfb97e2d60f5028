//! `mainstay backup`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use super::{Effect, Kept};

/// Back up secrets and configuration into encrypted archives, and prove that they can be restored
///
/// An archive is a tar, packed and sealed by age: `age -d -i KEY FILE | tar xz` opens it without mainstay. Beside it stands
/// a signed sidecar that says what it is. An archive is called good only after it was read back to its end.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct BackupArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: BackupCommand,
}

/// One variant a subcommand.
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Make this host's signing key, mark the destinations, and say what is still missing
    Init(BackupInitArgs),
    /// Make an archive, store it at every destination, and read it back
    Create(BackupCreateArgs),
    /// List the archives at every destination
    List(BackupListArgs),
    /// Read archives to their end and compare them with what their sidecars say
    Verify(BackupVerifyArgs),
    /// Bring files back: plan, stage, authenticate, commit; can be taken back
    Restore(BackupRestoreArgs),
    /// Remove archives that no rule of `keep` wants any more
    Prune(BackupPruneArgs),
    /// Rehearse a restore into a private place, compare it, and remember that it worked
    Drill(BackupDrillArgs),
    /// Write a new identity (a private key) for opening archives
    Keygen(BackupKeygenArgs),
}

impl BackupCommand {
    /// What it does to the world.
    pub fn effect(&self) -> Effect {
        let unless = |dry_run| if dry_run { Effect::Looks } else { Effect::Changes };
        match self {
            Self::Create(args) => unless(args.dry_run),
            Self::Prune(args) => unless(args.dry_run),
            Self::Restore(args) => unless(args.dry_run),
            Self::Drill(_) | Self::Init(_) | Self::Verify(_) => Effect::Changes,
            Self::Keygen(_) | Self::List(_) => Effect::None,
        }
    }

    /// What the history says of it.
    pub(super) fn kept(&self) -> Option<Kept<'_>> {
        let of = |names| Kept::of("backup", names);
        let kept = match self {
            Self::Create(args) if args.dry_run => return None,
            Self::Prune(args) if args.dry_run => return None,
            Self::Restore(args) if args.dry_run => return None,
            Self::Init(args) if args.print_policy => return None,
            Self::Keygen(_) | Self::List(_) => return None,
            Self::Create(args) => Kept { timed: true, ..of(&args.names) },
            Self::Drill(args) => of(&args.names),
            Self::Init(args) => of(&args.names),
            Self::Prune(args) => of(&args.names),
            Self::Restore(args) => {
                Kept { partial: true, elsewhere: args.from.source.is_some(), ..of(args.name.as_slice()) }
            }
            Self::Verify(args) => {
                Kept { partial: args.archive.is_some(), elsewhere: args.from.source.is_some(), ..of(&args.names) }
            }
        };
        Some(kept)
    }

    /// The command as the operator types it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "backup create",
            Self::Drill(_) => "backup drill",
            Self::Init(_) => "backup init",
            Self::Keygen(_) => "backup keygen",
            Self::List(_) => "backup list",
            Self::Prune(_) => "backup prune",
            Self::Restore(_) => "backup restore",
            Self::Verify(_) => "backup verify",
        }
    }
}

/// `backup init`.
#[derive(Args, Debug, Default)]
pub struct BackupInitArgs {
    /// Backups of the configuration; all of them when none is given
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// Print the least-privilege IAM and bucket policies for the `s3://` destinations, and touch nothing
    #[arg(long)]
    pub print_policy: bool,
}

/// `backup create`.
#[derive(Args, Debug, Default)]
pub struct BackupCreateArgs {
    /// Backups of the configuration; all of them when none is given
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// Print what would go in and where to, and write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,

    /// Do nothing where names, modes and content are those of the newest good archive
    #[arg(long)]
    pub if_changed: bool,

    /// The set became smaller on purpose: count this archive as good although it holds less than half of the last good one
    #[arg(long)]
    pub accept_smaller: bool,
}

/// `backup list`.
#[derive(Args, Debug, Default)]
pub struct BackupListArgs {
    /// Backups of the configuration; all of them when none is given
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// Where archives come from.
    #[command(flatten)]
    pub from: From,
}

/// `backup verify`.
#[derive(Args, Debug, Default)]
pub struct BackupVerifyArgs {
    /// Backups of the configuration; all of them when none is given
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// Only this archive: its id, the beginning of its date, or `latest`
    #[arg(long, value_name = "ID", help_heading = "Selection")]
    pub archive: Option<String>,

    /// Every archive, not only the newest of each destination
    #[arg(long, conflicts_with = "archive", help_heading = "Selection")]
    pub all: bool,

    /// Open the archives with the keys in this file and compare every byte; without it their hashes are compared (can be
    /// repeated)
    #[arg(long = "identity", value_name = "FILE", help_heading = "Keys")]
    pub identities: Vec<PathBuf>,

    /// Where archives come from.
    #[command(flatten)]
    pub from: From,

    /// Make the missing sidecar of a whole archive, after it was read to its end (needs --archive and --identity)
    #[arg(long, requires = "archive", requires = "identities", help_heading = "Selection")]
    pub adopt: bool,
}

/// `backup restore`.
#[derive(Args, Debug, Default)]
#[command(group = ArgGroup::new("where").args(["to", "in_place", "undo", "resume"]).required(true))]
#[command(after_long_help = RESTORE_EXAMPLES)]
pub struct BackupRestoreArgs {
    /// The backup of the configuration; not with --from
    #[arg(value_name = "NAME", required_unless_present = "source")]
    pub name: Option<String>,

    /// Restore into this folder
    #[arg(long, value_name = "DIR", help_heading = "Where to")]
    pub to: Option<PathBuf>,

    /// Restore over the files that were backed up
    #[arg(long, conflicts_with = "source", help_heading = "Where to")]
    pub in_place: bool,

    /// Take the last restore back
    #[arg(long, help_heading = "Where to")]
    pub undo: bool,

    /// Finish a restore that was killed
    #[arg(long, help_heading = "Where to")]
    pub resume: bool,

    /// Only this archive: its id, the beginning of its date, or `latest`; the newest good one when none is given
    #[arg(long, value_name = "ID", help_heading = "Selection")]
    pub archive: Option<String>,

    /// Restore only what matches, in the syntax of `.gitignore` (can be repeated)
    #[arg(long, value_name = "GLOB", help_heading = "Selection")]
    pub include: Vec<String>,

    /// A file with the private key that opens the archive (can be repeated)
    #[arg(long = "identity", value_name = "FILE", help_heading = "Keys")]
    pub identities: Vec<PathBuf>,

    /// Where the archive comes from.
    #[command(flatten)]
    pub from: From,

    /// Accept an archive without a signature that this host knows
    #[arg(long, help_heading = "Keys")]
    pub allow_unsigned: bool,

    /// Replace files although they are newer on the disk
    #[arg(long, value_name = "WHAT", value_parser = ["newer"], help_heading = "Restoring")]
    pub overwrite: Option<String>,

    /// Bring back setuid, setgid and sticky bits too
    #[arg(long, help_heading = "Restoring")]
    pub privileged: bool,

    /// Print what would be created and changed, and write nothing
    #[arg(short = 'n', long, help_heading = "Restoring")]
    pub dry_run: bool,
}

/// `backup prune`.
#[derive(Args, Debug, Default)]
pub struct BackupPruneArgs {
    /// Backups of the configuration; all of them when none is given
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// Print which archives would stay and go, each with its reasons, and remove nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// `backup drill`.
#[derive(Args, Debug, Default)]
pub struct BackupDrillArgs {
    /// Backups of the configuration; all of them when none is given
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// A file with the private key that opens the archives (can be repeated)
    #[arg(long = "identity", value_name = "FILE")]
    pub identities: Vec<PathBuf>,
}

/// `backup keygen`.
#[derive(Args, Debug, Default)]
pub struct BackupKeygenArgs {
    /// The file to write, which must not exist; `mainstay-identity.txt` when none is given
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Archives of a place that the configuration does not name, or where there is no configuration: a new machine.
#[derive(Args, Clone, Debug, Default)]
pub struct From {
    /// Look here instead of in the configuration: a folder, `s3://…`, `rclone:…` or the file of one archive
    #[arg(long = "from", id = "source", value_name = "URL|FILE", help_heading = "Selection")]
    pub source: Option<String>,

    /// Accept archives signed by this key: a line or a file, as `minisign` writes it (can be repeated)
    #[arg(long = "signer", value_name = "KEY", help_heading = "Keys")]
    pub signers: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  mainstay backup keygen                       once: the key that opens the archives
  mainstay backup create --dry-run             what would go in and where to
  mainstay backup create                       every configured backup, to every destination
  mainstay backup list                         what is there
  mainstay backup verify --all                 every archive against its hash; no key needed
  mainstay backup restore app --to /tmp/look --identity key.txt
  mainstay backup prune --dry-run              which archives stay and go, and why
  mainstay backup drill --identity key.txt     a rehearsed restore, remembered by `mainstay check`";

const RESTORE_EXAMPLES: &str = "\
Examples:
  mainstay backup restore app --to /tmp/look --identity key.txt          look first
  mainstay backup restore app --in-place --identity key.txt --dry-run    what would change
  mainstay backup restore app --in-place --identity key.txt --include .env
  mainstay backup restore app --undo                                     take it back
  mainstay backup restore --from /mnt/usb/backups --to /srv/prime --identity key.txt --signer host.pub   a new machine";
