//! The table of `mainstay backup list`: without borders, so that `grep` works, and within 80 columns.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::{
    backup::{Listing, Row, Stand},
    rules::units::{tell_age, tell_size},
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
            let age = tell_age(now.duration_since(row.created).as_secs());
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
        Some(doubt) if doubt.starts_with("suspect: ") => doubt.clone(),
        Some(doubt) => format!("doubtful: {doubt}"),
        None if stand.newest_good.as_ref() == Some(&row.id) => "good, newest".to_owned(),
        None => "good".to_owned(),
    }
}
