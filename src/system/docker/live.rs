//! Real containers for tests: images made of this machine's own programs, since none can be pulled.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use sha2::{Digest, Sha256};

use crate::system::{
    Context,
    process::{Command, Output},
};

/// A container that is removed when the test is over.
pub(crate) struct Live {
    /// Its name.
    pub(crate) name: String,
}

impl Live {
    /// Starts a container of an image that holds these programs of this machine, their libraries and nothing else: no
    /// shell unless it is one of them. `options` go to `docker run`, `argv` into the container.
    pub(crate) async fn of(context: &Context, programs: &[&str], options: &[&str], argv: &[&str]) -> Self {
        let image = image(context, programs).await;
        let live = Self { name: fresh_name() };
        let arguments = ["run", "-d", "--name", &live.name];
        docker(context, &[&arguments[..], options, &[&image], argv].concat()).await;
        live
    }
}

impl Drop for Live {
    #[expect(clippy::disallowed_methods, reason = "a drop cannot wait for the runner")]
    fn drop(&mut self) {
        let _ = std::process::Command::new("docker").args(["rm", "-f", "-v", &self.name]).output();
    }
}

/// Whether the test can run: an engine answers and the programs are there. Says so when not, and fails where `CI=true`.
#[expect(clippy::print_stdout, reason = "a skipped test is counted by its name")]
pub(crate) async fn ready(context: &Context, test: &str, programs: &[&str]) -> bool {
    let command = Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]);
    let engine = context.runner.run(command).await.is_ok_and(|output| output.success());
    let missing = programs.iter().find(|program| !Path::new(program).exists());
    let reason = match missing {
        _ if !engine => "no Docker engine answers".to_owned(),
        Some(program) => format!("{program} is not installed"),
        None => return true,
    };
    assert_ne!(context.variable("CI"), Some("true"), "{test} must not be skipped: {reason}");
    println!("SKIPPED {test}: {reason}");
    false
}

/// The world as the tests see it.
#[expect(clippy::disallowed_methods, reason = "tests run programs of this machine with its environment")]
pub(crate) fn world() -> Context {
    Context::real(std::env::vars_os().collect::<BTreeMap<_, _>>(), std::env::temp_dir())
}

/// Runs a docker command that must succeed.
pub(crate) async fn docker(context: &Context, arguments: &[&str]) -> Output {
    run(context, Command::new("docker").args(arguments)).await
}

async fn run(context: &Context, command: Command) -> Output {
    let line = command.to_string();
    let output = context.runner.run(command.timeout(Duration::from_secs(60))).await.expect("it runs");
    assert!(output.success(), "{line}: {}", output.complaint());
    output
}

fn fresh_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("mainstay-test-unit-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

async fn image(context: &Context, programs: &[&str]) -> String {
    let mut files: BTreeSet<String> = programs.iter().map(|program| (*program).to_owned()).collect();
    for program in programs {
        // A static program has no libraries, and ldd says so with status 1.
        if let Ok(output) = context.runner.run(Command::new("ldd").arg(program)).await {
            let text = output.text();
            files.extend(text.split_whitespace().filter(|word| word.starts_with('/')).map(ToOwned::to_owned));
        }
    }
    let mut builder = tar::Builder::new(Vec::new());
    for folder in ["etc/nginx", "var/log/nginx", "var/lib/nginx", "run", "tmp", "dev", "proc", "sys"] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o1777);
        header.set_size(0);
        builder.append_data(&mut header, format!("{folder}/"), std::io::empty()).unwrap();
    }
    for file in &files {
        append(&mut builder, file.trim_start_matches('/'), &std::fs::read(file).unwrap());
    }
    append(
        &mut builder,
        "etc/passwd",
        b"root:x:0:0::/:/none\nwww-data:x:33:33::/:/none\nnobody:x:65534:65534::/:/none\n",
    );
    append(&mut builder, "etc/group", b"root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\n");
    let archive = builder.into_inner().unwrap();
    let hash: String = Sha256::digest(&archive).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("mainstay-test-unit:{hash}");
    let known = context.runner.run(Command::new("docker").args(["image", "inspect", &tag])).await;
    if !known.is_ok_and(|output| output.success()) {
        let mut command = Command::new("docker").args(["import", "-", &tag]);
        command.input = Some(archive);
        run(context, command).await;
    }
    tag
}

fn append(builder: &mut tar::Builder<Vec<u8>>, path: &str, content: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o755);
    builder.append_data(&mut header, path, content).unwrap();
}
