//! Lets a running nginx read its files anew: the one thing in here that acts.

use super::{Nginx, Place, said::is_missing};
use crate::system::{
    docker::{Docker, Trouble},
    process::{Command, Output},
    program,
};

impl Nginx {
    /// Tells nginx to read its files anew, by its own `-s reload`; by HUP where the program is not found in the container.
    /// What was used, in words.
    ///
    /// Whether the files are right is in [`Nginx::refusal`], and must be asked first: a reload with a wrong file ends with 0
    /// and changes nothing. Whether it worked only the served certificate tells.
    ///
    /// # Errors
    ///
    /// Why nginx was not told, in words.
    pub async fn read_anew(&self) -> Result<String, String> {
        let start = self.start.clone().unwrap_or_default();
        let program = if start.program.is_empty() { "nginx" } else { &start.program };
        let words: Vec<&str> = std::iter::once(program).chain(start.arguments()).chain(["-s", "reload"]).collect();
        match &self.place {
            Place::Container { engine, container } => {
                let docker = Docker::new(&self.context, self.timeout);
                match docker.exec(&container.id, &words).await {
                    Ok(output) if output.success() => {
                        Ok(format!("`nginx -s reload` in the container `{}`", container.name))
                    }
                    Ok(output) if !is_missing(&output) => Err(complaint(&output)),
                    Ok(_) => hang_up(self, engine, &container.name).await,
                    Err(trouble @ Trouble::Slow(_)) => Err(trouble.to_string()),
                    Err(_) => hang_up(self, engine, &container.name).await,
                }
            }
            Place::Host => {
                let program = program::reachable(words[0], &self.context);
                let command = Command::new(program).args(words[1..].iter().copied()).timeout(self.timeout);
                match self.context.runner.run(command).await {
                    Ok(output) if output.success() => Ok("`nginx -s reload` on this machine".to_owned()),
                    Ok(output) => Err(complaint(&output)),
                    Err(failure) => Err(failure.to_string()),
                }
            }
            Place::Dump(_) | Place::Files(_) => Err("files alone cannot be reloaded".to_owned()),
        }
    }
}

/// The signal that `-s reload` sends, from outside.
async fn hang_up(nginx: &Nginx, engine: &str, name: &str) -> Result<String, String> {
    let command = Command::new(engine).args(["kill", "-s", "HUP", name]).timeout(nginx.timeout);
    match nginx.context.runner.run(command).await {
        Ok(output) if output.success() => {
            Ok(format!("HUP to the container `{name}`, which has no nginx program to ask"))
        }
        Ok(output) => Err(complaint(&output)),
        Err(failure) => Err(failure.to_string()),
    }
}

fn complaint(output: &Output) -> String {
    let said = output.complaint();
    if said.is_empty() { output.ending() } else { said }
}
