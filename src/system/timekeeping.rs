//! Whether something keeps the clock of this machine right: asked of the programs that do.

use std::time::Duration;

use super::{Context, process::Command};
use crate::rules::host_clock::{Timekeeping, chronyc, timedatectl};

/// Asks chrony, which knows how far off the clock is, and else systemd, which knows what the kernel was told.
///
/// # Errors
///
/// Why nobody told it.
pub async fn look(within: Duration, context: &Context) -> Result<Timekeeping, String> {
    let mut why = Vec::new();
    let chrony = Command::new("chronyc").args(["-c", "tracking"]);
    let systemd = Command::new("timedatectl").arg("show");
    for (command, read) in [(chrony, chronyc as fn(&str) -> Option<Timekeeping>), (systemd, timedatectl)] {
        let shown = command.to_string();
        match context.runner.run(command.env("LC_ALL", "C").timeout(within)).await {
            Ok(output) if output.success() => match read(&output.text()) {
                Some(told) => return Ok(told),
                None => why.push(format!("`{shown}` says nothing of it")),
            },
            Ok(output) => {
                // chronyc complains on standard output.
                let said = if output.stderr.is_empty() { output.text().trim().to_owned() } else { output.complaint() };
                why.push(format!("`{shown}` {}: {said}", output.ending()));
            }
            Err(failure) => why.push(failure.to_string()),
        }
    }
    Err(why.join("; "))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::*;
    use crate::system::process::Scripted;

    async fn told(programs: Scripted) -> Result<Timekeeping, String> {
        let mut context = Context::real(BTreeMap::new(), "/".into());
        context.runner = Arc::new(programs);
        look(Duration::from_secs(5), &context).await
    }

    #[tokio::test]
    async fn chrony_comes_first_and_who_is_silent_is_told() {
        let line = "A29FC87B,a.example,4,1795651200.1,-2.5,0,0,0,0,0,0,0,0,Normal\n";
        let found =
            told(Scripted::default().on("chronyc", 0, line, "").on("timedatectl", 0, "NTPSynchronized=no\n", ""));
        assert_eq!(found.await.unwrap().offset, Some(2.5));
        let found = told(Scripted::default().on("chronyc", 1, "506 Cannot talk to daemon\n", "").on(
            "timedatectl",
            0,
            "NTP=yes\nNTPSynchronized=yes\n",
            "",
        ));
        assert_eq!(found.await.unwrap().told_by, "timedatectl");
        let bus = "Failed to connect to bus: No such file or directory";
        let why = told(Scripted::default().on("timedatectl", 1, "", bus)).await.unwrap_err();
        assert!(why.contains("`chronyc") && why.contains("connect to bus"), "{why}");
    }
}
