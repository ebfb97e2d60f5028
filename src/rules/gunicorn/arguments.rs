//! gunicorn's command line, read the way Python's `argparse` reads it.
//!
//! That means: an option may be shortened as long as it stays unambiguous, its value may be the next word or follow
//! `=` or (one dash) the letter itself, switches of one letter may be joined, and the last one given wins
//! (<https://docs.python.org/3/library/argparse.html>).

use std::collections::BTreeMap;

use super::{
    number,
    options::{FLAGS, Flag, Takes, Version},
};

/// What a command line gives: the values of each setting, in order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Arguments {
    values: BTreeMap<&'static str, Vec<String>>,
}

impl Arguments {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    ///
    /// Why this release would refuse to start with them.
    pub fn parse(words: &[String], version: Version) -> Result<Self, String> {
        let flags: Vec<&'static Flag> = FLAGS.iter().filter(|flag| flag.is_in(version)).collect();
        let marks = marks(&flags, words)?;
        let mut arguments = Self::default();
        let mut unknown = Vec::new();
        let mut positionals = false;
        let mut at = 0;
        while let Some(mark) = marks.get(at) {
            match mark {
                Mark::Option(option) => at = arguments.take(&flags, option, words, &marks, at)?,
                Mark::Unknown => {
                    unknown.push(words[at].as_str());
                    at += 1;
                }
                Mark::Separator | Mark::Word => {
                    // Python hands out one unbroken run of positional words; a second run is "unrecognized".
                    let end = marks[at..].iter().position(|mark| !mark.is_word()).map_or(marks.len(), |run| at + run);
                    if positionals {
                        unknown.extend(words[at..end].iter().map(String::as_str));
                    }
                    positionals = true;
                    at = end;
                }
            }
        }
        if unknown.is_empty() { Ok(arguments) } else { Err(format!("unrecognized arguments: {}", unknown.join(" "))) }
    }

    /// The value of a setting that takes one: the last one given.
    pub fn last(&self, setting: &str) -> Option<&str> {
        self.values.get(setting)?.last().map(String::as_str)
    }

    /// All values of a setting that collects them.
    pub fn all(&self, setting: &str) -> Option<&[String]> {
        self.values.get(setting).map(Vec::as_slice)
    }

    /// Takes the option at `at` with its value and says where to go on.
    fn take(
        &mut self,
        flags: &[&'static Flag],
        option: &Found,
        words: &[String],
        marks: &[Mark],
        at: usize,
    ) -> Result<usize, String> {
        let mut flag = option.flag;
        let mut name = option.name.clone();
        let mut attached = option.attached.clone();
        let mut switches = Vec::new();
        let (value, next) = loop {
            match (attached, flag.takes) {
                (Some(rest), Takes::Exit | Takes::Nothing) => {
                    // Switches of one letter may be joined: `-Dw3`.
                    let mut letters = rest.chars();
                    let letter = letters.next().filter(|_| !name.starts_with("--"));
                    let joined = letter.map(|letter| format!("-{letter}"));
                    let Some((joined, found)) =
                        joined.and_then(|joined| exact(flags, &joined).map(|found| (joined, found)))
                    else {
                        return Err(format!("argument {}: ignored explicit argument '{rest}'", spelled(flag)));
                    };
                    switches.push(flag);
                    (name, flag) = (joined, found);
                    attached = Some(letters.as_str().to_owned()).filter(|rest| !rest.is_empty());
                }
                // Python to 3.12 drops a `--` even here, and gunicorn then refuses the empty rest.
                (Some(value), Takes::Integer | Takes::Mode | Takes::Text) if value == "--" => {
                    return Err(format!("argument {}: expected one argument", spelled(flag)));
                }
                (Some(value), _) => break (Some(value), at + 1),
                (None, Takes::Exit | Takes::Nothing) => break (None, at + 1),
                (None, Takes::Maybe | Takes::Integer | Takes::Mode | Takes::Text) => {
                    match (marks.get(at + 1), flag.takes) {
                        (Some(Mark::Word), _) => break (Some(words[at + 1].clone()), at + 2),
                        (_, Takes::Maybe) => break (None, at + 1),
                        _ => return Err(format!("argument {}: expected one argument", spelled(flag))),
                    }
                }
            }
        };
        for switch in switches {
            self.set(switch, None)?;
        }
        self.set(flag, value)?;
        Ok(next)
    }

    fn set(&mut self, flag: &'static Flag, value: Option<String>) -> Result<(), String> {
        match (flag.takes, &value) {
            (Takes::Exit, _) => return Err(format!("{} prints and ends", spelled(flag))),
            (Takes::Integer, Some(text)) if number::decimal(text).is_none() => {
                return Err(format!("argument {}: invalid int value: '{text}'", spelled(flag)));
            }
            (Takes::Mode, Some(text)) if number::mode(text).is_none() => {
                return Err(format!("argument {}: invalid auto_int value: '{text}'", spelled(flag)));
            }
            _ => {}
        }
        self.values.entry(flag.setting).or_default().push(value.unwrap_or_default());
        Ok(())
    }
}

/// How `argparse` sorts a word before it looks at any order.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Mark {
    /// An option that is known.
    Option(Found),
    /// `--`, the first one.
    Separator,
    /// Looks like an option, but there is none.
    Unknown,
    /// A value or a positional.
    Word,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Found {
    flag: &'static Flag,
    name: String,
    attached: Option<String>,
}

impl Mark {
    fn is_word(&self) -> bool {
        matches!(self, Self::Separator | Self::Word)
    }
}

fn marks(flags: &[&'static Flag], words: &[String]) -> Result<Vec<Mark>, String> {
    let mut marks = Vec::with_capacity(words.len());
    for word in words {
        if word == "--" {
            marks.push(Mark::Separator);
            marks.resize(words.len(), Mark::Word);
            break;
        }
        marks.push(mark(flags, word)?);
    }
    Ok(marks)
}

fn mark(flags: &[&'static Flag], word: &str) -> Result<Mark, String> {
    if !word.starts_with('-') || word == "-" {
        return Ok(Mark::Word);
    }
    let found = |flag, name: &str, attached: Option<&str>| Found {
        flag,
        name: name.into(),
        attached: attached.map(Into::into),
    };
    if let Some(flag) = exact(flags, word) {
        return Ok(Mark::Option(found(flag, word, None)));
    }
    if let Some((name, value)) = word.split_once('=')
        && let Some(flag) = exact(flags, name)
    {
        return Ok(Mark::Option(found(flag, name, Some(value))));
    }
    let mut candidates = Vec::new();
    let names = flags.iter().flat_map(|flag| flag.names.iter().map(move |name| (*flag, *name)));
    if word.starts_with("--") {
        let (prefix, value) = word.split_once('=').map_or((word, None), |(prefix, value)| (prefix, Some(value)));
        candidates
            .extend(names.filter(|(_, name)| name.starts_with(prefix)).map(|(flag, name)| found(flag, name, value)));
    } else {
        let letter = word.char_indices().nth(2).map_or(word, |(second, _)| &word[..second]);
        for (flag, name) in names {
            if name == letter {
                candidates.push(found(flag, name, Some(&word[letter.len()..])));
            } else if name.starts_with(word) {
                candidates.push(found(flag, name, None));
            }
        }
    }
    match candidates.pop() {
        Some(found) if candidates.is_empty() => Ok(Mark::Option(found)),
        Some(last) => {
            let mut names: Vec<&str> = candidates.iter().map(|found| found.name.as_str()).collect();
            names.push(&last.name);
            Err(format!("ambiguous option: {word} could match {}", names.join(", ")))
        }
        None if is_negative_number(word) || word.contains(' ') => Ok(Mark::Word),
        None => Ok(Mark::Unknown),
    }
}

fn exact(flags: &[&'static Flag], name: &str) -> Option<&'static Flag> {
    flags.iter().find(|flag| flag.names.contains(&name)).copied()
}

fn spelled(flag: &Flag) -> String {
    flag.names.join("/")
}

/// `-1`, `-1.5`, `-.5`: a value, because gunicorn has no option that looks like a number.
fn is_negative_number(word: &str) -> bool {
    let Some(number) = word.strip_prefix('-') else { return false };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match number.split_once('.') {
        None => !number.is_empty() && digits(number),
        Some((whole, part)) => digits(whole) && !part.is_empty() && digits(part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEWEST: Version = Version(27, 0, 0);

    fn parse(line: &[&str]) -> Result<Arguments, String> {
        let words: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        Arguments::parse(&words, NEWEST)
    }

    #[test]
    fn case_42_abbreviations_and_attached_values() {
        let arguments =
            parse(&["-w3", "--thr", "4", "-t90", "--graceful", "30", "--forwarded", "*", "app:app"]).unwrap();
        for (setting, value) in [
            ("workers", "3"),
            ("threads", "4"),
            ("timeout", "90"),
            ("graceful_timeout", "30"),
            ("forwarded_allow_ips", "*"),
        ] {
            assert_eq!(arguments.last(setting), Some(value), "{setting}");
        }
    }

    #[test]
    fn case_43_every_spelling_of_three_workers() {
        for line in [&["-w", "5", "-w", "3"][..], &["--workers=3"], &["-w=3"], &["-w3"], &["--workers", "3"], &["-Dw3"]]
        {
            assert_eq!(parse(line).unwrap().last("workers"), Some("3"), "{line:?}");
        }
    }

    #[test]
    fn what_argparse_refuses() {
        for (line, part) in [
            (&["--work", "3"][..], "ambiguous option: --work could match --workers, --worker-class"),
            (&["-w", "0x3"], "argument -w/--workers: invalid int value: '0x3'"),
            (&["-w"], "argument -w/--workers: expected one argument"),
            (&["-w", "--", "3"], "expected one argument"),
            (&["-w", "--threads", "2"], "expected one argument"),
            (&["--nonsense", "3"], "unrecognized arguments: --nonsense"),
            (&["app:app", "-w", "3", "other"], "unrecognized arguments: other"),
            (&["-D3"], "ignored explicit argument '3'"),
            (&["--daemon=yes"], "ignored explicit argument 'yes'"),
            (&["--help"], "prints and ends"),
        ] {
            let refusal = parse(line).unwrap_err();
            assert!(refusal.contains(part), "{line:?}: {refusal}");
        }
    }

    #[test]
    fn a_separator_ends_the_options() {
        let arguments = parse(&["-w", "3", "--", "app:app", "-w", "5"]).unwrap();
        assert_eq!(arguments.last("workers"), Some("3"));
    }

    #[test]
    fn a_release_knows_only_its_own_options() {
        let words: Vec<String> = ["--forward", "*"].map(str::to_owned).to_vec();
        let old = Arguments::parse(&words, Version(20, 1, 0)).unwrap();
        assert_eq!(old.last("forwarded_allow_ips"), Some("*"));
        assert!(Arguments::parse(&words, NEWEST).unwrap_err().contains("--forwarder-headers"));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(words in proptest::collection::vec("(-{0,2}[a-zé=w]{0,9}[ 0-9.]{0,3}|\\PC*)", 0..12)) {
            for version in super::super::options::VERSIONS {
                let _ = Arguments::parse(&words, *version);
            }
        }
    }
}
