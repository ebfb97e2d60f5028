//! Asking a person: whether to go on, and for a passphrase. Only where there is one: standard input and error are terminals.

use std::{
    io::{self, BufRead, Write},
    sync::Arc,
};

use secrecy::SecretString;

use super::{console::Console, render};
use crate::{
    error::{Error, Kind, Result},
    system::archive::Person,
};

/// Whether the operator wants this. `--yes` answers for him.
///
/// # Errors
///
/// Nobody is there to be asked: what cannot be taken back needs a word.
pub fn confirm(question: &str, yes: bool, console: &Console) -> Result<bool> {
    if yes {
        return Ok(true);
    }
    if !(console.stdin && console.stderr) {
        return Err(Error::new(Kind::Usage, "ask for confirmation")
            .because("standard input is not a terminal")
            .hint("look at it with --dry-run, then say --yes"));
    }
    anstream::eprint!("{} [y/N] ", render::line(question));
    let flushed = io::stderr().flush();
    let mut answer = String::new();
    flushed
        .and_then(|()| io::stdin().lock().read_line(&mut answer))
        .map_err(|error| Error::new(Kind::Failed, "read the answer").because(error).hint("say --yes"))?;
    Ok(is_yes(&answer))
}

/// Whoever sits at the terminal, for keys that are locked themselves.
pub struct Terminal {
    /// Whether somebody does.
    pub there: bool,
}

impl Terminal {
    /// The person of a run.
    pub fn of(console: &Console) -> Arc<dyn Person> {
        Arc::new(Self { there: console.stdin && console.stderr })
    }
}

impl Person for Terminal {
    fn passphrase(&self, prompt: &str) -> Option<SecretString> {
        if !self.there {
            return None;
        }
        let typed = rpassword::prompt_password(format!("{}: ", render::line(prompt))).ok()?;
        (!typed.is_empty()).then(|| typed.into())
    }

    fn tell(&self, message: &str) {
        anstream::eprintln!("{}", render::line(message));
    }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: Console = Console { stdin: false, stdout: false, stderr: false, columns: 80 };

    #[test]
    fn only_yes_is_yes_and_without_a_person_it_must_have_been_said_before() {
        for (answer, yes) in
            [("y\n", true), ("Yes\n", true), ("\n", false), ("n\n", false), ("yeah\n", false), ("", false)]
        {
            assert_eq!(is_yes(answer), yes, "{answer:?}");
        }
        assert_eq!(confirm("remove it?", true, &NOBODY), Ok(true));
        let error = confirm("remove it?", false, &NOBODY).unwrap_err();
        assert_eq!((error.kind, error.hints.len()), (Kind::Usage, 1));
    }
}
