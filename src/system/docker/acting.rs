//! Containers that are stopped, started and removed. Whatever is stopped here is written down first, by who calls it.

use std::time::Duration;

use super::{Docker, Trouble, complaint, none};
use crate::system::{Context, process::Output};

/// Acts on containers through one engine.
pub struct Acting<'a> {
    /// Looks through the same engine.
    pub look: Docker<'a>,
}

/// How long the engine may take for what is quick unless it is stuck.
const PATIENCE: Duration = Duration::from_secs(30);

impl<'a> Acting<'a> {
    /// Acts through `docker` or `podman`, with these variables on top of the inherited ones.
    pub fn new(context: &'a Context, engine: &str, variables: &[(String, String)]) -> Self {
        let look = Docker::through(context, PATIENCE, engine).with_variables(variables);
        Self { look }
    }

    /// Stops a container: TERM (or its own signal), and KILL after `grace`.
    ///
    /// # Errors
    ///
    /// Why it may still run.
    pub async fn stop(&self, name: &str, grace: u64) -> Result<(), Trouble> {
        let seconds = grace.to_string();
        self.done(&["stop", "-t", &seconds, name], name, PATIENCE + Duration::from_secs(grace)).await
    }

    /// Starts a container; one that runs is left alone.
    ///
    /// # Errors
    ///
    /// Why it could not be started.
    pub async fn start(&self, name: &str) -> Result<(), Trouble> {
        self.done(&["start", name], name, PATIENCE * 2).await
    }

    /// Pauses a container.
    ///
    /// # Errors
    ///
    /// Why it is not paused.
    pub async fn pause(&self, name: &str) -> Result<(), Trouble> {
        self.done(&["pause", name], name, PATIENCE).await
    }

    /// Lets a paused container go on.
    ///
    /// # Errors
    ///
    /// Why it is still paused.
    pub async fn unpause(&self, name: &str) -> Result<(), Trouble> {
        self.done(&["unpause", name], name, PATIENCE).await
    }

    /// Gives a container, running or not, this restart policy: `always`, `unless-stopped`, `on-failure:3`, `no`.
    ///
    /// # Errors
    ///
    /// Why it has another one. podman before 5.1 knows no such command.
    pub async fn restart_policy(&self, name: &str, policy: &str) -> Result<(), Trouble> {
        let option = format!("--restart={policy}");
        let done = self.done(&["update", &option, name], name, PATIENCE).await;
        done.map_err(|trouble| match trouble {
            Trouble::Other(why) if why.contains("unknown flag: --restart") || why.contains("unrecognized command") => {
                Trouble::Other("podman before 5.1 cannot change a restart policy".to_owned())
            }
            trouble => trouble,
        })
    }

    /// Removes a container, running or not; whether there was one.
    ///
    /// # Errors
    ///
    /// Why it may still be there.
    pub async fn remove(&self, name: &str) -> Result<bool, Trouble> {
        match self.done(&["rm", "-f", name], name, PATIENCE).await {
            Ok(()) => Ok(true),
            Err(Trouble::NoSuch { .. }) => Ok(false),
            // It was started with --rm and ends just now: the engine is at it already.
            Err(Trouble::Other(why)) if why.contains("already in progress") => Ok(true),
            Err(trouble) => Err(trouble),
        }
    }

    async fn done(&self, arguments: &[&str], name: &str, within: Duration) -> Result<(), Trouble> {
        if !super::is_name(name) {
            return Err(none(name, Vec::new()));
        }
        let output = self.look.call_within(arguments, super::COPY_LIMIT, within).await?;
        if output.success() { Ok(()) } else { Err(complaint(&reason(output), name)) }
    }
}

/// Without the last line of a failed `docker start`, which only repeats that it failed: the reason stands before it.
fn reason(mut output: Output) -> Output {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if let [before @ .., last] = &lines[..]
        && !before.is_empty()
        && last.starts_with("Error: failed to start containers")
    {
        output.stderr = before.join("\n").into_bytes();
    }
    output
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::*;
    use crate::system::process::Scripted;

    #[tokio::test]
    async fn why_something_was_not_done_is_told() {
        let mut context = Context::real(BTreeMap::new(), "/".into());
        let last = "Error: failed to start containers: web\n";
        let gone = format!("Error response from daemon: No such container: web\n{last}");
        let taken = format!(
            "Error response from daemon: driver failed: Bind for 0.0.0.0:80 failed: port is already allocated\n{last}"
        );
        context.runner = Arc::new(Scripted::default().on("start web", 1, "", gone).on("start api", 1, "", taken));
        let acting = Acting::new(&context, "docker", &[]);
        let trouble = acting.start("web").await.unwrap_err();
        assert!(matches!(&trouble, Trouble::NoSuch { name, .. } if name == "web"), "{trouble:?}");
        let trouble = acting.start("api").await.unwrap_err();
        assert!(trouble.to_string().contains("port is already allocated"), "{trouble}");
        let old = "Error: unknown flag: --restart\nSee 'podman update --help'\n";
        context.runner = Arc::new(Scripted::default().on("podman update", 125, "", old));
        let trouble = Acting::new(&context, "podman", &[]).restart_policy("web", "always").await.unwrap_err();
        assert!(trouble.to_string().contains("podman before 5.1 cannot"), "{trouble}");
        // What would be read as an option is no name.
        let acting = Acting::new(&context, "docker", &[]);
        assert!(matches!(acting.start("-a").await, Err(Trouble::NoSuch { .. })));
    }
}
