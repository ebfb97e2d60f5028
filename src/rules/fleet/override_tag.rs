//! An override: one machine on or off until an instant, whatever its schedule says. It is a tag of the machine itself, so it
//! is seen by everybody, outlives every host, and ends without anybody.

use std::{collections::BTreeMap, fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp};

use crate::rules::{calendar::State, units::Wrong};

/// The tag's key.
pub const OVERRIDE: &str = "mainstay:override";

/// The longest that one may last: what is forgotten for longer belongs into the schedule.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The value of the tag: `on until 2026-11-24T01:00Z by ops`. Only characters that RDS takes in a tag.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Override {
    /// What the machine is to be.
    pub state: State,
    /// Until when.
    pub until: Timestamp,
    /// Who wanted it.
    pub by: Option<String>,
}

/// What the tag of a machine says at an instant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Tagged {
    /// There is none.
    Nothing,
    /// It holds.
    Active(Override),
    /// It has ended and is only left to be taken off.
    Expired(Override),
    /// It cannot be read, or would last longer than one may.
    Unreadable(String),
}

impl Tagged {
    /// Reads the tags of a machine.
    pub fn of(tags: &BTreeMap<String, String>, now: Timestamp) -> Self {
        let Some(text) = tags.get(OVERRIDE) else { return Self::Nothing };
        match text.parse::<Override>() {
            Err(wrong) => Self::Unreadable(format!("`{text}`: {wrong}")),
            Ok(found) if found.until <= now => Self::Expired(found),
            Ok(found) if found.until.duration_since(now) > LONGEST => {
                Self::Unreadable(format!("`{text}` would last for more than seven days"))
            }
            Ok(found) => Self::Active(found),
        }
    }
}

impl FromStr for Override {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let wrong = || Wrong("it is written as `on until 2026-11-24T01:00Z by ops`".into());
        let mut words = text.split_whitespace();
        let state = match words.next() {
            Some("on") => State::On,
            Some("off") => State::Off,
            _ => return Err(wrong()),
        };
        if words.next() != Some("until") {
            return Err(wrong());
        }
        // An offset other than Z would be read right too; local time without one is nobody's.
        let until = words.next().and_then(|word| word.parse().ok()).ok_or_else(wrong)?;
        let by = match (words.next(), words.next(), words.next()) {
            (None, _, _) => None,
            (Some("by"), Some(name), None) => Some(name.to_owned()),
            _ => return Err(wrong()),
        };
        Ok(Self { state, until, by })
    }
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // To the minute, unless it was ended by hand: that counts to the second.
        let whole = self.until.as_second() % 60 == 0;
        let format = if whole { "%Y-%m-%dT%H:%MZ" } else { "%Y-%m-%dT%H:%M:%SZ" };
        write!(f, "{} until {}", self.state, self.until.strftime(format))?;
        match &self.by {
            Some(by) => write!(f, " by {}", fitting(by)),
            None => Ok(()),
        }
    }
}

/// A name with nothing in it that RDS refuses in a tag (letters, digits, space and `_ . : / = + - @`).
fn fitting(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.:/=+-@".contains(c);
    name.chars().take(64).map(|c| if fits(c) { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_nothing_else_is() {
        let text = "on until 2026-11-24T01:00Z by ops";
        let read: Override = text.parse().unwrap();
        assert_eq!((read.state, read.by.as_deref(), read.to_string().as_str()), (State::On, Some("ops"), text));
        assert_eq!(
            "off until 2026-11-24T01:00:30+01:00".parse::<Override>().unwrap().until.to_string(),
            "2026-11-24T00:00:30Z"
        );
        for wrong in
            ["", "on", "on until", "on until tomorrow", "on until 2026-11-24T01:00", "maybe until 2026-11-24T01:00Z"]
        {
            assert!(wrong.parse::<Override>().is_err(), "{wrong}");
        }
        let ended = Override { until: "2026-11-24T01:00:30Z".parse().unwrap(), ..read };
        assert_eq!(ended.to_string(), "on until 2026-11-24T01:00:30Z by ops");
        assert!("on until 2026-11-24T01:00Z for ops".parse::<Override>().is_err());
        assert!("on until 2026-11-24T01:00Z by ops and others".parse::<Override>().is_err());
    }

    proptest! {
        #[test]
        fn schedule_case_71_no_text_panics_and_every_name_comes_out_as_a_tag_of_rds(text in "\\PC{0,40}", name in "\\PC{1,80}") {
            let _ = text.parse::<Override>();
            let until = "2026-11-24T01:00:00Z".parse().unwrap();
            let written = Override { state: State::Off, until, by: Some(name) }.to_string();
            prop_assert!(written.chars().all(|c| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c)), "{written}");
            prop_assert_eq!(written.parse::<Override>().unwrap().until, until);
        }
    }
}
