//! certbot as a command, and what its ending means. Who runs it decides how it is held: beside the site, or while it is down.

use std::time::Duration;

use crate::{
    rules::renewal::{Form, Ports, Trouble, Word, caller, wrap},
    system::process::{Command, Failure, Output},
};

/// What a certbot that ended by itself left.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ended {
    /// Whether it says that all went well, which means little.
    pub success: bool,
    /// How it ended, in words.
    pub ending: String,
    /// Everything that it printed.
    pub text: String,
}

/// The configured command with these arguments; `container` names the container where it runs in one.
pub fn command(
    configured: &[String],
    arguments: &[String],
    (container, ports): (&str, Ports),
    deadline: Duration,
) -> Command {
    let words = wrap(configured, container, ports);
    let program = words.first().cloned().unwrap_or_else(|| "certbot".to_owned());
    Command::new(program)
        .args(words.iter().skip(1))
        .args(arguments)
        // Its texts are read, so no locale may translate them.
        .env("LC_ALL", "C.UTF-8")
        .timeout(deadline)
        .limit(1 << 20)
}

/// The engine whose container certbot runs in, where it does.
pub fn engine(configured: &[String]) -> Option<&'static str> {
    let program = configured.first().map(|program| program.rsplit('/').next().unwrap_or(program))?;
    let engine = if program.starts_with("podman") { "podman" } else { "docker" };
    (caller(configured) != Form::Host).then_some(engine)
}

/// What came of it.
///
/// # Errors
///
/// It did not run to its own end.
pub fn ended(answer: Result<Output, Failure>, configured: &[String]) -> Result<Ended, Trouble> {
    let trouble = |word, detail| Err(Trouble { word, detail, retry_after: None });
    match answer {
        Ok(output) if engine(configured).is_some() && matches!(output.code, Some(125..=127)) => {
            trouble(Word::Missing, format!("the container of certbot could not be started: {}", output.complaint()))
        }
        Ok(output) => Ok(Ended { success: output.success(), ending: output.ending(), text: text(&output) }),
        Err(Failure::Cancelled) => trouble(Word::Signal, "a signal ended it".to_owned()),
        Err(Failure::TimedOut(after)) => Err(Trouble::deadline(after)),
        Err(Failure::Missing(program)) => {
            trouble(Word::Missing, format!("`{program}` is not installed (not found on PATH)"))
        }
        Err(Failure::System(why)) => trouble(Word::Missing, why),
    }
}

/// What asks certbot for its version.
pub fn version_call(configured: &[String], container: &str) -> Command {
    command(configured, &["--version".to_owned()], (container, Ports::Closed), Duration::from_secs(60))
}

/// certbot's version, out of the answer to [`version_call`].
///
/// # Errors
///
/// Why it cannot be had, which is why no renewal would work.
pub fn version(answer: Result<Output, Failure>, configured: &[String]) -> Result<String, Trouble> {
    let ended = ended(answer, configured)?;
    let version = ended.text.split_whitespace().skip_while(|word| *word != "certbot").nth(1).map(str::to_owned);
    version.ok_or_else(|| {
        let detail = ended.text.lines().next_back().unwrap_or("it printed nothing").to_owned();
        let detail = format!("`certbot --version` {}: {detail}", ended.ending);
        Trouble { word: Word::Missing, detail, retry_after: None }
    })
}

/// Both streams: certbot prints errors on standard error and problems of challenges on standard output.
fn text(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}\n{}", out.trim_end(), err.trim_end()).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::*;
    use crate::system::{Context, process::Scripted};

    fn context(runner: Scripted) -> Context {
        let mut context = Context::real(BTreeMap::new(), "/".into());
        context.runner = Arc::new(runner);
        context
    }

    async fn asked(world: &Context, configured: &str) -> Result<String, Trouble> {
        let configured = words(configured);
        version(world.runner.run(version_call(&configured, "x")).await, &configured)
    }

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn a_certbot_that_is_not_there_is_told_on_the_host_and_in_a_container() {
        let world = context(Scripted::default().on("certbot --version", 0, "certbot 5.8.0\n", ""));
        assert_eq!(asked(&world, "docker run --rm certbot/certbot").await, Ok("5.8.0".to_owned()));
        let world = context(Scripted::default());
        assert_eq!(asked(&world, "certbot").await.unwrap_err().word, Word::Missing);
        let world = context(Scripted::default().on("run", 125, "", "docker: port is already allocated.\n"));
        let refused = asked(&world, "docker run c").await.unwrap_err();
        assert_eq!((refused.word, refused.detail.contains("allocated")), (Word::Missing, true));
    }

    #[test]
    fn the_engine_of_a_container_is_known() {
        assert_eq!(engine(&words("/usr/bin/podman run c")), Some("podman"));
        assert_eq!(engine(&words("docker-compose run certbot")), Some("docker"));
        assert_eq!(engine(&words("certbot")), None);
    }
}
