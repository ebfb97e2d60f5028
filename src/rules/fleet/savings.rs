//! What a schedule saves: hours first, money where a price is known.

use jiff::{SignedDuration, Timestamp, ToSpan};

use super::Machine;
use crate::rules::calendar::{Calendar, Mode, State};

/// Hours in a month as Amazon's price lists count them (365 days by 24 hours by 12 months).
const MONTH: f64 = 730.0;

/// How far ahead a calendar is followed: a year of whole weeks, so that no weekday counts more than another.
const AHEAD: i32 = 364;

/// What a schedule saves in a month on average.
#[derive(Clone, Debug, PartialEq)]
pub struct Bill {
    /// The part of all time in which its machines are off, from 0 to 1; `None` where the schedule does not say (one-sided).
    pub off: Option<f64>,
    /// Machine by machine.
    pub machines: Vec<Priced>,
}

/// What one machine saves in a month.
#[derive(Clone, Debug, PartialEq)]
pub struct Priced {
    /// Its id.
    pub id: String,
    /// The computers that it is billed for: a standby and each member of a cluster count.
    pub computers: usize,
    /// Hours of computers in which they are off.
    pub hours: f64,
    /// USD, where each of its types has a price.
    pub money: Option<f64>,
    /// Types without a price.
    pub unpriced: Vec<String>,
}

/// Adds up what these machines save. What a stopped machine goes on costing (volumes, addresses, storage of databases) is
/// not in an hourly price, so it needs no taking off.
pub fn bill(calendar: &Calendar, machines: &[&Machine], prices: &[(String, f64)], now: Timestamp) -> Bill {
    let off = off_share(calendar, now);
    let priced = machines.iter().map(|machine| {
        let hours = off.unwrap_or_default() * MONTH;
        let price = |class: &String| prices.iter().find(|(name, _)| name == class).map(|(_, price)| *price);
        let mut unpriced: Vec<String> =
            machine.classes.iter().filter(|class| price(class).is_none()).cloned().collect();
        unpriced.dedup();
        let sum: f64 = machine.classes.iter().filter_map(price).sum();
        Priced {
            id: machine.id.clone(),
            computers: machine.classes.len(),
            hours: hours * f64::from(u32::try_from(machine.classes.len()).unwrap_or(u32::MAX)),
            money: unpriced.is_empty().then_some(sum * hours),
            unpriced,
        }
    });
    Bill { off, machines: priced.collect() }
}

/// The part of the year ahead in which a calendar wants its machines off.
fn off_share(calendar: &Calendar, now: Timestamp) -> Option<f64> {
    if calendar.mode() != Mode::Both {
        return None;
    }
    let first = calendar.date(now);
    let (start, end) = (calendar.beginning(first), calendar.beginning(first.saturating_add(AHEAD.days())));
    let (mut state, mut since, mut off) = (calendar.decide(start).want, start, SignedDuration::ZERO);
    for act in calendar.transitions(start, end) {
        if state == Some(State::Off) {
            off += act.at.duration_since(since);
        }
        (state, since) = (Some(act.state), act.at);
    }
    if state == Some(State::Off) {
        off += end.duration_since(since);
    }
    Some(off.as_secs_f64() / end.duration_since(start).as_secs_f64())
}
