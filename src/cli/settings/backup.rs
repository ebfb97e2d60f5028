//! What `mainstay backup` works on: the `[backup.NAME]` sections that were asked for.

use std::time::Duration;

use super::{shown, usage};
use crate::{
    backup::{Padlock, Set, Settings},
    cli::{
        config::{self, Loaded, model},
        host,
    },
    error::{Error, Kind, Result},
    system::{Context, state::State},
};

/// The backups of these names in the order of the command line, each once; all of them where no name is given.
///
/// The caller adds what only its own command line knows: `lock_wait` is zero and `command` is `mainstay backup`.
///
/// # Errors
///
/// There is no such backup, or none at all, or no folder for the state.
pub fn backup_settings(loaded: &Loaded, names: &[String], context: &Context) -> Result<Settings> {
    let known = &loaded.model.backups;
    if known.is_empty() {
        return Err(Error::new(Kind::Config, "find anything to back up")
            .because(format!("{} has no [backup.NAME] section", loaded.file_name()))
            .hint("make a key with `mainstay backup keygen`")
            .hint(
                "then add a section: [backup.app] with `recipients = [\"age1…\"]` and `to = [\"/mnt/usb/backups\"]`",
            ));
    }
    let mut sets: Vec<Set> = Vec::new();
    for name in names {
        let section = known.iter().find(|backup| backup.name == *name).ok_or_else(|| unknown(name, known))?;
        if sets.iter().all(|set| set.name != *name) {
            sets.push(set(section));
        }
    }
    if names.is_empty() {
        sets = known.iter().map(set).collect();
    }
    Ok(Settings {
        project: loaded.model.project.clone(),
        sets,
        state: State::find(context, loaded.model.state.as_deref())?,
        host: host(),
        config: Some(loaded.path.clone()),
        lock_wait: Duration::ZERO,
        command: "mainstay backup".to_owned(),
    })
}

fn unknown(name: &str, known: &[model::Backup]) -> Error {
    let names: Vec<&str> = known.iter().map(|backup| backup.name.as_str()).collect();
    let error = usage(format!("use the backup `{}`", shown(name)))
        .because(format!("no backup has this name; there are `{}`", names.join("`, `")));
    let near = config::nearest(name, names.into_iter());
    near.into_iter().fold(error, |error, near| error.hint(format!("did you mean `{near}`?")))
}

pub(super) fn set(section: &model::Backup) -> Set {
    Set {
        name: section.name.clone(),
        root: section.root.clone(),
        include: section.include.clone(),
        include_is_default: section.include_is_default,
        exclude: section.exclude.clone(),
        optional: section.optional.clone(),
        lock: match &section.passphrase {
            Some(passphrase) => Padlock::Passphrase(passphrase.clone()),
            None => Padlock::Recipients { keys: section.recipients.clone(), file: section.recipients_file.clone() },
        },
        to: section.to.clone(),
        required: section.required.clone().unwrap_or_else(|| section.to.clone()),
        compression: section.compression,
        mounted: section.mounted,
        signers: section.signers.clone(),
        timezone: section.timezone.clone(),
        min_good: section.min_good,
        one_file_system: section.one_file_system,
        after_restore: section.after_restore.clone(),
        keep: section.keep.clone(),
        max_age: section.max_age,
        max_drill_age: section.max_drill_age,
        dumps: section.dumps.clone(),
        s3: section.s3.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use super::*;
    use crate::{
        cli::config::load,
        rules::retention::Keep,
        system::{
            archive::Compression,
            store::{Mounted, Place},
        },
    };

    const FILE: &str = "\
[backup.app]
recipients = [\"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\"]
to = [\"usb\", \"s3://prime-backups/app/\", \"rclone:gdrive:backups/prime\"]
[backup.media]
root = \"/srv/media\"
include = [\"uploads/\"]
passphrase = { env = \"BACKUP_PASSPHRASE\" }
to = [\"/mnt/usb/media\", \"s3://prime-backups\"]
required = [\"s3://prime-backups\"]
compression = \"zstd\"
mounted = true
keep = { last = 2, within = \"90d\" }
s3 = { region = \"us-east-2\", object_lock = \"30d\" }
dump = [{ name = \"db.sql\", command = [\"pg_dump\", \"app\"] }]
";

    /// A configuration with this text, in a folder of its own.
    #[expect(clippy::disallowed_methods, reason = "a test makes the file that is read")]
    fn loaded(text: &str) -> (tempfile::TempDir, Loaded) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mainstay.toml");
        std::fs::write(&path, format!("project = \"prime\"\nstate = \"state\"\n{text}")).unwrap();
        let loaded = load(Some(&path), &context(folder.path())).unwrap().unwrap();
        (folder, loaded)
    }

    fn context(folder: &Path) -> Context {
        Context::real(BTreeMap::new(), folder.to_path_buf())
    }

    fn of(loaded: &Loaded, names: &[&str]) -> Result<Settings> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        backup_settings(loaded, &names, &context(Path::new("/")))
    }

    #[test]
    fn a_section_becomes_plain_settings_with_absolute_places() {
        let (folder, loaded) = loaded(FILE);
        let settings = of(&loaded, &[]).unwrap();
        assert_eq!((settings.project.as_str(), settings.config), ("prime", Some(folder.path().join("mainstay.toml"))));
        assert_eq!(settings.state.folder(), folder.path().join("state"));
        let [app, media] = &settings.sets[..] else { panic!("two backups") };
        assert_eq!((app.root.as_path(), app.include_is_default), (folder.path(), true));
        let bucket = |prefix: &str| Place::S3 { bucket: "prime-backups".into(), prefix: prefix.into() };
        let usb = Place::Folder(folder.path().join("usb"));
        assert_eq!(app.to, [usb, bucket("app"), Place::Rclone("gdrive:backups/prime".into())]);
        assert_eq!(app.to[2].to_string(), "rclone:gdrive:backups/prime");
        assert_eq!(app.required, app.to, "all of them unless some are named");
        assert!(matches!(&app.lock, Padlock::Recipients { keys, file: None } if keys.len() == 1));
        assert_eq!((app.mounted, app.compression, app.s3.region.as_deref()), (Mounted::Auto, Compression::Gzip, None));
        assert!(matches!(media.lock, Padlock::Passphrase(_)));
        assert_eq!((&media.required[..], media.include_is_default), (&[bucket("")][..], false));
        assert_eq!((media.mounted, media.compression), (Mounted::Always, Compression::Zstd));
        let within = Some(Duration::from_secs(90 * 86_400));
        assert_eq!(media.keep, Keep { last: Some(2), within, ..Keep::default() }, "it replaces the default as a whole");
        assert_eq!((media.s3.region.as_deref(), media.s3.object_lock.is_some()), (Some("us-east-2"), true));
        assert_eq!((media.dumps[0].name.as_str(), media.dumps[0].min_bytes), ("db.sql", 1));
    }

    #[test]
    fn names_select_in_their_own_order_and_once() {
        let (_folder, loaded) = loaded(FILE);
        let names = |settings: Settings| settings.sets.into_iter().map(|set| set.name).collect::<Vec<_>>();
        assert_eq!(names(of(&loaded, &[]).unwrap()), ["app", "media"]);
        assert_eq!(names(of(&loaded, &["media", "app", "media"]).unwrap()), ["media", "app"]);
    }

    #[test]
    fn a_name_that_is_none_and_a_file_without_backups_say_what_to_do() {
        let (_folder, loaded_file) = loaded(FILE);
        let error = of(&loaded_file, &["medai"]).unwrap_err();
        assert_eq!((error.kind, error.what.as_str()), (Kind::Usage, "use the backup `medai`"));
        assert_eq!(error.why, ["no backup has this name; there are `app`, `media`"]);
        assert_eq!(error.hints, ["did you mean `media`?"]);
        let (_folder, empty) = loaded("");
        let error = of(&empty, &[]).unwrap_err();
        assert_eq!(
            (error.kind, &error.why[..]),
            (Kind::Config, &["mainstay.toml has no [backup.NAME] section".into()][..])
        );
        assert!(error.hints[1].contains("[backup.app]"), "{error:?}");
    }
}
