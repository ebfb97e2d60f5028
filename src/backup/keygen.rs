//! `mainstay backup keygen`: a new identity, the one thing that must not be lost.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use age::secrecy::ExposeSecret;
use jiff::Timestamp;
use serde_json::json;

use crate::{
    error::{Error, Kind, Result},
    report::Report,
};

/// Writes a new X25519 identity as `age-keygen` does, readable by its owner only. Never over a file that is there.
///
/// # Errors
///
/// The file exists, or cannot be written.
pub fn keygen(path: &Path, now: Timestamp, report: &mut Report) -> Result<()> {
    let shown = path.display();
    let identity = age::x25519::Identity::generate();
    let public = identity.to_public().to_string();
    let text = format!(
        "# created: {}\n# public key: {public}\n{}\n",
        now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        identity.to_string().expose_secret()
    );
    let error = |cause: std::io::Error| {
        let error = Error::new(Kind::Failed, format!("write the identity `{shown}`")).because(&cause);
        match cause.kind() {
            std::io::ErrorKind::AlreadyExists => {
                error.hint("name another file: a key that is in use is never replaced")
            }
            _ => error.hint("name a file in a folder that you may write to"),
        }
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(error)?;
    if let Err(cause) = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()) {
        // Half a key would only mislead.
        let _ = fs::remove_file(path);
        return Err(error(cause));
    }
    report.text = Some(format!(
        "Wrote a new identity to `{shown}`. Its public key:\n\n  {public}\n\n\
         Put the public key into mainstay.toml:\n\n  recipients = [\"{public}\"]\n\n\
         Whoever has the file `{shown}` can open every archive that is made for this key, and without it nobody can:\n\
         there is no other way in. Copy it to a safe place (a password manager, paper, a stick in a drawer), then\n\
         remove it from the machine that is backed up. A second recipient is a spare key.\n"
    ));
    report.result = Some(json!({ "file": path.display().to_string(), "public_key": public }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_identity_is_private_and_never_replaces_one() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("key.txt");
        let now: Timestamp = "2026-11-23T18:00:00Z".parse().unwrap();
        let mut report = Report::new("backup keygen", "web-1", now);
        keygen(&path, now, &mut report).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        let public = report.result.as_ref().unwrap()["public_key"].as_str().unwrap();
        assert!(text.starts_with("# created: 2026-11-23T18:00:00Z\n# public key: age1") && text.contains(public));
        let secret = text.lines().last().unwrap();
        assert!(secret.starts_with("AGE-SECRET-KEY-1"));
        assert!(!report.text.as_ref().unwrap().contains(secret), "the secret is in the file only");

        let error = keygen(&path, now, &mut report).unwrap_err();
        assert!(error.hints[0].contains("never replaced"), "{error:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}
