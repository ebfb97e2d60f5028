//! Progress on the terminal: one line on standard error, gone when the work is done.

use std::{sync::Mutex, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::render;
use crate::report::Progress;

/// A bar while a phase lasts; lines that matter are printed above it.
pub struct Bar {
    bar: Mutex<Option<ProgressBar>>,
    /// Whether bars are drawn; lines are printed either way.
    drawn: bool,
}

impl Bar {
    /// Draws bars only when `drawn`.
    pub fn new(drawn: bool) -> Self {
        Self { bar: Mutex::new(None), drawn }
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
        // What a server said may be part of it.
        let line = render::line(line);
        self.with(|slot| match slot {
            Some(bar) => bar.suspend(|| anstream::eprintln!("{line}")),
            None => anstream::eprintln!("{line}"),
        });
    }
}
