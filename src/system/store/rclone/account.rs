//! How a remote is set up, where that matters for backups: Google Drive.

/// The name of a configured remote; `None` for one that is written out on the spot (`:webdav,url=…:`) and for a local path.
pub(super) fn name(remote: &str) -> Option<&str> {
    let (name, _) = remote.split_once(':')?;
    // Options may follow the name.
    let name = name.split(',').next().unwrap_or(name);
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// What the operator should know, out of what `rclone config show NAME` prints.
pub(super) fn notes(name: &str, config: &str) -> Vec<String> {
    let value = |key: &str| {
        let lines = config.lines().filter_map(|line| line.split_once('='));
        lines.map(|(name, value)| (name.trim(), value.trim())).find(|(name, _)| *name == key).map(|(_, value)| value)
    };
    let mut notes = Vec::new();
    if value("type") != Some("drive") {
        return notes;
    }
    // rclone's documentation of Drive, "Making your own client_id".
    if value("client_id").is_none_or(str::is_empty) {
        notes.push(format!(
            "`{name}` uses the client id that all users of rclone share, which is slow and going away: \
             make one of your own (`rclone config`, `client_id`)"
        ));
    }
    // An account that is set up by a service account's file may have no scope; then it has all.
    if value("scope") != Some("drive.file") {
        notes.push(format!(
            "`{name}` may read and delete everything in that Drive: give it the scope `drive.file` (`rclone config`)"
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_configured_remote_has_a_name() {
        for (remote, expected) in [
            ("gdrive:backups", Some("gdrive")),
            ("gdrive,shared_with_me:backups", Some("gdrive")),
            (":local:/srv", None),
            ("/srv/a:b", None),
            ("backups", None),
        ] {
            assert_eq!(name(remote), expected, "{remote}");
        }
    }

    #[test]
    fn a_drive_wants_its_own_client_and_a_narrow_scope() {
        let careful =
            "[g]\ntype = drive\nclient_id = 1.apps\nscope = drive.file\ntoken = {\"access_token\":\"secret=\"}\n";
        let careless = "[g]\ntype = drive\nscope = drive\ntoken = {\"access_token\":\"secret\"}\n";
        assert_eq!(notes("g", careful), [""; 0]);
        let notes_of = |config: &str| notes("g", config).len();
        assert_eq!((notes_of(careless), notes_of("[g]\ntype = webdav\n"), notes_of("")), (2, 0, 0));
        assert!(notes("g", careless).iter().all(|note| !note.contains("secret")));
    }
}
