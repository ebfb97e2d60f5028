//! The table of `mainstay backup list`: without borders, so that `grep` works, and within 80 columns.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::{
    backup::{Listing, Row, Stand},
    rules::units::tell_size,
};

/// Archives by backup and destination, the newest last, as a person wants to find it: above the prompt.
pub fn table(listing: &Listing, now: Timestamp) -> String {
    let mut text = String::new();
    for stand in &listing.destinations {
        if !text.is_empty() {
            text.push('\n');
        }
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} at {}", stand.name, stand.destination);
        let own = |name: &str, destination: &str| name == stand.name && destination == stand.destination;
        let rows: Vec<&Row> = listing.archives.iter().filter(|row| own(&row.name, &row.destination)).collect();
        if rows.is_empty() {
            let _ = writeln!(text, "  {}", if stand.error.is_some() { "could not be listed" } else { "no archive" });
        }
        let wide = rows.iter().map(|row| row.id.len()).max().unwrap_or_default();
        for row in rows {
            let size = tell_size(row.bytes);
            let age = age(now, row.created);
            let _ =
                writeln!(text, "  {:<wide$} {age:>7} {size:>9} {:>5} files  {}", row.id, row.files, state(row, stand));
        }
        for leftover in listing.incomplete.iter().filter(|leftover| own(&leftover.name, &leftover.destination)) {
            let _ = writeln!(text, "  {}  not counted: {}", leftover.id, leftover.why);
        }
    }
    text
}

/// How good an archive is, in a word or two.
fn state(row: &Row, stand: &Stand) -> String {
    match &row.doubt {
        Some(doubt) => format!("doubtful: {doubt}"),
        None if stand.newest_good.as_ref() == Some(&row.id) => "good, newest".to_owned(),
        None => "good".to_owned(),
    }
}

/// How long ago, in the largest unit that says enough.
fn age(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs();
    match seconds {
        ..0 => "ahead".to_owned(),
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_the_unit_that_says_enough() {
        let now: Timestamp = "2026-11-23T18:00:00Z".parse().unwrap();
        for (then, told) in [
            ("2026-11-23T17:59:01Z", "59 s"),
            ("2026-11-23T17:00:00Z", "60 min"),
            ("2026-11-22T18:00:00Z", "24 h"),
            ("2026-11-01T18:00:00Z", "22 d"),
            ("2026-11-24T18:00:00Z", "ahead"),
        ] {
            assert_eq!(age(now, then.parse().unwrap()), told);
        }
    }
}
