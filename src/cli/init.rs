//! `mainstay init`: what was found becomes a file, once.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{
    Done,
    args::{Cli, InitArgs},
    config, elapsed, host,
    render::visible,
};
use crate::{
    backup,
    error::{Error, Kind, Result},
    report::{Outcome, Report, State, Status},
    setup::init::{self, Found},
    system::{
        Context, file,
        state::{Mode, create},
    },
};

/// Runs it.
pub(super) async fn run(args: &InitArgs, cli: &Cli, context: &Context) -> Result<Done> {
    let started = context.clock.now();
    let path = context.folder.join(cli.global.config.as_deref().unwrap_or(Path::new("mainstay.toml")));
    if !args.dry_run {
        refuse_existing(&path)?;
    }
    let mut report = Report::new("init", host(), started);
    context.progress.begin("looking around", None);
    let mut found = init::look(&context.folder, context).await;
    found.is_away = path.parent() != Some(&context.folder);
    context.progress.end();
    report.findings = init::findings(&found);
    if args.dry_run {
        let text = written(&found, None, &path)?;
        report.result = Some(json!({ "path": path, "text": text }));
        report.took = elapsed(started, context);
        // The text is the result; what it lacks is for the person.
        for finding in report.findings.iter().filter(|finding| finding.status == Status::Unknown) {
            let fix = finding.fix.iter().map(|fix| format!("\nhint: {fix}")).collect::<String>();
            anstream::eprintln!("warning: {}", visible(&format!("{}{fix}", finding.summary)));
        }
        return Ok(Done::Data { text, report: Box::new(report) });
    }
    let key = new_key(&found, &mut report, context)?;
    let text = match write(&found, key.as_ref(), &path) {
        Ok(text) => text,
        Err(error) => {
            // Nobody has seen the key yet, and nothing was sealed for it.
            return Err(match key.as_ref().map(|(_, file)| (fs::remove_file(file), file)) {
                Some((Err(_), file)) => error.hint(format!("remove `{}`: it is a new key of no use", file.display())),
                _ => error,
            });
        }
    };
    let shown = path.strip_prefix(&context.folder).unwrap_or(&path).display().to_string();
    report.outcomes.push(done(&shown, "check it: `mainstay config check`, then `mainstay check`"));
    report.result = Some(json!({ "path": path, "identity": key.as_ref().map(|(_, file)| file), "text": text }));
    let own = context.folder.join(IDENTITY);
    let is_here = found.keys.iter().any(|(_, file)| *file == own);
    report.text = key.map(|(_, file)| warning(&file, "is a new private key", &found));
    report.text = report.text.or_else(|| is_here.then(|| warning(&own, "is a private key", &found)));
    report.took = elapsed(started, context);
    Ok(Done::Report(Box::new(report)))
}

/// The file of a new private key.
const IDENTITY: &str = "mainstay-identity.txt";

/// A key where backups could begin and there is none: its public half, and its file.
fn new_key(found: &Found, report: &mut Report, context: &Context) -> Result<Option<(String, PathBuf)>> {
    if found.secrets.is_empty() || !found.keys.is_empty() {
        return Ok(None);
    }
    let file = context.folder.join(IDENTITY);
    let mut of_keygen = Report::new("backup keygen", host(), context.clock.now());
    backup::keygen(&file, context.clock.now(), &mut of_keygen)?;
    let public = of_keygen.result.as_ref().and_then(|result| result["public_key"].as_str()).map(str::to_owned);
    report.outcomes.push(done(IDENTITY, "a new private key for backups"));
    Ok(public.map(|public| (public, file)))
}

fn warning(file: &Path, what: &str, found: &Found) -> String {
    let git = match &found.repository {
        Some(_) => "It lies in a git work tree: add it to .gitignore.\n",
        None => "",
    };
    format!(
        "`{}` {what}.\n\
         Whoever has it can open every backup that is made for it, and without it nobody can:\n\
         there is no other way in. Copy it to a safe place (a password manager, paper, a stick\n\
         in a drawer), then remove it from this machine.\n{git}",
        file.display()
    )
}

/// Writes the file, where there is none; its text.
fn write(found: &Found, key: Option<&(String, PathBuf)>, path: &Path) -> Result<String> {
    let text = written(found, key.map(|(key, _)| key.as_str()), path)?;
    match create(path, text.as_bytes(), Mode::Ordinary) {
        Ok(true) => Ok(text),
        Ok(false) => Err(exists(path)),
        Err(error) => Err(cannot_write(path, &error)),
    }
}

/// The text, which our own reader accepts.
fn written(found: &Found, key: Option<&str>, path: &Path) -> Result<String> {
    let text = init::compose(found, key);
    match config::parse(&text, &path.display().to_string()) {
        Ok(_) => Ok(text),
        // A bug, and still no reason to leave somebody with a file that does not work.
        Err(wrong) => {
            let error = Error::new(Kind::Failed, "write a configuration of what was found");
            let error = wrong.iter().take(3).fold(error, |error, wrong| error.because(wrong));
            Err(error.hint("please report it; `mainstay config schema` says how to write one by hand"))
        }
    }
}

fn refuse_existing(path: &Path) -> Result<()> {
    match path.symlink_metadata() {
        Ok(_) => Err(exists(path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(cannot_write(path, &error)),
    }
}

fn exists(path: &Path) -> Error {
    Error::new(Kind::Usage, format!("write `{}`", path.display()))
        .because("it is there already, and is never overwritten")
        .hint("see what would be written now: `mainstay init --dry-run`")
        .hint("or name another file: `mainstay init --config FILE`")
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Kind::Failed, format!("write `{}`", path.display()))
        .because(file::why(error))
        .hint("run it in a folder that you may write to, or print it: `mainstay init --dry-run`")
}

fn done(target: &str, detail: &str) -> Outcome {
    Outcome { action: "write".into(), target: target.into(), state: State::Done, detail: detail.into(), fix: None }
}
