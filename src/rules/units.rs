//! Durations, shares and sizes as people write them, and back.
//!
//! ```
//! use std::time::Duration;
//! use mainstay::rules::units;
//! assert_eq!(units::parse_duration("1h30m"), Ok(Duration::from_secs(5400)));
//! assert_eq!(units::print_duration(Duration::from_secs(21 * 86_400)), "3w");
//! assert_eq!(units::parse_share("25%"), Ok(0.25));
//! assert_eq!(units::parse_size("10MiB"), Ok(10_485_760));
//! ```

use std::{fmt, time::Duration};

/// Why a text is not a duration, a share or a size: a fragment that fits after "is wrong: ".
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wrong(pub String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

/// Reads `10s`, `5m`, `3h`, `21d`, `1w`, `500ms`, or several of them, the largest first: `1h30m`.
///
/// A day is 24 hours and a week is 7 days: these are lengths of time, not calendar steps.
///
/// # Errors
///
/// What is wrong with the text.
pub fn parse_duration(text: &str) -> Result<Duration, Wrong> {
    if text.is_empty() {
        return Err(Wrong("it is empty".into()));
    }
    let mut rest = text;
    let mut total: u64 = 0;
    let mut smallest = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        if number.is_empty() {
            return Err(Wrong(format!("there is no number before `{unit}`")));
        }
        if unit.is_empty() {
            return Err(Wrong(format!("`{number}` has no unit: write ms, s, m, h, d or w after it")));
        }
        let Some((_, length)) = LENGTHS.iter().find(|(name, _)| *name == unit) else {
            return Err(Wrong(format!("`{unit}` is not a unit: use ms, s, m, h, d or w")));
        };
        if *length >= smallest {
            return Err(Wrong("the units must come largest first, each at most once".into()));
        }
        smallest = *length;
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*length));
        total = part
            .and_then(|part| total.checked_add(part))
            .filter(|total| *total <= LONGEST)
            .ok_or_else(|| Wrong("it is longer than 100 years".into()))?;
        rest = tail;
    }
    Ok(Duration::from_millis(total))
}

/// The shortest text that [`parse_duration`] reads back to the same milliseconds.
pub fn print_duration(duration: Duration) -> String {
    let mut left = duration.as_millis();
    if left == 0 {
        return "0s".into();
    }
    // Whole weeks only while they are few: `3w`, but `90d`.
    let week = u128::from(LENGTHS[0].1);
    if left.is_multiple_of(week) && left < 5 * week {
        return format!("{}w", left / week);
    }
    let mut text = String::new();
    for (unit, length) in &LENGTHS[1..] {
        let length = u128::from(*length);
        if left >= length {
            text.push_str(&format!("{}{unit}", left / length));
            left %= length;
        }
    }
    text
}

/// Reads `25%` or `2.5%` as a share from 0.0 to 1.0.
///
/// # Errors
///
/// What is wrong with the text.
pub fn parse_share(text: &str) -> Result<f64, Wrong> {
    let number = text.strip_suffix('%').ok_or_else(|| Wrong("a share ends in `%`".into()))?;
    let plain = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '.');
    match number.parse::<f64>() {
        Ok(value) if plain && (0.0..=100.0).contains(&value) => Ok(value / 100.0),
        Ok(_) if plain => Err(Wrong("a share lies between 0% and 100%".into())),
        _ => Err(Wrong(format!("`{number}` is not a number"))),
    }
}

/// Reads a number of bytes: `1500`, `10kB` (1000), `10KiB` (1024), and so on up to `TB` and `TiB`.
///
/// # Errors
///
/// What is wrong with the text.
pub fn parse_size(text: &str) -> Result<u64, Wrong> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(Wrong("it does not start with a number".into()));
    }
    let unit = unit.trim_start_matches(' ');
    let Some((_, factor)) = SIZES.iter().find(|(name, _)| *name == unit) else {
        return Err(Wrong(format!("`{unit}` is not a unit: use B, kB, MB, GB, TB or KiB, MiB, GiB, TiB")));
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(*factor))
        .ok_or_else(|| Wrong("it is more than 2^64 bytes".into()))
}

/// The shortest exact text that [`parse_size`] reads back to the same number.
pub fn print_size(bytes: u64) -> String {
    let exact = SIZES.iter().rev().find(|(_, factor)| *factor > 1 && bytes >= *factor && bytes.is_multiple_of(*factor));
    match exact {
        Some((unit, factor)) => format!("{}{unit}", bytes / factor),
        None => format!("{bytes}B"),
    }
}

/// A number of bytes as people want to read it: `4 B`, `1.5 MiB`. Not exact, and not read back.
pub fn tell_size(bytes: u64) -> String {
    let iec = SIZES.iter().rev().find(|(unit, factor)| unit.ends_with("iB") && bytes >= *factor);
    match iec {
        // In whole numbers, so that nothing is rounded up to the next unit.
        Some((unit, factor)) => format!("{}.{} {unit}", bytes / factor, bytes % factor * 10 / factor),
        None => format!("{bytes} B"),
    }
}

/// How long ago something was, in seconds, as people want to read it: the largest unit that says enough, `22 d`; `ahead` of what
/// is yet to come.
pub fn tell_age(seconds: i64) -> String {
    match seconds {
        ..0 => "ahead".to_owned(),
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Milliseconds, largest first.
const LENGTHS: &[(&str, u64)] =
    &[("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// A hundred years: whatever is longer is a slip, and sums with an instant stay inside jiff's range.
const LONGEST: u64 = 36_525 * 86_400_000;

/// Bytes, smallest first; SI and IEC 80000-13.
const SIZES: &[(&str, u64)] = &[
    ("", 1),
    ("B", 1),
    ("kB", 1000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_age_is_told_in_the_unit_that_says_enough() {
        for (seconds, told) in
            [(59, "59 s"), (3600, "60 min"), (86_400, "24 h"), (22 * 86_400, "22 d"), (-86_400, "ahead")]
        {
            assert_eq!(tell_age(seconds), told);
        }
    }

    #[test]
    fn sizes_are_told_with_one_decimal() {
        for (bytes, text) in
            [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), ((1 << 20) - 1, "1023.9 KiB"), (5 << 30, "5.0 GiB")]
        {
            assert_eq!(tell_size(bytes), text);
        }
    }

    #[test]
    fn durations_are_read_and_written() {
        let table = [
            ("10s", 10),
            ("5m", 300),
            ("3h", 10_800),
            ("21d", 1_814_400),
            ("1w", 604_800),
            ("1h30m", 5400),
            ("1d1s", 86_401),
            ("0s", 0),
        ];
        for (text, seconds) in table {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
    }

    #[test]
    fn wrong_durations_say_why() {
        let table = [
            ("", "it is empty"),
            ("10", "`10` has no unit: write ms, s, m, h, d or w after it"),
            ("s", "there is no number before `s`"),
            ("10 s", "` s` is not a unit: use ms, s, m, h, d or w"),
            ("10min", "`min` is not a unit: use ms, s, m, h, d or w"),
            ("-5s", "there is no number before `-`"),
            ("1.5h", "`.` is not a unit: use ms, s, m, h, d or w"),
            ("5m1h", "the units must come largest first, each at most once"),
            ("5m5m", "the units must come largest first, each at most once"),
            ("99999999999999999999w", "it is longer than 100 years"),
            ("6000w", "it is longer than 100 years"),
            ("٣s", "there is no number before `٣s`"),
        ];
        for (text, why) in table {
            assert_eq!(parse_duration(text), Err(Wrong(why.into())), "{text}");
        }
    }

    #[test]
    fn durations_are_printed_with_few_units() {
        let table = [
            (0, "0s"),
            (1, "1ms"),
            (1500, "1s500ms"),
            (90_000, "1m30s"),
            (86_400_000, "1d"),
            (21 * 86_400_000, "3w"),
            (90 * 86_400_000, "90d"),
            (604_800_000, "1w"),
            (36_525 * 86_400_000, "36525d"),
        ];
        for (milliseconds, text) in table {
            assert_eq!(print_duration(Duration::from_millis(milliseconds)), text);
        }
    }

    #[test]
    fn shares_and_sizes_are_read() {
        assert_eq!(parse_share("25%"), Ok(0.25));
        assert_eq!(parse_share("2.5%"), Ok(0.025));
        for wrong in ["25", "%", "101%", "-1%", "1e1%", "nan%", "inf%", "1.2.3%"] {
            assert!(parse_share(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_size("1500"), Ok(1500));
        assert_eq!(parse_size("2 GiB"), Ok(2 << 30));
        assert_eq!(parse_size("10kB"), Ok(10_000));
        for wrong in ["", "kB", "10K", "10mb", "99999999999TiB", "-1"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(print_size(10 << 20), "10MiB");
        assert_eq!(print_size(0), "0B");
        assert_eq!(print_size(1001), "1001B");
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(milliseconds in 0..=LONGEST, bytes: u64) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse_duration(&print_duration(duration)), Ok(duration));
            prop_assert_eq!(parse_size(&print_size(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,12}") {
            let _ = (parse_duration(&text), parse_share(&text), parse_size(&text));
        }
    }
}
