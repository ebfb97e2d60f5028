//! `host.clock`: whether something keeps this machine's clock right.

use crate::report::{Finding, Status};

/// The id of the public contract.
pub const ID: &str = "host.clock";

/// What was told of the clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Timekeeping {
    /// Whether it is synchronised with another clock.
    pub synchronised: bool,
    /// Whether something is there that would synchronise it, where that was told.
    pub kept: Option<bool>,
    /// How far it is off in seconds, where that was told.
    pub offset: Option<f64>,
    /// Who told it: `timedatectl`, `chronyc`.
    pub told_by: &'static str,
}

/// Further off than this is not synchronised, whatever is said, in seconds.
const MOST: f64 = 1.0;

/// Judges it; where nobody told anything, why.
pub fn judge(subject: &str, seen: &Result<Timekeeping, String>) -> Finding {
    let Timekeeping { synchronised, kept, offset, told_by } = match seen {
        Ok(seen) => seen,
        Err(why) => {
            return Finding::unknown(ID, subject, "whether the clock is right is not known")
                .cause(why.clone())
                .fix("install chrony or systemd-timesyncd; in a container the clock is the host's: look there")
                .data("reason", "unseen");
        }
    };
    let off = offset.filter(|offset| offset.abs() > MOST);
    let finding = match (synchronised, off) {
        (true, None) => {
            let told = offset.map_or(String::new(), |offset| format!(", {:.3} s off", offset.abs()));
            Finding::pass(ID, subject, format!("the clock is synchronised{told} ({told_by})"))
        }
        (true, Some(off)) => {
            let side = if off > 0.0 { "ahead" } else { "behind" };
            Finding::new(ID, subject, Status::Fail, format!("the clock is {:.1} s {side}", off.abs()))
                .cause("it is being set right slowly, or cannot be")
                .fix("look with `chronyc tracking`, and set it at once with `chronyc makestep`")
                .data("reason", "offset")
        }
        (false, _) => {
            let (cause, fix) = match kept {
                Some(false) => ("nothing is switched on that would set it right", "run `timedatectl set-ntp true`"),
                _ => (
                    "what should set it right has not found another clock yet, or cannot reach one",
                    "look with `timedatectl timesync-status` or `chronyc sources`; NTP is UDP port 123",
                ),
            };
            Finding::warn(ID, subject, format!("the clock is not synchronised ({told_by})"))
                .cause(cause)
                .fix(fix)
                .data("reason", "unsynchronised")
        }
    };
    match offset {
        Some(offset) => finding.data("offset_seconds", *offset),
        None => finding,
    }
}

/// Reads `timedatectl show` (timedatectl(1)): `NTPSynchronized=yes`, `NTP=yes`.
pub fn timedatectl(text: &str) -> Option<Timekeeping> {
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let synchronised = match value("NTPSynchronized")? {
        "yes" => true,
        "no" => false,
        _ => return None,
    };
    Some(Timekeeping {
        synchronised,
        kept: value("NTP").map(|told| told == "yes"),
        offset: None,
        told_by: "timedatectl",
    })
}

/// Reads `chronyc -c tracking` (chronyc(1)): fields with commas, the fifth is how far the clock is behind the right time, and
/// the last says whether it is synchronised.
pub fn chronyc(text: &str) -> Option<Timekeeping> {
    let fields: Vec<&str> = text.lines().next()?.trim().split(',').collect();
    let leap = *fields.get(13)?;
    let behind: f64 = fields.get(4)?.parse().ok()?;
    let synchronised = leap != "Not synchronised";
    let offset = synchronised.then_some(-behind).filter(|offset| offset.is_finite());
    Some(Timekeeping { synchronised, kept: Some(true), offset, told_by: "chronyc" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::assert_one_voice;

    #[test]
    fn both_programs_are_read() {
        let right = timedatectl("Timezone=UTC\nNTP=yes\nNTPSynchronized=yes\n").unwrap();
        assert_eq!((right.synchronised, right.kept), (true, Some(true)));
        let wrong = timedatectl("NTP=no\nNTPSynchronized=no\n").unwrap();
        assert_eq!((wrong.synchronised, wrong.kept), (false, Some(false)));
        assert_eq!(timedatectl(""), None);
        assert_eq!(timedatectl("NTPSynchronized=maybe"), None);
        let line = "A29FC87B,162.159.200.123,4,1795651200.1,0.000012,-0.000034,0.00005,-12.3,0.001,0.02,0.011,0.001,64.2,Normal\n";
        let right = chronyc(line).unwrap();
        assert!(right.synchronised && right.offset == Some(-0.000012), "{right:?}");
        let wrong = chronyc("00000000,,0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised").unwrap();
        assert!(!wrong.synchronised && wrong.offset.is_none());
        assert_eq!(chronyc("506 Cannot talk to daemon"), None);
    }

    #[test]
    fn what_is_not_known_is_unknown_and_what_is_off_is_wrong() {
        let seen = |synchronised, kept, offset| Ok(Timekeeping { synchronised, kept, offset, told_by: "chronyc" });
        for (seen, status, reason) in [
            (seen(true, Some(true), Some(0.01)), Status::Pass, ""),
            (seen(true, None, None), Status::Pass, ""),
            (seen(true, Some(true), Some(-7.5)), Status::Fail, "offset"),
            (seen(false, Some(false), None), Status::Warn, "unsynchronised"),
            (seen(false, Some(true), None), Status::Warn, "unsynchronised"),
            (Err("no program tells it".to_owned()), Status::Unknown, "unseen"),
        ] {
            let finding = judge("host", &seen);
            assert_one_voice(&finding);
            let told = finding.data.get("reason").and_then(|reason| reason.as_str()).unwrap_or_default();
            assert_eq!((finding.status, told), (status, reason), "{finding:?}");
        }
    }
}
