//! Tables of dates, and what holds for all of them.

use jiff::{SignedDuration, ToSpan};
use proptest::{collection::vec, prelude::*};

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn candidate(created: Timestamp, sequence: u64) -> Candidate {
    Candidate {
        id: ArchiveId::new("prime", "app", created, sequence),
        created,
        doubt: None,
        ahead: false,
        retained_until: None,
        drilled: false,
    }
}

/// Good archives made at these times, numbered in this order.
fn made(times: &[&str]) -> Vec<Candidate> {
    times.iter().zip(1..).map(|(time, sequence)| candidate(at(time), sequence)).collect()
}

/// One a day at 02:30, so many days back from the end of `now`'s day.
fn one_a_day(days: i64, now: Timestamp) -> Vec<Candidate> {
    (0..days)
        .map(|back| {
            candidate(now - SignedDuration::from_hours(24 * (days - 1 - back)), u64::try_from(back).unwrap() + 1)
        })
        .collect()
}

fn keep(rules: impl FnOnce(&mut Keep)) -> Keep {
    let mut keep = Keep::default();
    rules(&mut keep);
    keep
}

/// Sequence and reasons of those that stay, newest first.
fn kept(decisions: &[Decision]) -> Vec<(u64, String)> {
    decisions.iter().filter(|it| it.keeps()).map(|it| (it.id.sequence(), it.words())).collect()
}

fn numbers(decisions: &[Decision]) -> Vec<u64> {
    kept(decisions).into_iter().map(|(number, _)| number).collect()
}

const NOW: &str = "2026-11-23T18:15:00Z";

#[test]
fn every_kept_archive_has_all_its_reasons_in_words() {
    let archives = made(&[
        "2026-09-30T23:59:59Z",
        "2026-10-31T02:30:00Z",
        "2026-11-21T02:30:00Z",
        "2026-11-21T04:30:00Z",
        "2026-11-22T02:30:00Z",
    ]);
    let keep = keep(|keep| {
        (keep.last, keep.daily, keep.weekly, keep.monthly) = (Some(1), Some(2), Some(1), Some(4));
    });
    let decisions = decide(&archives, &keep, 1, &TimeZone::UTC, at(NOW));
    let expected = [
        (
            5,
            "the last one, newest of day 2026-11-22, newest of week 2026-W47, newest of month 2026-11, the newest good one",
        ),
        (4, "newest of day 2026-11-21"),
        (2, "newest of month 2026-10"),
        (1, "newest of month 2026-09, the oldest one: fewer than 4 months have an archive"),
    ];
    assert_eq!(kept(&decisions), expected.map(|(number, words)| (number, words.to_owned())));
    assert_eq!(decisions.iter().map(Decision::words).next_back().unwrap(), expected[3].1);
    let gone = decisions.iter().find(|it| !it.keeps()).unwrap();
    assert_eq!((gone.id.sequence(), gone.words().as_str()), (3, "no rule of `keep` asks for it"));
}

#[test]
fn the_default_policy_keeps_a_year_in_few_archives() {
    let now = at("2026-11-23T02:30:00Z");
    let default = keep(|keep| {
        (keep.last, keep.daily, keep.weekly, keep.monthly) = (Some(3), Some(7), Some(5), Some(12));
    });
    let decisions = decide(&one_a_day(600, now), &default, 3, &TimeZone::UTC, now);
    // 7 days, which lie in two weeks; 3 more weeks; 11 more months.
    assert_eq!(kept(&decisions).len(), 7 + 3 + 11, "{:?}", kept(&decisions));
}

#[test]
fn backup_case_15_what_is_dated_ahead_of_the_store_stays_and_takes_nobodys_place() {
    let mut archives = made(&["2026-11-20T02:30:00Z", "2026-11-21T02:30:00Z", "2027-11-21T02:30:00Z"]);
    archives[2].ahead = true;
    let decisions = decide(&archives, &keep(|keep| keep.last = Some(1)), 1, &TimeZone::UTC, at(NOW));
    let words: Vec<_> = kept(&decisions);
    assert_eq!(numbers(&decisions), [3, 2], "{words:?}");
    assert_eq!(words[0].1, "kept: its date is ahead of the store's clock, younger than 24 hours");
    assert_eq!(words[1].1, "the last one, the newest good one");
}

#[test]
fn backup_case_15_nothing_goes_while_the_clock_is_before_the_newest_archive() {
    let archives = made(&["2026-10-20T02:30:00Z", "2026-10-21T02:30:00Z", "2026-11-23T18:15:01Z"]);
    let decisions = decide(&archives, &keep(|keep| keep.last = Some(1)), 0, &TimeZone::UTC, at(NOW));
    assert_eq!(numbers(&decisions), [3, 2, 1]);
    assert!(decisions[2].words().contains("clock is before the date of prime-app-20261123T181501Z-000003"));
    let later = decide(&archives, &keep(|keep| keep.last = Some(1)), 0, &TimeZone::UTC, at("2026-11-25T18:15:01Z"));
    assert_eq!(numbers(&later), [3]);
}

#[test]
fn backup_case_15_an_hour_that_comes_twice_is_two_hours_and_a_day_of_25_hours_is_one_day() {
    let zone = TimeZone::get("America/New_York").unwrap();
    let archives = made(&[
        "2026-11-01T04:00:00Z", // 00:00 EDT, the day begins
        "2026-11-01T05:30:00Z", // 01:30 EDT
        "2026-11-01T06:30:00Z", // 01:30 EST
        "2026-11-02T04:59:59Z", // 23:59:59 EST, the same day
    ]);
    let hours = decide(&archives, &keep(|keep| keep.hourly = Some(3)), 0, &zone, at(NOW));
    assert_eq!(numbers(&hours), [4, 3, 2]);
    assert_eq!(hours[1].words(), "newest of hour 2026-11-01 01:00 EST");
    assert_eq!(hours[2].words(), "newest of hour 2026-11-01 01:00 EDT");
    let days = decide(&archives, &keep(|keep| keep.daily = Some(1)), 0, &zone, at(NOW));
    assert_eq!(numbers(&days), [4]);
    let days = decide(&archives, &keep(|keep| keep.daily = Some(2)), 0, &TimeZone::UTC, at(NOW));
    assert_eq!(numbers(&days), [4, 3], "two days in UTC");
}

#[test]
fn a_week_begins_on_monday_and_belongs_to_the_year_of_its_thursday() {
    let archives =
        made(&["2026-12-27T12:00:00Z", "2026-12-28T12:00:00Z", "2027-01-03T12:00:00Z", "2027-01-04T12:00:00Z"]);
    let decisions =
        decide(&archives, &keep(|keep| keep.weekly = Some(3)), 0, &TimeZone::UTC, at("2027-02-01T00:00:00Z"));
    assert_eq!(numbers(&decisions), [4, 3, 1]);
    assert_eq!(decisions[1].words(), "newest of week 2026-W53");
}

#[test]
fn a_clock_set_back_over_midnight_does_not_count_a_day_twice() {
    // St. John's set its clocks back at 00:01 (1987 to 2011): 2010-11-07 began, went back to 11-06, and began again.
    let zone = TimeZone::get("America/St_Johns").unwrap();
    let archives = made(&["2010-11-07T02:30:30Z", "2010-11-07T02:45:00Z", "2010-11-07T03:45:00Z"]);
    let days: Vec<String> = archives.iter().map(|it| Period::Day.label(it.created, &zone)).collect();
    assert_eq!(days, ["2010-11-07", "2010-11-06", "2010-11-07"]);
    let decisions = decide(&archives, &keep(|keep| keep.daily = Some(2)), 0, &zone, at(NOW));
    assert_eq!(numbers(&decisions), [3, 2]);
}

#[test]
fn within_is_measured_from_the_newest_good_one_so_that_a_stopped_backup_ages_nothing_out() {
    let mut archives =
        made(&["2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z", "2025-01-04T00:00:00Z", "2025-02-01T00:00:00Z"]);
    archives[3].doubt = Some("suspect: shrunk".to_owned());
    let keep = keep(|keep| keep.within = Some(Duration::from_secs(2 * 86_400)));
    let decisions = decide(&archives, &keep, 0, &TimeZone::UTC, at(NOW));
    assert_eq!(numbers(&decisions), [4, 3, 2]);
    assert_eq!(decisions[0].words(), "kept: suspect: shrunk");
    assert_eq!(decisions[2].words(), "within 2d of the newest good one");
}

#[test]
fn backup_case_19_the_last_good_ones_and_the_last_drilled_one_stay_whatever_the_policy_says() {
    let mut archives = made(&[
        "2026-10-01T00:00:00Z",
        "2026-10-02T00:00:00Z",
        "2026-10-03T00:00:00Z",
        "2026-10-04T00:00:00Z",
        "2026-10-05T00:00:00Z",
    ]);
    archives[0].drilled = true;
    archives[4].doubt = Some("its signature is missing".to_owned());
    let decisions = decide(&archives, &keep(|keep| keep.last = Some(1)), 2, &TimeZone::UTC, at(NOW));
    let expected = [
        (5, "kept: its signature is missing"),
        (4, "the last one, one of the 2 newest good ones"),
        (3, "one of the 2 newest good ones"),
        (1, "last drilled"),
    ];
    assert_eq!(kept(&decisions), expected.map(|(number, words)| (number, words.to_owned())));
}

#[test]
fn backup_case_19_a_policy_without_a_rule_removes_nothing() {
    for keep in [Keep::default(), keep(|keep| (keep.last, keep.within) = (Some(0), Some(Duration::ZERO)))] {
        assert!(keep.is_empty());
        let decisions = decide(&made(&["2026-10-01T00:00:00Z"]), &keep, 0, &TimeZone::UTC, at(NOW));
        assert_eq!(decisions[0].words(), "kept: `keep` has no rule");
    }
}

#[test]
fn backup_case_21_suspect_archives_do_not_push_good_ones_out() {
    let mut archives =
        made(&["2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"]);
    for suspect in &mut archives[2..] {
        suspect.doubt = Some("suspect: empty".to_owned());
    }
    let rules = keep(|keep| (keep.last, keep.daily) = (Some(1), Some(1)));
    let decisions = decide(&archives, &rules, 1, &TimeZone::UTC, at(NOW));
    assert_eq!(numbers(&decisions), [4, 3, 2]);
    assert!(decisions[2].words().starts_with("the last one, newest of day 2026-10-02"));
}

#[test]
fn backup_case_44_a_locked_archive_is_kept_by_its_lock_until_that_ends() {
    let mut archives = made(&["2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z"]);
    archives[0].retained_until = Some(at("2026-12-01T00:00:00Z"));
    let keep = keep(|keep| keep.last = Some(1));
    let decisions = decide(&archives, &keep, 0, &TimeZone::UTC, at(NOW));
    assert_eq!(decisions[1].words(), "locked until 2026-12-01T00:00:00Z");
    assert!(decisions[1].is_kept_by_lock_only() && !decisions[0].is_kept_by_lock_only());
    assert_eq!(numbers(&decide(&archives, &keep, 0, &TimeZone::UTC, at("2026-12-01T00:00:00Z"))), [2]);
}

#[test]
fn what_is_younger_than_24_hours_stays() {
    let archives = made(&["2026-11-22T18:15:00Z", "2026-11-22T18:15:01Z", "2026-11-23T18:15:00Z"]);
    let decisions = decide(&archives, &keep(|keep| keep.last = Some(1)), 0, &TimeZone::UTC, at(NOW));
    assert_eq!(numbers(&decisions), [3, 2]);
    assert_eq!(decisions[1].words(), "younger than 24 hours");
}

/// Half a century around the tests' own time, dense enough that periods are shared.
fn any_time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![1_700_000_000_i64..1_800_000_000, 1_795_000_000_i64..1_795_900_000, 500_000_000_i64..2_000_000_000]
        .prop_map(|second| Timestamp::from_second(second).unwrap())
}

prop_compose! {
    fn any_candidate()(
        created in any_time(),
        doubt in prop::option::weighted(0.2, Just("suspect: shrunk".to_owned())),
        ahead in prop::bool::weighted(0.1),
        drilled in prop::bool::weighted(0.1),
        retained_until in prop::option::weighted(0.1, any_time()),
    ) -> Candidate {
        Candidate { doubt, ahead, drilled, retained_until, ..candidate(created, 1) }
    }
}

fn any_candidates() -> impl Strategy<Value = Vec<Candidate>> {
    vec(any_candidate(), 0..40).prop_map(|mut archives| {
        for (archive, sequence) in archives.iter_mut().zip(1..) {
            archive.id = ArchiveId::new("prime", "app", archive.created, sequence);
        }
        archives
    })
}

prop_compose! {
    fn any_keep()(
        counts in prop::array::uniform6(prop::option::of(0_u64..6)),
        within in prop::option::of(0_u64..50_000_000),
    ) -> Keep {
        let [last, hourly, daily, weekly, monthly, yearly] = counts;
        Keep { last, hourly, daily, weekly, monthly, yearly, within: within.map(Duration::from_secs) }
    }
}

fn any_zone() -> impl Strategy<Value = TimeZone> {
    const NAMES: &[&str] =
        &["UTC", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "Africa/Cairo", "Pacific/Apia"];
    prop::sample::select(NAMES).prop_map(|name| TimeZone::get(name).unwrap())
}

/// The archives that stay.
fn remaining(archives: &[Candidate], decisions: &[Decision]) -> Vec<Candidate> {
    let stays = |archive: &&Candidate| decisions.iter().any(|it| it.id == archive.id && it.keeps());
    archives.iter().filter(stays).cloned().collect()
}

/// A time after which no archive of [`any_time`] is in the future.
const LATE: &str = "2040-01-01T00:00:00Z";

proptest! {
    #[test]
    fn never_fewer_good_ones_than_asked_for_stay(
        archives in any_candidates(), keep in any_keep(), min_good in 0_u64..5, zone in any_zone(), now in any_time(),
    ) {
        let good = |archives: &[Candidate]| archives.iter().filter(|archive| counts(archive)).count();
        let stay = remaining(&archives, &decide(&archives, &keep, min_good, &zone, now));
        prop_assert!(good(&stay) >= good(&archives).min(clamp(min_good)));
    }

    #[test]
    fn each_archive_is_decided_about_once_and_the_doubtful_stay(
        archives in any_candidates(), keep in any_keep(), zone in any_zone(), now in any_time(),
    ) {
        let decisions = decide(&archives, &keep, 3, &zone, now);
        let ids: BTreeSet<_> = decisions.iter().map(|it| &it.id).collect();
        prop_assert_eq!((decisions.len(), ids.len()), (archives.len(), archives.len()));
        let stay = remaining(&archives, &decisions);
        prop_assert!(archives.iter().filter(|it| !counts(it) || it.drilled).all(|it| stay.contains(it)));
    }

    #[test]
    fn a_larger_rule_never_removes_what_a_smaller_one_keeps(
        archives in any_candidates(), keep in any_keep(), more in prop::array::uniform6(0_u64..4), longer in 0_u64..1_000_000,
        min_good in 0_u64..4, zone in any_zone(),
    ) {
        let grow = |count: Option<u64>, by: u64| count.map_or_else(|| (by > 0).then_some(by), |count| Some(count + by));
        let larger = Keep {
            last: grow(keep.last, more[0]),
            hourly: grow(keep.hourly, more[1]),
            daily: grow(keep.daily, more[2]),
            weekly: grow(keep.weekly, more[3]),
            monthly: grow(keep.monthly, more[4]),
            yearly: grow(keep.yearly, more[5]),
            within: keep.within.map(|within| within + Duration::from_secs(longer)),
        };
        prop_assume!(!keep.is_empty());
        let few = remaining(&archives, &decide(&archives, &keep, min_good, &zone, at(LATE)));
        let many = remaining(&archives, &decide(&archives, &larger, min_good + more[0], &zone, at(LATE)));
        prop_assert!(few.iter().all(|archive| many.contains(archive)));
    }

    #[test]
    fn pruning_twice_is_pruning_once(
        archives in any_candidates(), keep in any_keep(), min_good in 0_u64..4, zone in any_zone(), now in any_time(),
    ) {
        let once = remaining(&archives, &decide(&archives, &keep, min_good, &zone, now));
        let twice = remaining(&once, &decide(&once, &keep, min_good, &zone, now));
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn doubt_about_one_archive_removes_no_other(
        archives in any_candidates(), keep in any_keep(), min_good in 0_u64..4, zone in any_zone(), which: prop::sample::Index,
    ) {
        prop_assume!(!archives.is_empty());
        let mut doubtful = archives.clone();
        which.get_mut(&mut doubtful).doubt = Some("its sidecar cannot be read".to_owned());
        let ids = |archives: Vec<Candidate>| archives.into_iter().map(|it| it.id).collect::<BTreeSet<_>>();
        let sure = ids(remaining(&archives, &decide(&archives, &keep, min_good, &zone, at(LATE))));
        let unsure = ids(remaining(&doubtful, &decide(&doubtful, &keep, min_good, &zone, at(LATE))));
        prop_assert!(sure.is_subset(&unsure));
    }

    #[test]
    fn whole_weeks_later_everything_is_decided_the_same(
        archives in any_candidates(), keep in any_keep(), weeks in 1_i64..500, now in any_time(),
    ) {
        // Months and years have no common length to shift by.
        let keep = Keep { monthly: None, yearly: None, ..keep };
        let shift = |time: Timestamp| time + (weeks * 7 * 24).hours();
        let later: Vec<Candidate> = archives
            .iter()
            .map(|it| {
                let created = shift(it.created);
                let id = ArchiveId::new("prime", "app", created, it.id.sequence());
                Candidate { id, created, retained_until: it.retained_until.map(shift), ..it.clone() }
            })
            .collect();
        let before = decide(&archives, &keep, 2, &TimeZone::UTC, now);
        let after = decide(&later, &keep, 2, &TimeZone::UTC, shift(now));
        prop_assert_eq!(numbers(&before), numbers(&after));
    }

    #[test]
    fn nothing_goes_while_the_clock_is_behind(
        archives in any_candidates(), keep in any_keep(), zone in any_zone(), now in any_time(),
    ) {
        prop_assume!(archives.iter().any(|it| it.created > now && !it.ahead));
        prop_assert!(decide(&archives, &keep, 0, &zone, now).iter().all(Decision::keeps));
    }

    #[test]
    fn the_newest_of_each_of_the_wanted_days_stays(archives in any_candidates(), wanted in 1_u64..8, zone in any_zone()) {
        let decisions = decide(&archives, &keep(|keep| keep.daily = Some(wanted)), 0, &zone, at(LATE));
        let is_newest = |it: &&Decision| it.reasons.iter().any(|reason| matches!(reason, Reason::Newest(..)));
        let days: BTreeSet<_> =
            archives.iter().filter(|it| counts(it)).map(|it| Period::Day.label(it.created, &zone)).collect();
        prop_assert_eq!(decisions.iter().filter(is_newest).count(), days.len().min(clamp(wanted)));
    }
}
