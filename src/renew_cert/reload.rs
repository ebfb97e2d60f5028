//! Lets the server load the new certificate: tested first, told then; whether it worked only what is served tells.

use std::{path::Path, time::Duration};

use super::{Certificate, Reload};
use crate::{
    rules::renewal::mounts,
    system::{
        Context,
        docker::{Docker, Reference},
        nginx::{Nginx, Source},
        process::Command,
    },
};

/// `nginx -t` looks up the names of its upstreams, which takes 10 s each where the resolver is dead.
const TEST: Duration = Duration::from_secs(30);

/// Why a server did not load it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Refused {
    /// The word for `data.reason`.
    pub reason: &'static str,
    /// In one line.
    pub why: String,
    /// What to do about it.
    pub fix: String,
}

/// Lets the configured server load its certificates anew; what was done, in words.
///
/// # Errors
///
/// Why it was not told; nothing has changed then.
pub(super) async fn reload(reload: &Reload, context: &Context) -> Result<String, Refused> {
    match reload {
        Reload::Container(reference) => nginx(&Source::Container(reference.clone()), context).await,
        Reload::Systemd(unit) => {
            let words = ["systemctl".to_owned(), "reload".to_owned(), unit.clone()];
            command(&words, context).await
        }
        Reload::Command(words) => command(words, context).await,
    }
}

async fn nginx(source: &Source, context: &Context) -> Result<String, Refused> {
    let fault = |why: String, fix: String| Refused { reason: "reload-failed", why, fix };
    let nginx = Nginx::observe(context, TEST, source).await.map_err(|found| fault(found.what, found.fix))?;
    // `nginx -T` tests the same as `-t`, with the arguments of the running master.
    if let Some(refusal) = &nginx.refusal {
        return Err(Refused {
            reason: "nginx-test",
            why: format!("nginx would not load its files: {refusal}"),
            fix: format!("correct the configuration (`{}`), then run it again", nginx.test_command()),
        });
    }
    nginx.read_anew().await.map_err(|why| fault(why, nginx.reload()))
}

async fn command(words: &[String], context: &Context) -> Result<String, Refused> {
    let shown = shell_words::join(words);
    let (program, arguments) = words.split_first().ok_or_else(|| Refused {
        reason: "reload-failed",
        why: "the command is empty".to_owned(),
        fix: "correct `reload`".to_owned(),
    })?;
    let command = Command::new(program).args(arguments).timeout(Duration::from_secs(60));
    let failed = |why: String| Refused {
        reason: "reload-failed",
        why: format!("`{shown}` {why}"),
        fix: format!("run `{shown}` by hand and see what it says"),
    };
    match context.runner.run(command).await {
        Ok(output) if output.success() => Ok(format!("`{shown}`")),
        Ok(output) => Err(failed(format!("{}: {}", output.ending(), output.complaint()))),
        Err(failure) => Err(failed(format!("could not be run: {failure}"))),
    }
}

/// The command that a person types to reload.
pub(super) fn by_hand(certificate: &Certificate) -> String {
    match &certificate.reload {
        Some(Reload::Container(reference)) => {
            let name = reference.in_shell();
            format!("docker exec {name} nginx -t && docker exec {name} nginx -s reload")
        }
        Some(Reload::Systemd(unit)) => format!("sudo systemctl reload {}", shell_words::quote(unit)),
        Some(Reload::Command(words)) => shell_words::join(words),
        None => "sudo nginx -t && sudo nginx -s reload".to_owned(),
    }
}

/// Why a reload of this container cannot help: a file of the lineage itself is mounted, and a mount of a file keeps the one
/// that was there when the container started.
pub(super) async fn stuck(certificate: &Certificate, lineage: &str, context: &Context) -> Option<(String, String)> {
    let Some(Reload::Container(reference)) = &certificate.reload else { return None };
    let container = Docker::new(context, TEST).find(reference).await.ok()?;
    let live = certificate.directory.join("live").join(lineage);
    let archive = certificate.directory.join("archive").join(lineage);
    let is_file = |path: &Path| (path.starts_with(&live) || path.starts_with(&archive)) && path != live && path != archive;
    let mount = mounts(&container.raw).into_iter().find(|mount| is_file(&mount.source))?;
    let name = match reference {
        Reference::Name(name) => name.clone(),
        Reference::Service(_) => container.name,
    };
    Some((
        format!(
            "the file `{}` itself is mounted into the container `{name}`, which keeps the one that was there when it started",
            mount.source.display()
        ),
        format!("restart it once (`docker restart {name}`), and mount `{}` as a folder", certificate.directory.display()),
    ))
}
