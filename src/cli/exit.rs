//! The exit codes of the public contract (`docs/exit-codes.md`).

use super::render::Format;
use crate::{
    error::{Error, Kind},
    report::Report,
    system::cancel::Raised,
};

/// Something failed.
pub const FAILED: u8 = 1;
/// Wrong usage or configuration; nothing was touched.
pub const USAGE: u8 = 2;
/// Another run holds the lock.
pub const LOCKED: u8 = 4;
/// A bug.
pub const BUG: u8 = 70;
/// UNKNOWN of a Nagios plugin: all that is not a result.
pub const NAGIOS_UNKNOWN: u8 = 3;

/// The code of a run that ended with a report.
pub fn of_report(report: &Report, format: Format) -> u8 {
    if format.is_nagios() { report.nagios_exit() } else { report.exit() }
}

/// The code of a run that ended with an error.
pub fn of_error(error: &Error, format: Format, raised: Raised) -> u8 {
    match error.kind {
        Kind::BrokenPipe => 0,
        Kind::Interrupted => 128 + raised.signal.unwrap_or(2),
        _ if format.is_nagios() => NAGIOS_UNKNOWN,
        Kind::Config | Kind::Usage => USAGE,
        Kind::Failed => FAILED,
        Kind::Locked => LOCKED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_the_code_of_the_contract() {
        let raised = Raised { signal: Some(15), times: 1 };
        let code = |kind, format: &str| of_error(&Error::new(kind, "do it"), format.parse().unwrap(), raised);
        let table = [
            (Kind::BrokenPipe, 0, 0),
            (Kind::Config, 2, 3),
            (Kind::Failed, 1, 3),
            (Kind::Interrupted, 143, 143),
            (Kind::Locked, 4, 3),
            (Kind::Usage, 2, 3),
        ];
        for (kind, human, nagios) in table {
            assert_eq!((code(kind, "human"), code(kind, "nagios")), (human, nagios), "{kind:?}");
        }
    }
}
