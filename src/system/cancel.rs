//! Whether the operator wants the run to end, and how urgently.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::watch;

/// A shared flag that a signal raises. Cheap to clone; every wait that is not owed listens to it.
#[derive(Clone, Debug)]
pub struct Cancel {
    raised: Arc<watch::Sender<Raised>>,
    stop: Arc<AtomicBool>,
}

/// How many signals have come, and which came first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Raised {
    /// The number of the first signal, as in `128 + number` exit codes.
    pub signal: Option<u8>,
    /// How many have come; the second cuts every wait that is not owed.
    pub times: u32,
}

impl Default for Cancel {
    fn default() -> Self {
        Self { raised: Arc::new(watch::Sender::new(Raised::default())), stop: Arc::default() }
    }
}

impl Cancel {
    /// Raises the flag once more.
    pub fn raise(&self, signal: u8) {
        self.stop.store(true, Ordering::Relaxed);
        self.raised.send_modify(|raised| {
            raised.signal.get_or_insert(signal);
            raised.times += 1;
        });
    }

    /// True from the first signal on: for threads that cannot wait for it but can look.
    pub fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// What has been raised so far.
    pub fn state(&self) -> Raised {
        *self.raised.borrow()
    }

    /// Whether the run should end.
    pub fn is_raised(&self) -> bool {
        self.state().times > 0
    }

    /// Waits until the flag has been raised `times` times.
    pub async fn raised(&self, times: u32) {
        let mut receiver = self.raised.subscribe();
        // The sender lives as long as `self`, so the wait cannot fail before it succeeds.
        let _ = receiver.wait_for(|raised| raised.times >= times).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_signal_is_kept_and_the_count_grows() {
        let cancel = Cancel::default();
        let stop = cancel.stop();
        assert!(!cancel.is_raised() && !stop.load(Ordering::Relaxed));
        cancel.raise(15);
        cancel.raise(2);
        assert_eq!(cancel.state(), Raised { signal: Some(15), times: 2 });
        assert!(stop.load(Ordering::Relaxed));
        cancel.clone().raised(2).await;
    }
}
