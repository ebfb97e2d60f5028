//! The whole help as one Markdown page (`docs/cli-reference.md`), manual pages and completions: all from one tree.

use std::{fmt::Write as _, path::Path};

use clap::{Command, CommandFactory};

use super::args::Cli;
use crate::{
    error::{Error, Kind, Result},
    system::state::{Mode, write},
};

/// The help of every command as Markdown, at a fixed width.
pub fn markdown() -> String {
    let mut page =
        String::from("# Command-line reference\n\nThe output of `--help`, command by command. A test keeps it true.\n");
    let mut root = Cli::command().term_width(100);
    root.build();
    write_command(&mut page, &mut root, "mainstay");
    page
}

/// A completion script for a shell.
pub fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mainstay", &mut script);
    script
}

/// Writes one manual page a command into `folder` and returns their names.
///
/// # Errors
///
/// When the folder cannot be made or written.
pub fn write_manual(folder: &Path) -> Result<Vec<String>> {
    let what = || format!("write the manual pages into `{}`", folder.display());
    std::fs::create_dir_all(folder)
        .map_err(|error| Error::new(Kind::Failed, what()).because(error).hint("name a folder that you may write to"))?;
    let mut root = Cli::command();
    root.build();
    let mut names = Vec::new();
    write_pages(&root, "mainstay", folder, &mut names)?;
    Ok(names)
}

fn write_command(page: &mut String, command: &mut Command, path: &str) {
    let help = command.clone().bin_name(path).render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(page, "\n## `{path}`\n\n```text\n{}\n```\n", help.join("\n").trim_end());
    for child in command.get_subcommands_mut().filter(|child| child.get_name() != "help") {
        let path = format!("{path} {}", child.get_name());
        write_command(page, child, &path);
    }
}

fn write_pages(command: &Command, name: &str, folder: &Path, names: &mut Vec<String>) -> Result<()> {
    let file = format!("{name}.1");
    let page =
        page(command, name).map_err(|error| Error::new(Kind::Failed, format!("write `{file}`")).because(error))?;
    write(&folder.join(&file), &page, Mode::Ordinary)?;
    names.push(file);
    for child in command.get_subcommands().filter(|child| child.get_name() != "help") {
        write_pages(child, &format!("{name}-{}", child.get_name()), folder, names)?;
    }
    Ok(())
}

/// One manual page. What stands after the options is set as it is: filled like prose, examples could not be copied.
fn page(command: &Command, name: &str) -> std::io::Result<Vec<u8>> {
    let after = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let bare = command.clone().after_help(None::<&str>).after_long_help(None::<&str>);
    let mut page = Vec::new();
    clap_mangen::Man::new(bare.name(name.to_owned()).bin_name(name.replace('-', " ")))
        .source(concat!("mainstay ", env!("CARGO_PKG_VERSION")))
        .render(&mut page)?;
    if let Some((title, text)) = after.split_once(":\n") {
        page.extend_from_slice(format!(".SH {}\n.nf\n", title.to_uppercase()).as_bytes());
        for line in text.lines() {
            page.extend_from_slice(verbatim(line).as_bytes());
        }
        page.extend_from_slice(b".fi\n");
    }
    Ok(page)
}

/// A line of text for troff: nothing in it is a request, an escape or a typographic hyphen.
fn verbatim(line: &str) -> String {
    let escaped = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('`', "\\(ga");
    // `\&` prints nothing and keeps a dot at the beginning from being a request.
    if escaped.starts_with('.') { format!("\\&{escaped}\n") } else { format!("{escaped}\n") }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test reads its switch from the environment and rewrites the page")]
mod tests {
    use clap::{Command, CommandFactory, Parser};

    use super::Cli;

    /// The examples of a command's help and of those below it: what stands before the explanation.
    fn examples(command: &Command, found: &mut Vec<String>) {
        let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
        let lines =
            help.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| line.starts_with("mainstay "));
        found.extend(lines.map(|line| line.split("  ").next().unwrap_or(line).to_owned()));
        command.get_subcommands().for_each(|command| examples(command, found));
    }

    #[test]
    fn every_example_of_the_help_is_a_command_line() {
        let mut found = Vec::new();
        examples(&Cli::command(), &mut found);
        assert!(found.len() >= 10, "{found:?}");
        for example in found {
            let words = shell_words::split(&example).unwrap();
            // What the shell takes for itself: `> FILE`.
            let words = words.into_iter().take_while(|word| word != ">");
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("`{example}` of the help does not work: {error}");
            }
        }
    }

    #[test]
    fn a_manual_page_keeps_its_examples_as_they_are_typed() {
        let mut root = Cli::command();
        root.build();
        let check = root.find_subcommand("check").unwrap();
        let page = String::from_utf8(super::page(check, "mainstay-check").unwrap()).unwrap();
        let examples = page.split_once(".SH EXAMPLES\n.nf\n").unwrap().1;
        assert!(
            examples.contains("  mainstay check \\-\\-wait 60s \\-\\-output junit=check.xml    after a deploy\n"),
            "{page}"
        );
        assert!(!page.contains(".SH EXTRA") && page.contains(env!("CARGO_PKG_VERSION")), "{page}");
        let page = String::from_utf8(super::page(&root, "mainstay").unwrap()).unwrap();
        assert!(page.contains(".SH EXIT CODES\n.nf\n"), "{page}");
        assert_eq!(super::verbatim(".a\\b-'c`"), "\\&.a\\eb\\-\\(aqc\\(ga\n");
    }

    #[test]
    fn the_reference_page_is_what_help_prints() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cli-reference.md");
        let page = super::markdown();
        if std::env::var_os("MAINSTAY_BLESS").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(kept, page, "docs/cli-reference.md is out of date: run this test with MAINSTAY_BLESS=1");
    }
}
