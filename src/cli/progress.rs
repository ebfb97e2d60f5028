//! Progress on the terminal: one line on standard error, gone when the work is done.

use std::{io::Write, sync::Mutex, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::render;
use crate::report::Progress;

/// A bar while a phase lasts; lines that matter are printed above it.
pub struct Bar {
    bar: Mutex<Option<ProgressBar>>,
    /// Whether bars are drawn.
    drawn: bool,
    /// Whether lines are printed: also where no bar is drawn, but not into cron's mail.
    told: bool,
}

impl Bar {
    /// Draws bars only when `drawn`, prints lines only when `told`.
    pub fn new(drawn: bool, told: bool) -> Self {
        Self { bar: Mutex::new(None), drawn, told }
    }

    /// The line as it is printed, when it is: it can quote what a server said.
    fn shown(&self, line: &str) -> Option<String> {
        self.told.then(|| render::line(line).into_owned())
    }

    fn with(&self, act: impl FnOnce(&mut Option<ProgressBar>)) {
        // A poisoned bar is still a bar: progress never ends a run.
        act(&mut self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

impl Progress for Bar {
    fn begin(&self, label: &str, total: Option<u64>) {
        if !self.drawn {
            return;
        }
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(10));
        let template = if total.is_some() { "{spinner} {msg} {pos}/{len}" } else { "{spinner} {msg}" };
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_message(label.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        self.with(|slot| *slot = Some(bar));
    }

    fn advance(&self, units: u64) {
        self.with(|slot| slot.iter().for_each(|bar| bar.inc(units)));
    }

    fn end(&self) {
        self.with(|slot| slot.take().iter().for_each(ProgressBar::finish_and_clear));
    }

    fn say(&self, line: &str) {
        let Some(line) = self.shown(line) else { return };
        self.with(|slot| match slot {
            Some(bar) => bar.suspend(|| tell(&line)),
            None => tell(&line),
        });
    }
}

/// A terminal that has gone, or a pipe that nobody reads any more, does not end a run that owes a start.
fn tell(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_said_cannot_command_the_terminal_and_cron_hears_nothing() {
        let line = "prime: the certificate is not for `a.test`, but for `\u{1b}]0;owned\u{7}\u{202e}b.test`";
        let shown = Bar::new(false, true).shown(line).unwrap();
        assert!(shown.contains(r"\u{1b}]0;owned") && !shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{shown:?}");
        assert_eq!(Bar::new(false, false).shown(line), None);
    }
}
