//! A runner for tests: answers from a table and remembers what was asked.

use std::sync::Mutex;

use futures_util::future::BoxFuture;

use super::{Command, Failure, Output, Runner};

/// Answers commands from a list of (words that the command line must contain, answer); the first match wins.
///
/// A command that matches nothing is [`Failure::Missing`], so a test sees what it did not expect.
#[derive(Default)]
pub struct Scripted {
    answers: Vec<(String, Result<Output, Failure>)>,
    asked: Mutex<Vec<String>>,
}

impl Scripted {
    /// Answers command lines that contain `part` with exit status `code` and these streams.
    pub fn on(mut self, part: &str, code: i32, stdout: impl Into<Vec<u8>>, stderr: impl Into<Vec<u8>>) -> Self {
        let output = Output { code: Some(code), stdout: stdout.into(), stderr: stderr.into(), ..Output::default() };
        self.answers.push((part.to_owned(), Ok(output)));
        self
    }

    /// Fails command lines that contain `part`.
    pub fn fail(mut self, part: &str, failure: Failure) -> Self {
        self.answers.push((part.to_owned(), Err(failure)));
        self
    }

    /// The command lines so far, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no test panics while holding it").clone()
    }
}

impl Runner for Scripted {
    fn run(&self, command: Command) -> BoxFuture<'_, Result<Output, Failure>> {
        let line = command.to_string();
        self.asked.lock().expect("no test panics while holding it").push(line.clone());
        let answer = self.answers.iter().find(|(part, _)| line.contains(part.as_str()));
        let answer = answer.map_or(Err(Failure::Missing(line)), |(_, answer)| answer.clone());
        Box::pin(std::future::ready(answer))
    }
}
