//! Chapter 1: what is backed up, and how it comes back without mainstay.

use super::{
    checks,
    found::Found,
    page::{Page, code, codes},
    settings::Settings,
};
use crate::{
    backup::{Padlock, Set},
    check::{Backup, REGISTRY},
    rules::{archive_id::set_name, retention::Keep, secret, units::print_duration},
    system::{
        archive::Compression,
        store::{Mounted, Place},
    },
};

const ABSENT: &str = "\
[backup.app]
recipients = [\"age1…\"]                # from `mainstay backup keygen key.txt`
to = [\"/mnt/usb/backups\"]             # or s3://BUCKET/PREFIX, rclone:REMOTE:PATH";

pub(super) fn write(settings: &Settings, found: Option<&Found>, page: &mut Page) {
    if settings.backups.is_empty() {
        page.absent("no `[backup.NAME]` section names what to back up and where to.", ABSENT);
        return;
    }
    page.says(&format!(
        "`mainstay backup create` runs {}, seals each archive with age, reads it back from every destination and compares \
         it before it counts, and signs it. `mainstay backup prune` removes old ones, when a person runs it. The source \
         code is kept in git; `backup.repository` notices commits that were not pushed.",
        code(&settings.timers.backup)
    ));
    for backup in &settings.backups {
        page.heading(3, &format!("Backup {}", code(&backup.set.name)));
        what(backup, page);
        if let Some(found) = found {
            page.found(found.backup(&backup.set.name));
        }
        page.heading(4, "Restore with mainstay");
        with_mainstay(&backup.set, page);
        without_mainstay(settings, &backup.set, page);
        by_hand(settings, &backup.set, page);
        page.heading(4, "Is it happening?");
        checks::write(REGISTRY.backups, backup, page);
    }
}

fn what(backup: &Backup, page: &mut Page) {
    let set = &backup.set;
    let optional = if set.include_is_default { " (each may be absent)" } else { "" };
    let mut points = vec![
        format!("From {}: {}{optional}.", code(&set.root.to_string_lossy()), codes(&set.include)),
        "The configuration file is part of every archive.".to_owned(),
    ];
    if !set.exclude.is_empty() {
        points.push(format!("Left out: {}.", codes(&set.exclude)));
    }
    for dump in &set.dumps {
        let command = shell_words::join(secret::hide_in_command(&dump.command));
        points.push(format!("The output of {} is the file {} of the archive.", code(&command), code(&dump.name)));
    }
    points.push(format!("To {}.", codes(&set.to.iter().map(shown).collect::<Vec<_>>())));
    if set.required.len() < set.to.len() {
        let required: Vec<String> = set.required.iter().map(shown).collect();
        points.push(format!("A run fails only where one of these is not reached: {}.", codes(&required)));
    }
    if set.to.iter().any(|place| matches!(place, Place::Folder(_))) {
        points.push(match set.mounted {
            Mounted::Auto => {
                "A folder under `/mnt`, `/media`, `/run/media` or a mount point of `/etc/fstab` is refused \
                              while nothing is mounted there."
                    .to_owned()
            }
            Mounted::Always => "A folder is refused while nothing is mounted there.".to_owned(),
            Mounted::Never => "A folder is written to whether or not something is mounted there.".to_owned(),
        });
    }
    points.push(sealed(&set.lock));
    points.push(format!(
        "Kept: {}; never fewer than {} good ones (the calendar of {}).",
        keep(&set.keep),
        set.min_good,
        code(&set.timezone)
    ));
    if let Some(lock) = set.s3.object_lock {
        points.push(format!(
            "In S3 nobody without `s3:BypassGovernanceRetention` can delete an archive for {} (Object Lock, governance mode).",
            code(&print_duration(lock))
        ));
    }
    points.push(format!(
        "`mainstay check` fails when the newest good archive is older than {}, and warns when no restore was rehearsed \
         (`mainstay backup drill {}`) for {}.",
        code(&print_duration(set.max_age)),
        set.name,
        code(&print_duration(set.max_drill_age)),
    ));
    page.points(points);
}

/// A destination as the configuration has it, without what rclone is told of secrets in it.
pub(super) fn shown(place: &Place) -> String {
    match place {
        Place::Rclone(remote) => format!("rclone:{}", secret::hide(remote)),
        _ => place.to_string(),
    }
}

fn sealed(lock: &Padlock) -> String {
    match lock {
        Padlock::Passphrase(_) => "Whoever knows the passphrase can open it; it does not stand here.".to_owned(),
        Padlock::Recipients { keys, file } => {
            let mut who: Vec<String> = keys.iter().map(|key| code(key)).collect();
            who.extend(file.iter().map(|file| format!("each key in {}", code(&file.to_string_lossy()))));
            format!(
                "Whoever has the private key of one of these can open it, and nobody else: {}.",
                super::page::join(who)
            )
        }
    }
}

fn keep(keep: &Keep) -> String {
    let counts = [
        (keep.last, "newest"),
        (keep.hourly, "hourly"),
        (keep.daily, "daily"),
        (keep.weekly, "weekly"),
        (keep.monthly, "monthly"),
        (keep.yearly, "yearly"),
    ];
    let mut rules: Vec<String> =
        counts.into_iter().filter_map(|(count, what)| Some(format!("{} {what}", count?))).collect();
    rules.extend(keep.within.map(|length| format!("all of the last {}", print_duration(length))));
    if rules.is_empty() { "all of them".to_owned() } else { super::page::join(rules) }
}

fn with_mainstay(set: &Set, page: &mut Page) {
    let name = &set.name;
    let key = if is_passphrase(set) { "" } else { " --identity key.txt" };
    page.commented(&[
        (format!("mainstay backup list {name}"), "what there is"),
        (format!("mainstay backup restore {name} --to restored{key}"), "beside what is there: look first"),
        (format!("mainstay backup restore {name} --in-place{key} --dry-run"), "what would change"),
        (format!("mainstay backup restore {name} --in-place{key}"), "`--undo` takes it back"),
    ]);
    if let Some(command) = &set.after_restore {
        let command = shell_words::join(secret::hide_in_command(command));
        page.says(&format!("A restore in place with `--yes` ends with {}.", code(&command)));
    }
    page.says("On a new machine, without configuration and state; SIGNER is on the recovery sheet:");
    let place = set.to.first().map(shown).unwrap_or_default();
    let place = shell_words::quote(&place).into_owned();
    page.shell(&format!("mainstay backup restore --from {place} --to restored{key} --signer SIGNER"));
}

pub(super) fn is_passphrase(set: &Set) -> bool {
    matches!(set.lock, Padlock::Passphrase(_))
}

/// The ending of an archive's own file.
fn ending(set: &Set) -> &'static str {
    match set.compression {
        Compression::Gzip => ".tar.gz.age",
        Compression::Zstd => ".tar.zst.age",
    }
}

/// How tar unpacks and packs it.
fn packing(set: &Set) -> &'static str {
    match set.compression {
        Compression::Gzip => "-z",
        Compression::Zstd => "--zstd",
    }
}

fn without_mainstay(settings: &Settings, set: &Set, page: &mut Page) {
    page.heading(4, "Restore without mainstay");
    page.says(
        "With `age` and `tar` alone, `minisign` and `jq` for the proof; each is a package of every distribution. An archive \
         is three files of one name: the archive, `.json` (what it is, with its SHA-256) and `.json.minisig` (who made it).",
    );
    let signers = match set.signers.as_slice() {
        [] => String::new(),
        keys => format!(" Archives of other hosts are signed by {}.", codes(keys)),
    };
    page.says(&format!(
        "First say who may have signed it, and where the private key is. The public key of the signer stands on the \
         recovery sheet that the first `mainstay backup create` printed (\"signed by\"), and in `signing.pub` of the state \
         folder.{signers}"
    ));
    let key = if is_passphrase(set) { "" } else { "KEY=key.txt           # a private key that opens it\n" };
    page.shell(&format!("{key}SIGNER=RWQ…           # who signed it"));
    let prefix = set_name(settings.project(), &set.name);
    for place in &set.to {
        page.says(&format!("Fetch the newest archive from {} (or write another name into `ID`):", code(&shown(place))));
        page.shell(&fetch(set, place, &prefix));
    }
    page.says("Prove that it is whole and by whom it is, open it, and look:");
    let key = if is_passphrase(set) { "" } else { " -i \"$KEY\"" };
    page.shell(&format!(
        "minisign -V -P \"$SIGNER\" -m \"fetched/$ID.json\"\n\
         echo \"$(jq -r .file.sha256 \"fetched/$ID.json\")  fetched/$ID{ending}\" | sha256sum -c -\n\
         mkdir -m 700 restored\n\
         age -d{key} \"fetched/$ID{ending}\" | tar -x {packing} -p -C restored\n\
         ls -lA restored",
        ending = ending(set),
        packing = packing(set),
    ));
    let root = set.root.to_string_lossy();
    let root = shell_words::quote(&root);
    page.says(
        "`restored/.mainstay/manifest.jsonl` has the path, mode, owner and SHA-256 of every file; beside it lies the \
         configuration, where that is not below the folder itself. Then put the files in their place, as the user who owns \
         them:",
    );
    let mut lines = vec!["mv restored/.mainstay fetched/".to_owned()];
    for dump in &set.dumps {
        let file = shell_words::quote(&format!("restored/{}", dump.name)).into_owned();
        lines.push(format!("mv {file} .          # a dump, no file of the application: see chapter 4"));
    }
    lines.extend([format!("diff -r restored {root}"), format!("cp -a restored/. {root}/")]);
    page.shell(&lines.join("\n"));
}

/// The moment in an archive's name, as a pattern: `app-*` would find those of a backup `app-db` too.
const STAMP: &str = "????????T??????Z";

/// The newest archive of a destination, into `fetched/`.
fn fetch(set: &Set, place: &Place, prefix: &str) -> String {
    let ending = ending(set);
    let first = "mkdir -m 700 -p fetched".to_owned();
    let lines = match place {
        Place::Folder(folder) => {
            let folder = folder.to_string_lossy();
            let folder = shell_words::quote(&folder);
            let folder = if folder.starts_with('-') { format!("./{folder}") } else { folder.into_owned() };
            vec![
                first,
                format!("ID=$(basename \"$(ls {folder}/{prefix}-{STAMP}-*{ending} | tail -n 1)\" {ending})"),
                format!("cp {folder}/\"$ID\".* fetched/"),
            ]
        }
        Place::S3 { bucket, prefix: path } => {
            let options = s3_options(set);
            let slash = if path.is_empty() { "" } else { "/" };
            let folder = shell_words::quote(&format!("s3://{bucket}/{path}{slash}")).into_owned();
            vec![
                first,
                format!(
                    "ID=$(aws s3 ls {folder}{options} | awk '{{print $4}}' | grep '^{}-[0-9]*T[0-9]*Z-.*{}$' | sort | tail -n 1)",
                    dots(prefix),
                    dots(ending)
                ),
                format!("ID=${{ID%{ending}}}"),
                format!("aws s3 cp {folder} fetched/ --recursive --exclude '*' --include \"$ID.*\"{options}"),
            ]
        }
        Place::Rclone(remote) => {
            let remote = secret::hide(remote);
            let remote = shell_words::quote(&remote).into_owned();
            vec![
                first,
                format!("ID=$(rclone lsf {remote} --include '{prefix}-{STAMP}-*{ending}' | sort | tail -n 1)"),
                format!("ID=${{ID%{ending}}}"),
                format!("rclone copy {remote} fetched/ --include \"$ID.*\""),
            ]
        }
    };
    lines.join("\n")
}

/// What Amazon's own tool must be told besides.
pub(super) fn s3_options(set: &Set) -> String {
    let region = set.s3.region.iter().map(|region| format!(" --region {}", shell_words::quote(region)));
    let endpoint = set.s3.endpoint.iter().map(|url| format!(" --endpoint-url {}", shell_words::quote(url.as_str())));
    region.chain(endpoint).collect()
}

fn dots(text: &str) -> String {
    text.replace('.', "\\.")
}

/// An archive made by hand, for the day on which mainstay cannot.
fn by_hand(settings: &Settings, set: &Set, page: &mut Page) {
    page.heading(4, "Make one without mainstay");
    let seal = match &set.lock {
        Padlock::Passphrase(_) => "-p".to_owned(),
        Padlock::Recipients { keys, file } => {
            let keys = keys.iter().map(|key| format!("-r {}", shell_words::quote(key)));
            let file = file.iter().map(|file| format!("-R {}", shell_words::quote(&file.to_string_lossy())));
            keys.chain(file).collect::<Vec<_>>().join(" ")
        }
    };
    let root = set.root.to_string_lossy();
    let root = shell_words::quote(&root);
    let wanted: Vec<String> = set.include.iter().map(|pattern| in_shell(pattern)).collect();
    let exclude: String =
        set.exclude.iter().map(|pattern| format!(" --exclude={}", shell_words::quote(pattern))).collect();
    let file =
        format!("\"{}-$(date -u +%Y%m%dT%H%M%SZ)-by-hand{}\"", set_name(settings.project(), &set.name), ending(set));
    let mut lines = vec![
        format!("FILE={file}"),
        format!(
            "(cd {root} && tar -c {}{exclude} $(ls -d {} 2>/dev/null)) | age {seal} -o \"$FILE\"",
            packing(set),
            wanted.join(" ")
        ),
    ];
    for place in &set.to {
        lines.push(match place {
            Place::Folder(folder) => format!("cp \"$FILE\" {}/", shell_words::quote(&folder.to_string_lossy())),
            Place::S3 { bucket, prefix } => {
                let slash = if prefix.is_empty() { "" } else { "/" };
                let to = format!("s3://{bucket}/{prefix}{slash}");
                format!("aws s3 cp \"$FILE\" {}{}", shell_words::quote(&to), s3_options(set))
            }
            Place::Rclone(remote) => {
                format!("rclone copy \"$FILE\" {}", shell_words::quote(&secret::hide(remote)))
            }
        });
    }
    page.shell(&lines.join("\n"));
    page.says(&format!(
        "It has no signature, so mainstay opens it only with `--allow-unsigned`. `mainstay backup create {} --dry-run` \
         shows which files the patterns mean.",
        set.name
    ));
}

/// A pattern as a shell expands it; what it could not expand as `.gitignore` means it stays a name.
fn in_shell(pattern: &str) -> String {
    let pattern = pattern.trim_end_matches('/').trim_start_matches('/');
    let harmless = |c: char| c.is_ascii_alphanumeric() || "._-/*?".contains(c);
    let plain = !pattern.is_empty() && !pattern.starts_with('-') && pattern.chars().all(harmless);
    if plain { pattern.to_owned() } else { shell_words::quote(pattern).into_owned() }
}
