//! Where the result goes: standard output and `--output FORMAT=PATH`, several formats from one run.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    str::FromStr,
};

use super::render::{Format, View, render, render_error};
use crate::{
    error::{Error, Kind, Result},
    report::Report,
    system::state::write_through,
};

/// One `FORMAT=PATH`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Output {
    /// How it is written.
    pub format: Format,
    /// Where to.
    pub target: Target,
}

/// Where a result goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// A file, which is replaced in one step, or a device or pipe, which is written to.
    File(PathBuf),
    /// `-`.
    Stdout,
}

impl FromStr for Output {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::new(Kind::Usage, format!("read `--output {text}`"))
                .because("it is not of the form FORMAT=PATH")
                .hint("write for example `--output junit=report.xml`; `-` is standard output")
        };
        let (format, path) = text.split_once('=').ok_or_else(wrong)?;
        if path.is_empty() {
            return Err(wrong());
        }
        let target = if path == "-" { Target::Stdout } else { Target::File(path.into()) };
        Ok(Self { format: format.parse()?, target })
    }
}

impl Output {
    /// Standard output in the format that was meant for it: where an error goes when the list of outputs is wrong.
    pub fn fallback(format: Option<Format>, outputs: &[String]) -> Self {
        let to_stdout = |text: &String| text.parse::<Self>().ok().filter(|output| output.target == Target::Stdout);
        let format = format.or_else(|| outputs.iter().find_map(to_stdout).map(|output| output.format));
        Self { format: format.unwrap_or_default(), target: Target::Stdout }
    }

    /// Whether both would be written to one place; relative paths start from `folder`.
    fn shares_place(&self, other: &Self, folder: &Path) -> bool {
        match (&self.target, &other.target) {
            // Paths compare by their parts, so that `a` and `./a` are one.
            (Target::File(one), Target::File(two)) => folder.join(one) == folder.join(two),
            (one, two) => one == two,
        }
    }
}

/// Every output of a run: what `--output` asked for, and `format` on standard output unless one of them is there.
///
/// # Errors
///
/// Two formats for one place would be a document that nobody can read.
pub fn settle(format: Option<Format>, outputs: Vec<Output>, folder: &Path) -> Result<Vec<Output>> {
    let mut settled = outputs;
    let to_stdout = settled.iter().find(|output| output.target == Target::Stdout).map(|output| output.format);
    match (format, to_stdout) {
        (_, None) => settled.push(Output { format: format.unwrap_or_default(), target: Target::Stdout }),
        (Some(format), Some(other)) if format != other => {
            return Err(twice("standard output", format, other).hint("give one of them a file"));
        }
        _ => {}
    }
    for (at, output) in settled.iter().enumerate() {
        if let Some(other) = settled[..at].iter().find(|other| other.shares_place(output, folder)) {
            let place = match &output.target {
                Target::File(path) => format!("`{}`", path.display()),
                Target::Stdout => "standard output".to_owned(),
            };
            return Err(twice(&place, other.format, output.format).hint("give each a place of its own"));
        }
    }
    Ok(settled)
}

/// The format on standard output, from which the exit code's convention follows.
pub fn on_stdout(outputs: &[Output]) -> Format {
    outputs.iter().find(|output| output.target == Target::Stdout).map(|output| output.format).unwrap_or_default()
}

/// Writes a report to every output: the files, then standard output. One that cannot be written does not keep the
/// others from being written. Relative paths start from `folder`.
///
/// # Errors
///
/// What could not be written and what to do. A reader of standard output that went away (`| head`) has seen what it
/// wanted, which is no error.
pub fn deliver(outputs: &[Output], folder: &Path, stdout: &mut dyn Write, report: &Report, view: &View) -> Result<()> {
    write_all(outputs, folder, stdout, &|output| match output.target {
        Target::File(_) => render(output.format, report, &view.for_file()),
        Target::Stdout => render(output.format, report, view),
    })
}

/// The same for a command that returns data: `text` is what a person reads of it.
///
/// # Errors
///
/// As for [`deliver`].
pub fn deliver_data(
    outputs: &[Output],
    folder: &Path,
    stdout: &mut dyn Write,
    text: &str,
    report: &Report,
    view: &View,
) -> Result<()> {
    write_all(outputs, folder, stdout, &|output| match output.target {
        _ if output.format.is_human() => text.to_owned(),
        Target::File(_) => render(output.format, report, &view.for_file()),
        Target::Stdout => render(output.format, report, view),
    })
}

/// The same for the error that ended a run without a report. Where standard output is for a person nothing is written
/// to it: the caller shows such an error on standard error.
///
/// # Errors
///
/// As for [`deliver`].
pub fn deliver_error(
    outputs: &[Output],
    folder: &Path,
    stdout: &mut dyn Write,
    error: &Error,
    view: &View,
) -> Result<()> {
    write_all(outputs, folder, stdout, &|output| match output.target {
        Target::File(_) => render_error(output.format, error, &view.for_file()),
        Target::Stdout if output.format.is_human() => String::new(),
        Target::Stdout => render_error(output.format, error, view),
    })
}

fn write_all(
    outputs: &[Output],
    folder: &Path,
    stdout: &mut dyn Write,
    text: &dyn Fn(&Output) -> String,
) -> Result<()> {
    let mut troubles = Vec::new();
    for output in outputs {
        let Target::File(path) = &output.target else { continue };
        let written = write_through(&folder.join(path), text(output).as_bytes(), output.format.mode());
        troubles.extend(written.err());
    }
    for output in outputs.iter().filter(|output| output.target == Target::Stdout) {
        troubles.extend(print(stdout, &text(output)).err());
    }
    match troubles.len() {
        0 | 1 => troubles.pop().map_or(Ok(()), Err),
        count => {
            let mut error = Error::new(Kind::Failed, format!("write {count} of the outputs"));
            for trouble in &troubles {
                error = error.because(trouble);
            }
            Err(troubles.into_iter().flat_map(|trouble| trouble.hints).fold(error, Error::hint))
        }
    }
}

/// Writes a text to a stream and makes sure that it got there.
///
/// # Errors
///
/// Not for a broken pipe: whoever read there has what it wanted.
pub fn print(stdout: &mut dyn Write, text: &str) -> Result<()> {
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let hint = match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "free some space where standard output goes to; what is there now is not complete"
                }
                _ => "check where standard output goes to; what is there now is not complete",
            };
            Err(Error::new(Kind::Failed, "write to standard output").because(error).hint(hint))
        }
        _ => Ok(()),
    }
}

fn twice(place: &str, one: Format, other: Format) -> Error {
    Error::new(Kind::Usage, format!("write to {place}")).because(format!(
        "`{}` and `{}` would both go there",
        one.name(),
        other.name()
    ))
}

#[cfg(test)]
mod tests {
    use std::{fs, fs::OpenOptions, os::unix::fs::PermissionsExt};

    use super::*;

    fn output(text: &str) -> Output {
        text.parse().unwrap()
    }

    fn format(name: &str) -> Option<Format> {
        Some(name.parse().unwrap())
    }

    fn report() -> (Report, View) {
        let now = "2026-11-23T18:00:00Z".parse().unwrap();
        (Report::new("check", "web-1", now), View::plain("check", now))
    }

    #[test]
    fn a_format_and_a_path_are_read() {
        assert_eq!(output("junit=a=b.xml").target, Target::File("a=b.xml".into()));
        assert_eq!(output("json=-").target, Target::Stdout);
        for (wrong, says) in [("junit", "FORMAT=PATH"), ("junit=", "FORMAT=PATH"), ("xml=a", "the formats are")] {
            let error = wrong.parse::<Output>().unwrap_err();
            assert_eq!(error.kind, Kind::Usage);
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn standard_output_gets_one_format_and_every_file_one() {
        let settled = settle(None, vec![output("junit=a.xml")], Path::new("/")).unwrap();
        assert_eq!(on_stdout(&settled).name(), "human");
        assert_eq!(
            on_stdout(&settle(format("json"), vec![output("junit=a.xml")], Path::new("/")).unwrap()).name(),
            "json"
        );
        assert_eq!(settle(None, vec![output("nagios=-")], Path::new("/")).unwrap().len(), 1);
        assert_eq!(settle(format("json"), vec![output("json=-")], Path::new("/")).unwrap().len(), 1);
        for (format, outputs) in [
            (format("json"), vec![output("junit=-")]),
            (None, vec![output("junit=-"), output("json=-")]),
            (None, vec![output("junit=a"), output("json=a")]),
            (None, vec![output("junit=b/a"), output("json=./b//a")]),
            (None, vec![output("junit=a"), output("json=/a")]),
        ] {
            assert_eq!(settle(format, outputs, Path::new("/")).unwrap_err().kind, Kind::Usage);
        }
    }

    #[test]
    fn every_output_is_written_and_metrics_can_be_read_by_everybody() {
        let place = tempfile::tempdir().unwrap();
        let outputs = settle(None, vec![output("prometheus=a.prom"), output("json=b.json")], Path::new("/")).unwrap();
        let mut stdout = Vec::new();
        let (report, view) = report();
        let coloured = View { colour: true, ..view };
        deliver(&outputs, place.path(), &mut stdout, &report, &coloured).unwrap();
        assert!(String::from_utf8(stdout).unwrap().contains("\u{1b}["), "colours where a person looks");
        assert!(fs::read_to_string(place.path().join("b.json")).unwrap().starts_with('{'));
        let mode = fs::metadata(place.path().join("a.prom")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
    }

    #[test]
    fn one_file_that_cannot_be_written_does_not_keep_the_others_away() {
        let place = tempfile::tempdir().unwrap();
        let outputs = settle(None, vec![output("json=no/a.json"), output("junit=b.xml")], Path::new("/")).unwrap();
        let mut stdout = Vec::new();
        let (report, view) = report();
        let error = deliver(&outputs, place.path(), &mut stdout, &report, &view).unwrap_err();
        assert_eq!(error.kind, Kind::Failed);
        assert!(error.to_string().contains("no/a.json"), "{error}");
        assert!(error.hints[0].contains("mkdir -p"), "{error:?}");
        assert!(place.path().join("b.xml").exists() && !stdout.is_empty());

        let outputs = settle(None, vec![output("json=no/a.json"), output("junit=/dev/full")], Path::new("/")).unwrap();
        let error = deliver(&outputs, place.path(), &mut stdout, &report, &view).unwrap_err();
        assert!(error.to_string().starts_with("could not write 2 of the outputs"), "{error}");
        assert_eq!((error.why.len(), error.hints.len()), (2, 2));
    }

    #[test]
    fn data_goes_to_every_output_as_text_where_a_person_reads() {
        let place = tempfile::tempdir().unwrap();
        let list = vec![output("json=a.json"), output("human=a.txt")];
        let outputs = settle(None, list, Path::new("/")).unwrap();
        let mut stdout = Vec::new();
        let (mut report, view) = report();
        report.result = Some(serde_json::json!({ "checks": ["tls.name"] }));
        deliver_data(&outputs, place.path(), &mut stdout, "tls.name\n", &report, &view).unwrap();
        assert_eq!(stdout, b"tls.name\n");
        assert_eq!(fs::read_to_string(place.path().join("a.txt")).unwrap(), "tls.name\n");
        assert!(fs::read_to_string(place.path().join("a.json")).unwrap().contains("\"checks\""));
    }

    #[test]
    fn a_wrong_list_of_outputs_still_says_where_a_program_looks() {
        let fallback = |format, outputs: &[&str]| {
            let outputs: Vec<String> = outputs.iter().map(|text| (*text).to_owned()).collect();
            Output::fallback(format, &outputs).format.name()
        };
        assert_eq!(fallback(format("nagios"), &["junit"]), "nagios");
        assert_eq!(fallback(None, &["junit", "nagios=-"]), "nagios");
        assert_eq!(fallback(None, &["junit", "json=a"]), "human");
    }

    #[test]
    fn an_error_goes_into_every_document_but_not_between_what_a_person_reads() {
        let place = tempfile::tempdir().unwrap();
        let error = Error::new(Kind::Failed, "do it");
        let (_, view) = report();
        let written = |outputs: &[Output]| {
            let mut stdout = Vec::new();
            deliver_error(outputs, place.path(), &mut stdout, &error, &view).unwrap();
            String::from_utf8(stdout).unwrap()
        };
        assert_eq!(written(&settle(None, vec![output("human=a.txt")], Path::new("/")).unwrap()), "");
        assert_eq!(fs::read_to_string(place.path().join("a.txt")).unwrap(), "error: could not do it\n");
        assert!(written(&settle(format("json"), vec![], Path::new("/")).unwrap()).contains("\"kind\": \"failed\""));
        assert_eq!(written(&settle(format("nagios"), vec![], Path::new("/")).unwrap()), "UNKNOWN - could not do it\n");
    }

    #[test]
    fn a_full_disk_behind_standard_output_is_an_error_and_a_reader_that_left_is_none() {
        let mut full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let error = print(&mut full, "text\n").unwrap_err();
        assert!(error.to_string().contains("standard output"), "{error}");
        assert!(error.hints[0].contains("free some space"), "{error:?}");

        let (reader, mut writer) = io::pipe().unwrap();
        drop(reader);
        print(&mut writer, "text\n").unwrap();
    }
}
