//! What schedules save, as a person and as a program reads it.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    report::Report,
    rules::fleet::{Machine, Obstacle, bill},
    schedule::{Entry, Settings},
};

/// Adds it up, schedule by schedule.
pub(super) fn tell(settings: &Settings, entries: &[Entry], now: Timestamp, report: &mut Report) {
    let (mut text, mut result) = (String::new(), Vec::new());
    let (mut all_hours, mut all_money) = (0.0, 0.0);
    for schedule in &settings.schedules {
        let own = entries.iter().map(|entry| &entry.judgement).filter(|row| row.schedule == schedule.name);
        let machines: Vec<&Machine> =
            own.map(|row| &row.machine).filter(|machine| Obstacle::of(machine).is_none()).collect();
        let bill = bill(&schedule.calendar, &machines, &schedule.prices, now);
        // Writing to a String cannot fail.
        let _ = match bill.off {
            Some(off) => writeln!(text, "{}: off {:.0} % of the time", schedule.name, off * 100.0),
            None => writeln!(text, "{}: one side is left to people, so nobody can say what it saves", schedule.name),
        };
        let (mut hours, mut money, mut unpriced) = (0.0, 0.0, Vec::new());
        for row in bill.machines.iter().filter(|_| bill.off.is_some()) {
            let price = row.money.map_or("no price".to_owned(), |money| format!("{money:>10.2} USD"));
            let many = if row.computers == 1 { String::new() } else { format!("  ({} computers)", row.computers) };
            let _ = writeln!(text, "  {:<32} {:>8.0} h  {price:>14}{many}", row.id, row.hours);
            hours += row.hours;
            money += row.money.unwrap_or_default();
            unpriced.extend(row.unpriced.iter().cloned());
        }
        unpriced.sort_unstable();
        unpriced.dedup();
        if bill.off.is_some() {
            let _ = writeln!(text, "  {:<32} {hours:>8.0} h  {money:>10.2} USD a month", "together");
        }
        if !unpriced.is_empty() && bill.off.is_some() {
            let _ = writeln!(text, "  without a price in [schedule.{}.prices]: {}", schedule.name, unpriced.join(", "));
        }
        text.push('\n');
        (all_hours, all_money) = (all_hours + hours, all_money + money);
        let machines: Vec<Value> = bill
            .machines
            .iter()
            .map(|row| json!({ "id": row.id, "computers": row.computers, "hours": tenths(row.hours), "usd": row.money.map(cents) }))
            .collect();
        result.push(json!({
            "name": schedule.name,
            "off": bill.off,
            "hours": tenths(hours),
            "usd": cents(money),
            "unpriced": unpriced,
            "machines": machines,
        }));
    }
    text.push_str(
        "An average month of 730 hours, by your prices. Volumes, addresses and the storage of databases go on costing.",
    );
    report.text = Some(text);
    report.result = Some(json!({ "hours": tenths(all_hours), "usd": cents(all_money), "schedules": result }));
}

fn tenths(hours: f64) -> f64 {
    (hours * 10.0).round() / 10.0
}

fn cents(money: f64) -> f64 {
    (money * 100.0).round() / 100.0
}
