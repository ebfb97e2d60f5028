//! Which archives stay and which go, and why.

use std::time::Duration;

/// `keep`: how many archives stay. The rules are ORed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Keep {
    /// The newest ones.
    pub last: Option<u64>,
    /// The newest one of each of so many hours.
    pub hourly: Option<u64>,
    /// The newest one of each of so many days.
    pub daily: Option<u64>,
    /// The newest one of each of so many ISO weeks.
    pub weekly: Option<u64>,
    /// The newest one of each of so many months.
    pub monthly: Option<u64>,
    /// The newest one of each of so many years.
    pub yearly: Option<u64>,
    /// All that are not older than this before the newest good one.
    pub within: Option<Duration>,
}
