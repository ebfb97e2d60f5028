//! The caller's table of cron, over `crontab`: read whole, and replaced whole.

use std::time::Duration;

use super::{
    Context,
    process::{Command, Failure},
    procfs,
};

/// Why there is no table to read or write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// There is no `crontab` on PATH.
    Absent,
    /// It refuses; why.
    Refused(String),
}

/// Reading and writing a small file.
const PATIENCE: Duration = Duration::from_secs(15);

/// The largest table that is read.
const LIMIT: usize = 1 << 20;

/// The table, byte for byte; empty where the caller has none yet.
///
/// # Errors
///
/// Why it could not be read. What was cut off is not a table: writing it back would lose the rest.
pub async fn read(context: &Context) -> Result<Vec<u8>, Trouble> {
    let command = Command::new("crontab").arg("-l").env("LC_ALL", "C").timeout(PATIENCE).limit(LIMIT);
    match context.runner.run(command).await {
        Ok(output) if output.truncated => Err(Trouble::Refused("it is larger than 1 MiB".into())),
        Ok(output) if output.success() => Ok(output.stdout),
        // cronie, vixie-cron, dcron and busybox: "no crontab for ann"; busybox: "can't open 'ann': No such file".
        Ok(output) if is_none(&output.complaint()) => Ok(Vec::new()),
        Ok(output) if output.complaint().is_empty() => Err(Trouble::Refused(format!("crontab {}", output.ending()))),
        Ok(output) => Err(Trouble::Refused(output.complaint())),
        Err(Failure::Missing(_)) => Err(Trouble::Absent),
        Err(failure) => Err(Trouble::Refused(failure.to_string())),
    }
}

/// Replaces the table.
///
/// # Errors
///
/// Why the old one is still there.
pub async fn write(table: &[u8], context: &Context) -> Result<(), Trouble> {
    let command = Command::new("crontab").arg("-").env("LC_ALL", "C").input(table).timeout(PATIENCE);
    match context.runner.run(command).await {
        Ok(output) if output.success() => Ok(()),
        Ok(output) if output.complaint().is_empty() => Err(Trouble::Refused(format!("crontab {}", output.ending()))),
        Ok(output) => Err(Trouble::Refused(output.complaint())),
        Err(Failure::Missing(_)) => Err(Trouble::Absent),
        Err(failure) => Err(Trouble::Refused(failure.to_string())),
    }
}

/// Whether a daemon that goes by such tables runs here, as far as processes can be seen.
pub fn is_served(context: &Context) -> bool {
    let name = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let is_daemon = |words: &[String]| {
        let mut names = words.iter().take(2).map(|word| name(word));
        match names.next().unwrap_or_default().as_str() {
            "cron" | "crond" | "fcron" => true,
            "busybox" => names.next().is_some_and(|applet| applet == "crond"),
            _ => false,
        }
    };
    !procfs::find(is_daemon, context.clock.now()).is_empty()
}

fn is_none(complaint: &str) -> bool {
    complaint.contains("no crontab for") || complaint.contains("No such file or directory")
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent => f.write_str("there is no `crontab` on PATH"),
            Self::Refused(why) => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::*;
    use crate::system::process::Scripted;

    fn context(runner: Scripted) -> Context {
        Context { runner: Arc::new(runner), ..Context::real(BTreeMap::new(), "/".into()) }
    }

    #[tokio::test]
    async fn a_table_is_read_as_it_is_and_none_is_an_empty_one() {
        let odd = b"MAILTO=\xff\n* * * * * true".to_vec();
        assert_eq!(read(&context(Scripted::default().on("crontab -l", 0, odd.clone(), ""))).await, Ok(odd));
        for none in ["no crontab for ann\n", "crontab: can't open 'ann': No such file or directory\n"] {
            assert_eq!(read(&context(Scripted::default().on("crontab -l", 1, "", none))).await, Ok(Vec::new()));
        }
        let refused = read(&context(Scripted::default().on("crontab -l", 1, "", "You (ann) are not allowed\n"))).await;
        assert_eq!(refused, Err(Trouble::Refused("You (ann) are not allowed".into())));
        assert_eq!(read(&context(Scripted::default())).await, Err(Trouble::Absent));
        assert_eq!(write(b"", &context(Scripted::default())).await, Err(Trouble::Absent));
    }
}
