//! Commands whose output goes into the archive: a database's dump.

use std::{
    io::{self, Seek},
    path::Path,
    sync::Arc,
};

use super::Dump;
use crate::{
    rules::manifest::Mtime,
    system::{Context, archive::Extra, process::Command},
};

/// Why there is no dump.
pub(super) struct NoDump {
    /// What happened.
    pub why: String,
    /// What to do.
    pub fix: String,
}

/// Runs the command and keeps its output in a file without a name, which only we can read: tar needs its length first,
/// and what the database holds must not lie about in the clear.
///
/// # Errors
///
/// It failed, printed less than it must, or did not end in time.
pub(super) async fn take(dump: &Dump, spool: &Path, context: &Context) -> Result<Extra, NoDump> {
    let no_dump = |why: String, fix: &str| NoDump { why, fix: fix.to_owned() };
    let unwritable = |error: io::Error| {
        no_dump(format!("its output could not be kept in `{}`: {error}", spool.display()), "free some space there")
    };
    let (program, arguments) =
        dump.command.split_first().ok_or_else(|| no_dump("it names no program".into(), "write one"))?;
    let file = Arc::new(tempfile::tempfile_in(spool).map_err(unwritable)?);
    let command = Command::new(program).args(arguments).timeout(dump.timeout).pour_into(Arc::clone(&file));
    let line = command.to_string();
    let output = context
        .runner
        .run(command)
        .await
        .map_err(|failure| no_dump(failure.to_string(), "run the command by hand, or give it more `timeout`"))?;
    if !output.success() {
        let why = format!("`{line}` {}: {}", output.ending(), output.complaint());
        return Err(no_dump(why, "run the command by hand and mend what it complains about"));
    }
    let mut file = Arc::try_unwrap(file).or_else(|shared| shared.try_clone()).map_err(unwritable)?;
    let bytes = file.metadata().map_err(unwritable)?.len();
    if bytes < dump.min_bytes {
        let why = format!("`{line}` printed {bytes} bytes, and at least {} are expected", dump.min_bytes);
        return Err(no_dump(why, "run the command by hand; `min_bytes` is what it must print at least"));
    }
    file.rewind().map_err(unwritable)?;
    let now = context.clock.now();
    let mtime = Mtime { seconds: now.as_second(), nanos: 0 };
    Ok(Extra { path: dump.name.clone().into_bytes(), file, mode: 0o600, mtime })
}

#[cfg(test)]
mod tests {
    use std::{io::Read, time::Duration};

    use super::*;

    fn dump(script: &str, min_bytes: u64) -> Dump {
        let command = ["sh", "-c", script].map(Into::into).to_vec();
        Dump { name: "db.sql".into(), command, timeout: Duration::from_secs(20), min_bytes }
    }

    async fn taken(dump: &Dump) -> Result<Extra, String> {
        let place = tempfile::tempdir().unwrap();
        let context = Context::real(std::collections::BTreeMap::new(), "/".into());
        let extra = take(dump, place.path(), &context).await.map_err(|none| none.why);
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0, "the spool has no name");
        extra
    }

    #[tokio::test]
    async fn backup_case_50_the_output_of_a_dump_is_kept_without_a_name() {
        let mut extra = taken(&dump("echo 'select 1;'", 1)).await.unwrap();
        let mut text = String::new();
        extra.file.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), extra.path.as_slice(), extra.mode), ("select 1;\n", &b"db.sql"[..], 0o600));
    }

    #[tokio::test]
    async fn backup_case_50_a_dump_that_fails_prints_nothing_or_hangs_is_none() {
        let why = taken(&dump("echo half; echo no such role >&2; exit 1", 1)).await.unwrap_err();
        assert!(why.ends_with("exited with status 1: no such role"), "{why}");
        let why = taken(&dump("true", 1)).await.unwrap_err();
        assert!(why.ends_with("printed 0 bytes, and at least 1 are expected"), "{why}");
        let hanging = Dump { timeout: Duration::from_millis(200), ..dump("sleep 60", 0) };
        let why = taken(&hanging).await.unwrap_err();
        assert!(why.contains("still running after 0.2 s"), "{why}");
        let missing = Dump { command: vec!["no-such-program".into()], ..dump("", 0) };
        assert!(taken(&missing).await.unwrap_err().contains("is not installed"));
    }
}
