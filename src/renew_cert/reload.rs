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
    if let Some(refusal) = nginx.refusal.as_ref().filter(|_| !nginx.untested) {
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

/// Why a reload of this container cannot help, and what to do: how the lineage is mounted into it.
pub(super) async fn stuck(certificate: &Certificate, lineage: &str, context: &Context) -> Option<(String, String)> {
    let Some(Reload::Container(reference)) = &certificate.reload else { return None };
    let container = Docker::new(context, TEST).find(reference).await.ok()?;
    let live = certificate.directory.join("live").join(lineage);
    let archive = certificate.directory.join("archive").join(lineage);
    let name = match reference {
        Reference::Name(name) => name.clone(),
        Reference::Service(_) => container.name.clone(),
    };
    let fix = format!("mount `{}` as a folder, and make the container anew", certificate.directory.display());
    let mounts = mounts(&container.raw);
    let is_file = |path: &Path| [&live, &archive].iter().any(|folder| path.starts_with(folder) && path != **folder);
    if let Some(mount) = mounts.iter().find(|mount| is_file(&mount.source)) {
        let cause = format!(
            "the file `{}` itself is mounted into the container `{name}`, which keeps the one that was there when it started",
            mount.source.display()
        );
        return Some((cause, format!("restart it once (`docker restart {name}`), then {fix}")));
    }
    let sees = |path: &Path| mounts.iter().any(|mount| path.starts_with(&mount.source));
    if sees(&live) && !sees(&archive) {
        let cause = format!(
            "`{}` is mounted into the container `{name}` without `{}`, so its links lead nowhere there",
            live.display(),
            archive.display()
        );
        return Some((cause, fix));
    }
    None
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::*;
    use crate::system::process::Scripted;

    /// A running container `web` with nginx in it, and these mounts.
    fn container(mounts: &str) -> Scripted {
        let inspect = format!(
            r#"[{{"Id": "abc", "Name": "/web", "State": {{"Status": "running", "Pid": 7}}, "Mounts": {mounts}}}]"#
        );
        let top = "PID PPID ELAPSED COMMAND\n7 1 60 nginx: master process nginx -g daemon off;\n";
        Scripted::default().on("docker inspect", 0, inspect, "").on("docker top", 0, top, "")
    }

    fn context(runner: Scripted) -> (Context, Arc<Scripted>) {
        let runner = Arc::new(runner);
        let mut context = Context::real(BTreeMap::new(), "/".into());
        context.runner = runner.clone();
        (context, runner)
    }

    fn web() -> Reload {
        Reload::Container(Reference::Name("web".into()))
    }

    /// `docker cp` of a folder with a configuration in it.
    fn copied() -> Vec<u8> {
        let text = b"events {} http { server { listen 443; } }";
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        archive.append_data(&mut header, "nginx/nginx.conf", &text[..]).unwrap();
        archive.into_inner().unwrap()
    }

    const DUMP: &str = "# configuration file /etc/nginx/nginx.conf:\nevents {} http { server { listen 443; } }\n";

    #[tokio::test]
    async fn renew_case_37_a_container_without_the_program_gets_the_signal() {
        let gone = "OCI runtime exec failed: exec: \"nginx\": executable file not found in $PATH: unknown";
        let script = container("[]").on("docker exec", 126, gone, "").on("docker cp", 0, copied(), "").on(
            "kill -s HUP web",
            0,
            "",
            "",
        );
        let (world, _) = context(script);
        let done = reload(&web(), &world).await.unwrap();
        assert!(done.starts_with("HUP to the container `web`"), "{done}");
    }

    #[tokio::test]
    async fn renew_case_38_and_39_nothing_is_told_to_load_what_nginx_itself_refuses() {
        let refused = "nginx: [emerg] host not found in upstream \"app\" in /etc/nginx/nginx.conf:3";
        let script = container("[]").on("-T", 1, "", refused).on("-V", 0, "", "").on("docker cp", 0, copied(), "");
        let (world, asked) = context(script);
        let refusal = reload(&web(), &world).await.unwrap_err();
        assert_eq!((refusal.reason, refusal.why.contains("host not found")), ("nginx-test", true), "{refusal:?}");
        assert!(
            asked.asked().iter().all(|line| !line.contains("reload") && !line.contains("HUP")),
            "{:?}",
            asked.asked()
        );

        let script = container("[]").on("-T", 0, DUMP, "").on("-s reload", 0, "", "").on("-V", 0, "", "");
        let (world, asked) = context(script);
        assert_eq!(reload(&web(), &world).await.unwrap(), "`nginx -s reload` in the container `web`");
        // With the arguments of the running master.
        assert!(asked.asked().last().unwrap().contains("-g 'daemon off;' -s reload"), "{:?}", asked.asked());
    }

    async fn why(mounts: &str) -> Option<String> {
        let certificate =
            Certificate { reload: Some(web()), ..crate::renew_cert::tests::certificate(Path::new("/le")) };
        let (world, _) = context(container(mounts));
        stuck(&certificate, "a.test", &world).await.map(|(cause, _)| cause)
    }

    #[tokio::test]
    async fn renew_case_40_and_41_mounts_of_a_file_or_of_live_alone_are_told() {
        let file = why(r#"[{"Source": "/le/live/a.test/fullchain.pem", "Destination": "/etc/nginx/cert.pem"}]"#).await;
        assert!(file.unwrap().contains("the file `/le/live/a.test/fullchain.pem` itself is mounted"));
        let live = why(r#"[{"Source": "/le/live", "Destination": "/certs"}]"#).await;
        assert!(live.unwrap().contains("links lead nowhere"));
        assert_eq!(why(r#"[{"Source": "/le", "Destination": "/etc/letsencrypt"}]"#).await, None);
        let both = r#"[{"Source": "/le/live", "Destination": "/a/live"}, {"Source": "/le/archive", "Destination": "/a/archive"}]"#;
        assert_eq!(why(both).await, None);
    }
}
