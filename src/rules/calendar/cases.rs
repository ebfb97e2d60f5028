//! The numbered cases of the reference that are about the calendar, with the instants that it gives.

use jiff::{
    Timestamp, ToSpan,
    civil::Date,
    tz::{TimeZone, TimeZoneDatabase},
};

use super::{Calendar, Hours, Mode, Remark, State, Window};
use crate::rules::units::Wrong;

fn zone(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(name).unwrap()
}

fn calendar(place: &str, windows: &[&str]) -> Calendar {
    Calendar::new(zone(place), windows.iter().map(|text| text.parse().unwrap()).collect()).unwrap()
}

fn except(calendar: Calendar, off_dates: &[&str], on_dates: &[&str]) -> Calendar {
    calendar.with_exceptions(
        off_dates.iter().map(|text| text.parse().unwrap()).collect(),
        on_dates.iter().map(|text| text.parse().unwrap()).collect(),
    )
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

/// The boundaries of these dates, both included, as `on 2026-03-08T07:00:00Z`.
fn boundaries(calendar: &Calendar, first: &str, last: &str) -> Vec<String> {
    let low = calendar.beginning(date(first)) - 1.second();
    let high = calendar.beginning(date(last).tomorrow().unwrap());
    calendar.transitions(low, high).iter().map(|act| format!("{} {}", act.state, act.at)).collect()
}

fn remarks(calendar: &Calendar, first: &str, last: &str) -> Vec<String> {
    calendar.remarks(date(first), date(last)).iter().map(Remark::to_string).collect()
}

fn want(calendar: &Calendar, at: &str) -> Option<State> {
    calendar.decide(instant(at)).want
}

fn why(calendar: &Calendar, at: &str) -> String {
    calendar.decide(instant(at)).reason.to_string()
}

/// A window on a day with a change of clocks, and when it is on.
fn assert_on(place: &str, window: &str, day: &str, start: &str, end: &str) {
    let calendar = calendar(place, &[window]);
    let before = date(day).yesterday().unwrap().to_string();
    let found = boundaries(&calendar, &before, day);
    assert_eq!(found, [format!("on {start}"), format!("off {end}")], "{window} in {place}");
}

#[test]
fn schedule_case_01_a_start_that_the_clocks_skip_is_at_the_change() {
    assert_on("America/Detroit", "Sun 02:30-06:00", "2026-03-08", "2026-03-08T07:00:00Z", "2026-03-08T10:00:00Z");
    let calendar = calendar("America/Detroit", &["Mon-Sun 02:30-06:00"]);
    assert_eq!(
        remarks(&calendar, "2026-03-08", "2026-03-08"),
        [
            "Sun 2026-03-08: the clocks are put forward from 02:00 to 03:00",
            "Sun 2026-03-08: Mon-Sun 02:30-06:00 begins at 03:00, for the clocks skip 02:30",
        ]
    );
}

#[test]
fn schedule_case_02_an_end_that_the_clocks_skip_is_at_the_change() {
    assert_on("America/Detroit", "Sun 00:30-02:30", "2026-03-08", "2026-03-08T05:30:00Z", "2026-03-08T07:00:00Z");
}

#[test]
fn schedule_case_03_a_window_inside_what_the_clocks_skip_is_empty_and_that_is_said() {
    let calendar = calendar("America/Detroit", &["Sun 02:10-02:50"]);
    assert!(boundaries(&calendar, "2026-03-02", "2026-03-14").is_empty());
    assert_eq!(boundaries(&calendar, "2026-03-15", "2026-03-15").len(), 2);
    let said = remarks(&calendar, "2026-03-08", "2026-03-08");
    assert_eq!(said[1..], ["Sun 2026-03-08: Sun 02:10-02:50 is empty, for the clocks skip it"]);
}

#[test]
fn schedule_case_04_a_start_that_comes_twice_switches_once() {
    assert_on("America/Detroit", "Sun 01:30-05:00", "2026-11-01", "2026-11-01T05:30:00Z", "2026-11-01T10:00:00Z");
    let calendar = calendar("America/Detroit", &["Sun 01:30-05:00"]);
    assert_eq!(
        remarks(&calendar, "2026-11-01", "2026-11-01"),
        [
            "Sun 2026-11-01: the clocks are put back from 02:00 to 01:00",
            "Sun 2026-11-01: Sun 01:30-05:00 begins at the first 01:30, for the clocks show it twice",
        ]
    );
}

#[test]
fn schedule_case_05_an_end_that_comes_twice_is_the_second() {
    assert_on("America/Detroit", "Sat 22:00-01:30", "2026-11-01", "2026-11-01T02:00:00Z", "2026-11-01T06:30:00Z");
}

#[test]
fn schedule_case_06_a_window_inside_the_repeated_hour_is_one_interval() {
    assert_on("America/Detroit", "Sun 01:10-01:50", "2026-11-01", "2026-11-01T05:10:00Z", "2026-11-01T06:50:00Z");
}

#[test]
fn the_time_to_which_the_clocks_are_put_back_ends_a_window_when_it_comes_first() {
    // When 01:00 comes again, the last instant that shows less than it is an hour old.
    assert_on("America/Detroit", "Sun 00:00-01:00", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-01T05:00:00Z");
    // In Havana it is midnight: Saturday ends where Sunday begins.
    assert_on("America/Havana", "Sat 00:00-24:00", "2026-11-01", "2026-10-31T04:00:00Z", "2026-11-01T04:00:00Z");
}

#[test]
fn schedule_case_07_berlin() {
    assert_on("Europe/Berlin", "Sun 02:30-06:00", "2026-03-29", "2026-03-29T01:00:00Z", "2026-03-29T04:00:00Z");
    assert_on("Europe/Berlin", "Sun 02:30-06:00", "2026-10-25", "2026-10-25T00:30:00Z", "2026-10-25T05:00:00Z");
}

#[test]
fn schedule_case_08_a_change_of_half_an_hour() {
    // 02:30 at +11.
    assert_on("Australia/Lord_Howe", "Sun 02:15-06:00", "2026-10-04", "2026-10-03T15:30:00Z", "2026-10-03T19:00:00Z");
    // 4.75 hours.
    assert_on("Australia/Lord_Howe", "Sun 01:45-06:00", "2026-04-05", "2026-04-04T14:45:00Z", "2026-04-04T19:30:00Z");
}

#[test]
fn schedule_case_09_a_date_whose_midnight_is_skipped_begins_at_01_00_and_has_23_hours() {
    for (place, day, window, start) in [
        ("America/Havana", "2026-03-08", "Sun 00:00-24:00", "2026-03-08T05:00:00Z"),
        ("Africa/Cairo", "2026-04-24", "Fri 00:00-24:00", "2026-04-23T22:00:00Z"),
        ("Asia/Beirut", "2026-03-29", "Sun 00:00-24:00", "2026-03-28T22:00:00Z"),
        ("America/Santiago", "2026-09-06", "Sun 00:00-24:00", "2026-09-06T04:00:00Z"),
    ] {
        let end = instant(start) + 23.hours();
        let calendar = calendar(place, &[window]);
        let next = date(day).tomorrow().unwrap().to_string();
        assert_eq!(boundaries(&calendar, day, &next), [format!("on {start}"), format!("off {end}")], "{place}");
        let begins = calendar.zone().to_datetime(calendar.beginning(date(day)));
        assert_eq!(begins.to_string(), format!("{day}T01:00:00"), "{place}");
    }
}

#[test]
fn schedule_case_10_a_change_of_two_hours() {
    assert_on("Antarctica/Troll", "Sun 02:30-06:00", "2026-03-29", "2026-03-29T01:00:00Z", "2026-03-29T04:00:00Z");
}

#[test]
fn schedule_case_11_the_whole_day_every_day_never_stops() {
    for place in ["America/Detroit", "America/Havana", "Australia/Lord_Howe", "Antarctica/Troll", "Africa/Casablanca"] {
        let calendar = calendar(place, &["Mon-Sun 00:00-24:00"]);
        assert!(boundaries(&calendar, "2026-01-01", "2027-12-31").is_empty(), "{place}");
        let decision = calendar.decide(instant("2026-11-01T06:00:00Z"));
        assert_eq!((decision.want, decision.since, decision.next), (Some(State::On), None, None), "{place}");
        let said = remarks(&calendar, "2026-01-01", "2026-12-31");
        assert!(said.iter().all(|text| text.contains("clocks are put")), "{place}: {said:?}");
    }
}

#[test]
fn schedule_case_12_a_boundary_is_at_its_minute_in_a_zone_of_half_hours() {
    let calendar = calendar("Asia/Kolkata", &["Mon-Fri 09:00-19:00"]);
    // The first hourly run after it.
    let decision = calendar.decide(instant("2026-11-23T14:00:00Z"));
    assert_eq!(decision.want, Some(State::Off));
    assert_eq!(decision.since.map(|act| act.at), Some(instant("2026-11-23T13:30:00Z")));
    assert_eq!(decision.next.map(|act| (act.at, act.state)), Some((instant("2026-11-24T03:30:00Z"), State::On)));
}

#[test]
fn schedule_case_13_changed_rules_of_a_zone_hold() {
    // Paraguay kept its summer time from October 2024 on: 07:00 is at 10:00Z also in the winter after.
    let asuncion = calendar("America/Asuncion", &["Mon 07:00-19:00"]);
    assert_eq!(boundaries(&asuncion, "2024-07-01", "2024-07-01")[0], "on 2024-07-01T11:00:00Z");
    assert_eq!(boundaries(&asuncion, "2025-07-07", "2025-07-07")[0], "on 2025-07-07T10:00:00Z");
    let said = remarks(&calendar("Africa/Casablanca", &["Mon 07:00-19:00"]), "2026-02-01", "2026-04-01");
    assert_eq!(
        said,
        [
            "Sun 2026-02-15: the clocks are put back from 03:00 to 02:00",
            "Sun 2026-03-22: the clocks are put forward from 02:00 to 03:00",
        ]
    );
}

#[test]
fn schedule_case_15_a_window_over_midnight_belongs_to_the_date_on_which_it_begins() {
    let calendar = calendar("UTC", &["Mon-Fri 22:00-06:00"]);
    assert_eq!(want(&calendar, "2026-11-28T05:59:59Z"), Some(State::On), "Saturday morning");
    assert_eq!(want(&calendar, "2026-11-28T06:00:00Z"), Some(State::Off));
    assert_eq!(want(&calendar, "2026-11-23T03:00:00Z"), Some(State::Off), "Monday morning");
    assert_eq!(want(&calendar, "2026-11-29T23:00:00Z"), Some(State::Off), "Sunday night");
}

#[test]
fn schedule_case_16_windows_wrap_the_week_and_span_days() {
    let sunday = calendar("UTC", &["Sun 22:00-06:00"]);
    assert_eq!(
        boundaries(&sunday, "2026-11-29", "2026-11-30"),
        ["on 2026-11-29T22:00:00Z", "off 2026-11-30T06:00:00Z"]
    );
    let over = calendar("UTC", &["Fri-Mon 08:00-09:00"]);
    assert_eq!(boundaries(&over, "2026-11-23", "2026-11-29").len(), 8);
    let span = calendar("UTC", &["Mon 07:00-Fri 19:00"]);
    assert_eq!(boundaries(&span, "2026-11-23", "2026-11-29"), ["on 2026-11-23T07:00:00Z", "off 2026-11-27T19:00:00Z"]);
    let wrapped = calendar("UTC", &["Fri 20:00-Mon 05:00"]);
    assert_eq!(want(&wrapped, "2026-11-23T04:59:00Z"), Some(State::On));
    let decision = wrapped.decide(instant("2026-11-29T12:00:00Z"));
    assert_eq!(decision.since.map(|act| act.at), Some(instant("2026-11-27T20:00:00Z")));
}

#[test]
fn schedule_case_17_windows_that_overlap_or_touch_are_one() {
    let calendar = calendar("UTC", &["Mon 07:00-12:00", "Mon 12:00-15:00", "Mon 14:00-19:00", "Mon 08:00-09:00"]);
    let acts = calendar.transitions(instant("2026-11-23T00:00:00Z"), instant("2026-11-24T00:00:00Z"));
    let told: Vec<_> = acts.iter().map(|act| format!("{} {} {}", act.state, act.at, act.entry)).collect();
    assert_eq!(told, ["on 2026-11-23T07:00:00Z Mon 07:00-12:00", "off 2026-11-23T19:00:00Z Mon 14:00-19:00"]);
}

#[test]
fn schedule_case_18_on_at_the_start_and_off_at_the_end() {
    let calendar = calendar("UTC", &["Mon 07:00-19:00"]);
    for (at, state) in [
        ("2026-11-23T06:59:59.999999999Z", State::Off),
        ("2026-11-23T07:00:00Z", State::On),
        ("2026-11-23T18:59:59.999999999Z", State::On),
        ("2026-11-23T19:00:00Z", State::Off),
    ] {
        assert_eq!(want(&calendar, at), Some(state), "{at}");
    }
    let decision = calendar.decide(instant("2026-11-23T07:00:00Z"));
    assert_eq!(decision.since.map(|act| act.at), Some(instant("2026-11-23T07:00:00Z")));
    assert_eq!(decision.next.map(|act| act.at), Some(instant("2026-11-23T19:00:00Z")));
}

#[test]
fn schedule_case_19_a_window_that_ends_when_it_begins_is_refused() {
    let why = Wrong("it ends when it begins: write 00:00-24:00 for the whole day".into());
    assert_eq!("Mon-Fri 09:00-09:00".parse::<Window>(), Err(why.clone()));
    assert_eq!("2026-12-05 09:00-09:00".parse::<Hours>(), Err(why));
}

#[test]
fn schedule_case_20_24_00_is_only_an_end() {
    assert_eq!("Mon 24:00-06:00".parse::<Window>(), Err(Wrong("24:00 can only be an end".into())));
    assert_on("UTC", "Mon 20:00-24:00", "2026-11-24", "2026-11-23T20:00:00Z", "2026-11-24T00:00:00Z");
}

#[test]
fn schedule_case_21_no_window_at_all_must_be_meant() {
    let error = Calendar::new(TimeZone::UTC, Vec::new()).unwrap_err();
    assert_eq!(error, Wrong("without windows everything would be stopped for ever".into()));
    let calendar = except(Calendar::always_off(TimeZone::UTC).with_mode(Mode::StartOnly), &[], &["01-01 00:00-24:00"]);
    assert_eq!(want(&calendar, "2027-01-01T12:00:00Z"), Some(State::Off));
    assert_eq!(why(&calendar, "2027-01-01T12:00:00Z"), "always off");
    assert!(boundaries(&calendar, "2026-01-01", "2027-12-31").is_empty());
}

#[test]
fn schedule_case_22_start_only_never_stops_anything() {
    let calendar = calendar("UTC", &["Mon-Fri 07:00-19:00"]).with_mode(Mode::StartOnly);
    let found = boundaries(&calendar, "2026-11-23", "2026-11-29");
    assert!(found.len() == 5 && found.iter().all(|act| act.starts_with("on ")), "{found:?}");
    assert_eq!(want(&calendar, "2026-11-27T12:00:00Z"), Some(State::On));
    let midnight = calendar.decide(instant("2026-11-28T00:00:00Z"));
    assert_eq!(midnight.want, None);
    assert_eq!(midnight.reason.to_string(), "outside every window, where `start-only` stops nothing");
    assert_eq!(midnight.next.map(|act| (act.at, act.state)), Some((instant("2026-11-30T07:00:00Z"), State::On)));
}

#[test]
fn schedule_case_23_stop_only_stops_what_ran_before_its_boundary_and_says_when_that_was() {
    let calendar = calendar("UTC", &["Mon-Fri 07:00-19:00"]).with_mode(Mode::StopOnly);
    let found = boundaries(&calendar, "2026-11-23", "2026-11-29");
    assert!(found.len() == 5 && found.iter().all(|act| act.starts_with("off ")), "{found:?}");
    // What a person starts on Saturday is later than `since`, and lives until Monday's `next`.
    let saturday = calendar.decide(instant("2026-11-28T12:00:00Z"));
    assert_eq!(saturday.want, Some(State::Off));
    assert_eq!(saturday.since.map(|act| act.at), Some(instant("2026-11-27T19:00:00Z")));
    assert_eq!(saturday.next.map(|act| act.at), Some(instant("2026-11-30T19:00:00Z")));
    assert_eq!(want(&calendar, "2026-11-30T08:00:00Z"), None);
    assert_eq!(why(&calendar, "2026-11-30T08:00:00Z"), "inside a window, where `stop-only` starts nothing");
}

/// Windows by the day of the month or the fifth Monday are not built, so that part of the case is a refusal; a yearly
/// 29 February is the date that some years do not have.
#[test]
fn schedule_case_24_a_date_that_a_year_does_not_have_is_no_other_date() {
    assert!("31 09:00-17:00".parse::<Window>().is_err() && "Mon5 09:00-17:00".parse::<Window>().is_err());
    let calendar = except(calendar("UTC", &["Mon-Sun 09:00-10:00"]), &["02-29"], &["02-29 12:00-13:00"]);
    assert_eq!(
        boundaries(&calendar, "2028-02-29", "2028-02-29"),
        ["on 2028-02-29T12:00:00Z", "off 2028-02-29T13:00:00Z"]
    );
    for (first, last) in [("2027-02-28", "2027-02-28"), ("2027-03-01", "2027-03-01")] {
        let found = boundaries(&calendar, first, last);
        assert_eq!(found, [format!("on {first}T09:00:00Z"), format!("off {first}T10:00:00Z")]);
    }
}

#[test]
fn schedule_case_25_exceptions_are_dates_of_the_schedules_zone() {
    let calendar = except(calendar("America/Detroit", &["Mon-Fri 20:00-23:00"]), &["2026-11-26"], &[]);
    // 20:00 on the 26th is the 27th in UTC.
    assert_eq!(
        boundaries(&calendar, "2026-11-25", "2026-11-27"),
        ["on 2026-11-26T01:00:00Z", "off 2026-11-26T04:00:00Z", "on 2026-11-28T01:00:00Z", "off 2026-11-28T04:00:00Z"]
    );
    assert_eq!(why(&calendar, "2026-11-27T02:00:00Z"), "Mon-Fri 20:00-23:00 does not begin on 2026-11-26, an off date");
    assert_eq!(
        remarks(&calendar, "2026-11-25", "2026-11-27"),
        ["Thu 2026-11-26: no window begins, for 2026-11-26 is an off date"]
    );
}

#[test]
fn schedule_case_25_a_window_that_began_the_day_before_ends_normally() {
    let night = except(calendar("UTC", &["Mon-Fri 22:00-06:00"]), &["2026-11-26"], &[]);
    assert_eq!(boundaries(&night, "2026-11-26", "2026-11-27"), ["off 2026-11-26T06:00:00Z", "on 2026-11-27T22:00:00Z"]);
    let span = except(calendar("UTC", &["Mon 07:00-Fri 19:00"]), &["2026-11-25", "2026-11-30"], &[]);
    assert_eq!(boundaries(&span, "2026-11-23", "2026-12-06"), ["on 2026-11-23T07:00:00Z", "off 2026-11-27T19:00:00Z"]);
    assert_eq!(
        remarks(&span, "2026-11-23", "2026-12-06"),
        [
            "Mon 2026-11-30: no window begins, for 2026-11-30 is an off date",
            "Wed 2026-11-25: an off date, but Mon 07:00-Fri 19:00 goes on, for it began on Mon 2026-11-23",
        ]
    );
}

#[test]
fn schedule_case_25_yearly_dates_and_ranges_go_over_the_end_of_the_year() {
    let calendar = except(calendar("UTC", &["Mon-Sun 09:00-10:00"]), &["12-24..01-01", "07-04"], &[]);
    let days: Vec<_> =
        boundaries(&calendar, "2026-12-20", "2027-01-03").iter().map(|act| act[..13].to_owned()).collect();
    assert_eq!(days.len(), 2 * (4 + 2), "{days:?}");
    assert!(boundaries(&calendar, "2027-12-24", "2028-01-01").is_empty());
    assert!(boundaries(&calendar, "2031-07-04", "2031-07-04").is_empty());
    assert_eq!(
        remarks(&calendar, "2026-12-01", "2027-12-31"),
        [
            "Thu 2026-12-24 to Fri 2027-01-01: no window begins, for 12-24..01-01 are off dates",
            "Fri 2027-12-24 to Fri 2027-12-31: no window begins, for 12-24..01-01 are off dates",
            "Sun 2027-07-04: no window begins, for 07-04 is an off date",
        ]
    );
    let once = except(self::calendar("UTC", &["Mon-Sun 09:00-10:00"]), &["2026-12-24..2027-01-01"], &[]);
    assert_eq!(boundaries(&once, "2026-12-23", "2027-01-02").len(), 4);
    assert_eq!(
        why(&once, "2026-12-31T09:30:00Z"),
        "Mon-Sun 09:00-10:00 does not begin on 2026-12-31, one of the off dates 2026-12-24..2027-01-01"
    );
}

#[test]
fn schedule_case_25_open_hours_count_besides_the_windows() {
    let calendar =
        except(calendar("UTC", &["Mon-Fri 07:00-19:00"]), &[], &["2026-12-05 09:00-13:00", "12-31 22:00-02:00"]);
    assert_eq!(
        boundaries(&calendar, "2026-12-05", "2026-12-06"),
        ["on 2026-12-05T09:00:00Z", "off 2026-12-05T13:00:00Z"]
    );
    assert_eq!(why(&calendar, "2026-12-05T10:00:00Z"), "inside 2026-12-05 09:00-13:00");
    assert_eq!(
        boundaries(&calendar, "2027-12-31", "2028-01-01")[2..],
        ["on 2027-12-31T22:00:00Z", "off 2028-01-01T02:00:00Z"]
    );
}

/// What comes before both, an opt-out and an override, is on the machine and not in the calendar.
#[test]
fn schedule_case_26_an_exception_comes_before_a_window_and_open_hours_before_an_off_date() {
    let calendar = except(calendar("UTC", &["Mon-Fri 07:00-19:00"]), &["12-24..01-01"], &["2026-12-28 09:00-13:00"]);
    assert_eq!(want(&calendar, "2026-12-28T08:00:00Z"), Some(State::Off));
    assert_eq!(want(&calendar, "2026-12-28T12:00:00Z"), Some(State::On));
    assert_eq!(want(&calendar, "2026-12-28T14:00:00Z"), Some(State::Off));
}

#[test]
fn boundaries_years_away_are_found() {
    let calendar = except(calendar("Europe/Berlin", &["Mon-Sun 00:00-24:00"]), &["02-29"], &[]);
    let decision = calendar.decide(instant("2026-11-23T12:00:00Z"));
    assert_eq!(decision.since.map(|act| act.at), Some(instant("2024-02-29T23:00:00Z")));
    assert_eq!(decision.next.map(|act| act.at), Some(instant("2028-02-28T23:00:00Z")));
    // 2100 has none: eight years lie between.
    let decision = calendar.decide(instant("2100-06-01T12:00:00Z"));
    assert_eq!(decision.since.map(|act| act.at), Some(instant("2096-02-29T23:00:00Z")));
    assert_eq!(decision.next.map(|act| act.at), Some(instant("2104-02-28T23:00:00Z")));
}

#[test]
fn a_date_that_a_zone_left_out_has_no_windows() {
    // Samoa went over the date line: 30 December 2011 never was.
    let calendar = calendar("Pacific/Apia", &["Thu-Sat 09:00-17:00"]);
    assert_eq!(
        boundaries(&calendar, "2011-12-29", "2011-12-31"),
        ["on 2011-12-29T19:00:00Z", "off 2011-12-30T03:00:00Z", "on 2011-12-30T19:00:00Z", "off 2011-12-31T03:00:00Z"]
    );
    assert_eq!(
        remarks(&calendar, "2011-12-29", "2011-12-31"),
        [
            "Fri 2011-12-30: the clocks are put forward from 00:00 to Sat 2011-12-31 00:00",
            "Fri 2011-12-30: Thu-Sat 09:00-17:00 is empty, for the clocks skip it",
        ]
    );
}

#[test]
fn the_ends_of_time_are_no_panic() {
    let calendar = except(calendar("America/Detroit", &["Mon-Sun 22:00-06:00"]), &["01-01"], &["12-31 00:00-24:00"]);
    for at in [Timestamp::MIN, Timestamp::MAX] {
        let _ = calendar.decide(at);
    }
    for day in [Date::MIN, Date::MAX] {
        let _ = (calendar.remarks(day, day), calendar.beginning(day));
    }
}
