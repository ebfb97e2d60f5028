//! Colours by meaning, and when there are any. The facts about the terminal are arguments: nothing is read here.

use std::fmt;

use anstyle::{AnsiColor, Style};

/// `--color`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum Choice {
    /// Where a person sees it.
    #[default]
    Auto,
    /// Also into a file or a pipe.
    Always,
    /// Nowhere.
    Never,
}

/// What is known about where the text goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings<'a> {
    /// Whether the stream is a terminal.
    pub terminal: bool,
    /// `$NO_COLOR` (<https://no-color.org>): any text but the empty one.
    pub no_color: Option<&'a str>,
    /// `$CLICOLOR_FORCE` (<https://bixense.com/clicolors/>): any text but `0`.
    pub clicolor_force: Option<&'a str>,
    /// `$TERM`: `dumb` shows the escapes as text.
    pub term: Option<&'a str>,
}

impl Choice {
    /// Whether this stream gets colours. A flag beats the variables; `NO_COLOR` beats `CLICOLOR_FORCE`, as it does for
    /// the help texts (anstream).
    pub fn colours(self, around: Surroundings<'_>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if around.no_color.is_some_and(|text| !text.is_empty()) => false,
            Self::Auto if around.clicolor_force.is_some_and(|text| !text.is_empty() && text != "0") => true,
            Self::Auto => around.terminal && around.term != Some("dumb"),
        }
    }
}

/// One style for each meaning; all of them plain where there are no colours.
#[derive(Clone, Copy, Debug, Default)]
pub struct Palette {
    /// Right, done.
    pub good: Style,
    /// Should be looked at.
    pub caution: Style,
    /// Wrong.
    pub bad: Style,
    /// Could not be looked at.
    pub unsure: Style,
    /// Of less interest.
    pub faint: Style,
    /// A heading.
    pub strong: Style,
    /// Something to type.
    pub command: Style,
}

impl Palette {
    /// The eight colours that every terminal has, so that the user's own theme decides how they look.
    pub fn new(colours: bool) -> Self {
        if !colours {
            return Self::default();
        }
        Self {
            good: AnsiColor::Green.on_default(),
            caution: AnsiColor::Yellow.on_default(),
            bad: AnsiColor::Red.on_default().bold(),
            unsure: AnsiColor::Magenta.on_default(),
            faint: Style::new().dimmed(),
            strong: Style::new().bold(),
            command: AnsiColor::Cyan.on_default(),
        }
    }
}

/// `text` in `style`: no escape at all where the style is plain.
pub fn paint(style: Style, text: impl fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// The styles of the help texts.
pub fn help() -> clap::builder::Styles {
    let palette = Palette::new(true);
    clap::builder::Styles::styled()
        .header(palette.strong)
        .usage(palette.strong)
        .literal(palette.command)
        .valid(palette.good)
        .invalid(palette.caution)
        .error(palette.bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_beats_the_variables_and_the_variables_beat_the_terminal() {
        let plain = Surroundings::default();
        let terminal = Surroundings { terminal: true, term: Some("xterm-256color"), ..plain };
        let table = [
            (Choice::Auto, plain, false),
            (Choice::Auto, terminal, true),
            (Choice::Auto, Surroundings { term: None, ..terminal }, true),
            (Choice::Auto, Surroundings { term: Some("dumb"), ..terminal }, false),
            (Choice::Auto, Surroundings { no_color: Some("1"), ..terminal }, false),
            (Choice::Auto, Surroundings { no_color: Some(""), ..terminal }, true),
            (Choice::Auto, Surroundings { clicolor_force: Some("1"), ..plain }, true),
            (Choice::Auto, Surroundings { clicolor_force: Some("0"), ..plain }, false),
            (Choice::Auto, Surroundings { clicolor_force: Some(""), ..plain }, false),
            (Choice::Auto, Surroundings { clicolor_force: Some("1"), term: Some("dumb"), ..plain }, true),
            (Choice::Auto, Surroundings { clicolor_force: Some("1"), no_color: Some("1"), ..terminal }, false),
            (Choice::Always, Surroundings { no_color: Some("1"), term: Some("dumb"), ..plain }, true),
            (Choice::Never, Surroundings { clicolor_force: Some("1"), ..terminal }, false),
        ];
        for (choice, around, colours) in table {
            assert_eq!(choice.colours(around), colours, "{choice:?} {around:?}");
        }
    }

    #[test]
    fn a_plain_style_writes_no_escape() {
        assert_eq!(paint(Palette::new(false).bad, "x"), "x");
        assert_eq!(paint(Palette::new(true).good, "x"), "\u{1b}[32mx\u{1b}[0m");
    }
}
