//! Whether the operator wants the run to end, and how urgently.

use std::sync::Arc;

use tokio::sync::watch;

/// A shared flag that a signal raises. Cheap to clone; every wait that is not owed listens to it.
#[derive(Clone, Debug)]
pub struct Cancel {
    raised: Arc<watch::Sender<Raised>>,
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
        Self { raised: Arc::new(watch::Sender::new(Raised::default())) }
    }
}

impl Cancel {
    /// Raises the flag once more.
    pub fn raise(&self, signal: u8) {
        self.raised.send_modify(|raised| {
            raised.signal.get_or_insert(signal);
            raised.times += 1;
        });
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
        assert!(!cancel.is_raised());
        cancel.raise(15);
        cancel.raise(2);
        assert_eq!(cancel.state(), Raised { signal: Some(15), times: 2 });
        cancel.clone().raised(2).await;
    }
}
