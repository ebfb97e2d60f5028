//! `mainstay schedule deploy --package FILE.zip`: this very program and its configuration, as AWS Lambda takes them.

use std::path::Path;

use serde_json::json;

use crate::{
    cli::{args::Cli, configuration},
    error::{Error, Kind, Result},
    report::Report,
    system::{
        Context, file,
        package::{Member, zip},
        state::{Mode, write_through},
    },
};

/// The program that runs just now.
const OWN: &str = "/proc/self/exe";

/// No build of mainstay is larger.
const LARGEST: u64 = 1 << 30;

/// Lambda takes no larger package directly (AWS Lambda Developer Guide, "Lambda quotas").
const MOST: usize = 50 << 20;

/// Writes the package.
///
/// # Errors
///
/// The program cannot be read, as where there is no procfs, or the file not be written.
pub(super) fn write(path: &Path, cli: &Cli, report: &mut Report, context: &Context) -> Result<()> {
    let loaded = configuration(cli, context)?;
    let error = |what: &str| Error::new(Kind::Failed, format!("pack {what}"));
    let program = file::read(Path::new(OWN), LARGEST).map_err(|cause| {
        error("this program").because(file::why(&cause)).hint("make the package on Linux, where it is to run")
    })?;
    let text =
        file::read(&loaded.path, 1 << 20).map_err(|cause| error("the configuration").because(file::why(&cause)))?;
    let members = [
        Member { name: "bootstrap", content: &program, mode: 0o755 },
        Member { name: "mainstay.toml", content: &text, mode: 0o644 },
    ];
    let packed = zip(&members).map_err(|cause| error("the function").because(cause))?;
    write_through(path, &packed, Mode::Ordinary)?;
    let machine = rustix::system::uname().machine().to_string_lossy().into_owned();
    let architecture = if machine == "aarch64" { "arm64" } else { machine.as_str() };
    let mut lines = vec![
        format!("{}: {:.1} MB, for {architecture}", path.display(), packed.len() as f64 / 1e6),
        String::new(),
        "make the function of it, with the role that `mainstay schedule policy` prints as `function`:".to_owned(),
        "  aws lambda create-function --function-name mainstay --runtime provided.al2023 \\".to_owned(),
        format!("    --architectures {architecture} --handler bootstrap --timeout 900 --memory-size 128 \\"),
        format!("    --role ROLE-ARN --zip-file fileb://{}", path.display()),
        "the configuration is in it; MAINSTAY_CONFIG_TEXT replaces it without a new package".to_owned(),
    ];
    if packed.len() > MOST {
        lines.push("it is larger than 50 MB: upload it to S3 first, and use a release build".to_owned());
    }
    if machine != "x86_64" && machine != "aarch64" {
        lines.push(format!("Lambda has no machines of the kind `{machine}`"));
    }
    report.text = Some(lines.join("\n"));
    report.result =
        Some(json!({ "package": path.display().to_string(), "bytes": packed.len(), "architecture": architecture }));
    Ok(())
}
