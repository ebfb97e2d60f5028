use std::{path::PathBuf, sync::Arc};

use super::{apply, plan, *};
use crate::{
    backup::{
        Catalog, Drill, Stock,
        testing::{Bench, NOW},
    },
    error::Kind,
    report::{Outcome, State, Status, assert_one_voice},
    system::{
        Context,
        clock::Fixed,
        store::{Destination, Reason, Shelf, memory::Memory},
    },
};

fn context() -> Context {
    let mut context = Context::real(std::collections::BTreeMap::new(), PathBuf::from("/"));
    context.clock = Arc::new(Fixed(NOW()));
    context
}

async fn planned(bench: &Bench, shelf: &Memory) -> Proposal {
    let looking: &dyn Shelf = shelf;
    let proposal = plan(&[bench.stock(looking)], NOW()).await.unwrap();
    proposal.findings.iter().for_each(assert_one_voice);
    proposal
}

async fn applied(bench: &Bench, shelf: &Memory, plan: Plan<PruneAction>) -> Vec<Outcome> {
    let acting: &dyn Destination = shelf;
    apply(plan, &[bench.stock(acting)], &context()).await.unwrap()
}

/// Action, number and reason of each step.
fn steps(proposal: &Proposal) -> Vec<(&'static str, u64, &str)> {
    let number = |id: &str| id.rsplit_once('-').unwrap().1.parse().unwrap();
    proposal.plan.steps.iter().map(|it| (it.action.word(), number(&it.action.work().id), it.reason.as_str())).collect()
}

/// The numbers of the archives that go.
fn going(proposal: &Proposal) -> Vec<u64> {
    steps(proposal).into_iter().filter(|(word, ..)| *word != "keep").map(|(_, number, _)| number).collect()
}

fn states(outcomes: &[Outcome]) -> Vec<(State, &str)> {
    outcomes.iter().map(|outcome| (outcome.state, outcome.detail.as_str())).collect()
}

#[tokio::test]
async fn the_plan_has_the_reason_for_every_archive_and_writes_nothing() {
    let bench = Bench::new();
    let shelf = Memory::new("/mnt/usb");
    bench.daily(&shelf, &[1, 2, 3, 4, 5]);
    let before = shelf.names();
    let proposal = planned(&bench, &shelf).await;
    let newest = "the last one, newest of day 2026-11-05, the newest good one";
    let expected = [
        ("remove", 1, "no rule of `keep` asks for it"),
        ("remove", 2, "no rule of `keep` asks for it"),
        ("keep", 3, "newest of day 2026-11-03"),
        ("keep", 4, "newest of day 2026-11-04"),
        ("keep", 5, newest),
    ];
    assert_eq!(steps(&proposal), expected);
    assert_eq!(proposal.plan.title, "remove 2 old archives, keep 3");
    assert_eq!((shelf.names(), proposal.findings.len()), (before, 0));
    let json = serde_json::to_value(&proposal.plan).unwrap();
    assert_eq!(json["steps"][0]["action"], "remove");
    assert_eq!(json["steps"][0]["target"], "prime-app-20261101T023000Z-000001 at /mnt/usb");
    assert_eq!(json["steps"][0]["risk"], "destructive");
    assert!(shelf.asked().iter().all(|call| !call.starts_with("remove") && !call.starts_with("put")));
}

#[tokio::test]
async fn the_sidecar_goes_first_and_to_prune_again_changes_nothing() {
    let bench = Bench::new();
    let shelf = Memory::new("/mnt/usb");
    let ids = bench.daily(&shelf, &[1, 3, 4, 5]);
    let proposal = planned(&bench, &shelf).await;
    shelf.asked();
    let outcomes = applied(&bench, &shelf, proposal.plan).await;
    assert_eq!(states(&outcomes), [(State::Done, "no rule of `keep` asks for it")]);
    let removed: Vec<String> = shelf.asked().into_iter().filter(|call| call.starts_with("remove")).collect();
    assert_eq!(removed, ["json", "json.minisig", "tar.gz.age"].map(|end| format!("remove {}.{end}", ids[0])));
    assert_eq!(shelf.names().len(), 9);
    let again = planned(&bench, &shelf).await;
    assert_eq!(going(&again), [0_u64; 0]);
    assert!(applied(&bench, &shelf, again.plan).await.is_empty());
}

#[tokio::test]
async fn backup_case_02_what_a_killed_run_left_is_cleared_a_day_later_and_never_counts() {
    let bench = Bench::new();
    let shelf = Memory::new("/mnt/usb");
    let ids = bench.daily(&shelf, &[1, 2, 3, 4, 5]);
    shelf.lose(&format!("{}.json", ids[1]));
    let young = "prime-app-20261122T233000Z-000006";
    shelf.place(&format!("{young}.tar.gz.age"), "half", None);
    let late = "prime-app-20261106T233000Z-000007";
    shelf.place(&format!("{late}.tar.gz.age"), "half", Some(NOW()));
    let last = "prime-app-20261107T233000Z-000008";
    shelf.place(&format!("{last}.tar.gz.age"), "half", None);
    let proposal = planned(&bench, &shelf).await;
    let clear = "its sidecar is missing: the run that made it was killed, or is at work";
    let work = "younger than 24 hours: a run may be at work";
    let leftovers: Vec<_> = steps(&proposal).into_iter().skip(4).collect();
    let expected = [
        ("clear", 2, clear),
        ("keep", 7, work),
        ("keep", 8, "kept: no good archive was made after it"),
        ("keep", 6, work),
    ];
    assert_eq!(leftovers, expected);
    assert_eq!(going(&proposal), [1, 2]);
    applied(&bench, &shelf, proposal.plan).await;
    assert_eq!(shelf.names().iter().filter(|name| name.starts_with(&ids[1])).count(), 0);
}

#[tokio::test]
async fn archives_that_were_copied_without_their_sidecars_are_left_alone() {
    let bench = Bench::new();
    let shelf = Memory::new("/mnt/usb");
    let ids = bench.daily(&shelf, &[1, 2, 3, 4, 5]);
    for id in &ids[..3] {
        shelf.lose(&format!("{id}.json"));
    }
    let proposal = planned(&bench, &shelf).await;
    assert_eq!(going(&proposal), [0_u64; 0]);
    let [finding] = &proposal.findings[..] else { panic!("{:?}", proposal.findings) };
    assert_eq!((finding.status, finding.data["reason"].as_str()), (Status::Warn, Some("stripped")));
}

#[tokio::test]
async fn backup_case_15_nothing_goes_while_the_clock_is_before_the_newest_archive() {
    let bench = Bench::new();
    let shelf = Memory::new("/mnt/usb");
    bench.daily(&shelf, &[1, 2, 3, 4, 5, 24]);
    let proposal = planned(&bench, &shelf).await;
    assert_eq!(going(&proposal), [0_u64; 0]);
    let clock = proposal.findings.iter().find(|finding| finding.data["reason"] == "clock").unwrap();
    assert_eq!((clock.status, clock.observed.as_deref()), (Status::Fail, Some("2026-11-23T18:15:00Z")));
}

#[tokio::test]
async fn backup_case_15_a_planted_archive_from_the_future_neither_stops_prune_nor_takes_a_place() {
    let (bench, attacker) = (Bench::new(), Bench::new());
    let shelf = Memory::new("s3://prime/app");
    bench.daily(&shelf, &[1, 2, 3, 4]);
    attacker.store(&shelf, &attacker.sidecar(99, "2027-11-20T02:30:00Z", None));
    let proposal = planned(&bench, &shelf).await;
    assert_eq!((going(&proposal), proposal.findings.len()), (vec![1], 0));
    assert!(steps(&proposal)[4].2.starts_with("kept: signed by the key"), "{:?}", steps(&proposal));
}

#[tokio::test]
async fn backup_case_17_only_what_two_listings_agree_about_goes() {
    let bench = Bench::new();
    let shelf = Memory::new("/mnt/usb");
    let ids = bench.daily(&shelf, &[1, 2, 3, 4, 5, 6]);
    let proposal = planned(&bench, &shelf).await;
    assert_eq!(going(&proposal), [1, 2, 3]);
    // Between the listings somebody else removes the oldest and the newest; a run elsewhere replaces nothing.
    for id in [&ids[0], &ids[5]] {
        ["json", "json.minisig", "tar.gz.age"].iter().for_each(|end| shelf.lose(&format!("{id}.{end}")));
    }
    let outcomes = applied(&bench, &shelf, proposal.plan).await;
    let expected = [
        (State::Skipped, "it has gone meanwhile"),
        (State::Done, "no rule of `keep` asks for it"),
        (State::Skipped, "it shall stay now: newest of day 2026-11-03"),
    ];
    assert_eq!(states(&outcomes), expected);
}

#[tokio::test]
async fn backup_case_17_what_was_stored_less_than_a_day_ago_stays_whatever_its_name_says() {
    let bench = Bench::new();
    let shelf = Memory::new("/mnt/usb");
    let ids = bench.daily(&shelf, &[1, 2, 3, 4, 5]);
    shelf.place(&format!("{}.tar.gz.age", ids[0]), "x", Some("2026-11-22T18:15:01Z".parse().unwrap()));
    let proposal = planned(&bench, &shelf).await;
    assert_eq!(steps(&proposal)[0], ("keep", 1, "stored less than 24 hours ago"));
    assert_eq!(going(&proposal), [2]);
}

#[tokio::test]
async fn backup_case_18_a_failed_listing_prunes_nothing_there_and_other_destinations_go_on() {
    let bench = Bench::new();
    for (what, after) in [("inspect", 0), ("list", 0), ("open", 0), ("open", 7)] {
        let (near, far) = (Memory::new("/mnt/usb"), Memory::new("s3://prime/app"));
        bench.daily(&near, &[1, 2, 3, 4, 5]);
        bench.daily(&far, &[1, 2, 3, 4, 5]);
        far.fail(what, after, Reason::Unreachable);
        let looking: [&dyn Shelf; 2] = [&near, &far];
        let proposal = plan(&looking.map(|shelf| bench.stock(shelf)), NOW()).await.unwrap();
        assert!(proposal.plan.steps.iter().all(|step| step.action.work().destination == "/mnt/usb"));
        assert_eq!((going(&proposal), proposal.findings.len()), (vec![1, 2], 1), "{what} {after}");
        assert_eq!(proposal.findings[0].status, Status::Fail);
        let acting: [&dyn Destination; 2] = [&near, &far];
        apply(proposal.plan, &acting.map(|shelf| bench.stock(shelf)), &context()).await.unwrap();
        assert_eq!((near.names().len(), far.names().len()), (9, 15));
    }
}

#[tokio::test]
async fn backup_case_18_a_second_listing_that_fails_removes_nothing() {
    let bench = Bench::new();
    let shelf = Memory::new("s3://prime/app");
    bench.daily(&shelf, &[1, 2, 3, 4, 5]);
    shelf.fail("list", 1, Reason::Unreachable);
    let proposal = planned(&bench, &shelf).await;
    assert_eq!(going(&proposal), [1, 2]);
    let outcomes = applied(&bench, &shelf, proposal.plan).await;
    assert_eq!((outcomes.len(), outcomes[0].state, shelf.names().len()), (1, State::Failed, 15));
    assert!(outcomes[0].detail.starts_with("it could not be listed a second time, so nothing was removed"));
}

#[tokio::test]
async fn backup_case_19_the_last_good_ones_and_the_last_drilled_one_stay() {
    let mut bench = Bench::new();
    bench.set.min_good = 4;
    let shelf = Memory::new("/mnt/usb");
    let ids = bench.daily(&shelf, &[1, 2, 3, 4, 5, 6, 7]);
    bench.seen(&shelf).damaged.push(ids[6].clone());
    let drill =
        Drill { at: NOW(), id: ids[0].clone(), destination: "/mnt/usb".to_owned(), seconds: 1.0, files: 3, good: true };
    bench.record.drill = Some(drill);
    let proposal = planned(&bench, &shelf).await;
    assert_eq!(going(&proposal), [2]);
    assert_eq!(steps(&proposal)[0], ("keep", 1, "last drilled"));
    assert_eq!(steps(&proposal)[2], ("keep", 3, "one of the 4 newest good ones"));
    assert_eq!(steps(&proposal)[6], ("keep", 7, "kept: suspect: it was found damaged"));
}

#[tokio::test]
async fn backup_case_19_a_policy_without_a_rule_or_a_wrong_zone_is_an_error() {
    let mut bench = Bench::new();
    let shelf = Memory::new("/mnt/usb");
    bench.set.timezone = "Mars/Olympus".to_owned();
    let stocks: &dyn Shelf = &shelf;
    assert_eq!(plan(&[bench.stock(stocks)], NOW()).await.unwrap_err().kind, Kind::Config);
    bench.set.keep = Default::default();
    let error = plan(&[bench.stock(stocks)], NOW()).await.unwrap_err();
    assert!(error.to_string().contains("every archive would go"), "{error}");
}

#[tokio::test]
async fn backup_case_21_suspect_archives_push_no_good_one_out() {
    let bench = Bench::new();
    let shelf = Memory::new("/mnt/usb");
    bench.daily(&shelf, &[1, 2, 3, 4]);
    for day in 5..=9 {
        let mut shrunk = bench.sidecar(day, &format!("2026-11-{day:02}T02:30:00Z"), None);
        shrunk.suspect = Some("shrunk".to_owned());
        bench.store(&shelf, &shrunk);
    }
    let proposal = planned(&bench, &shelf).await;
    assert_eq!(going(&proposal), [1]);
    assert_eq!(steps(&proposal)[8], ("keep", 9, "kept: suspect: shrunk"));
}

#[tokio::test]
async fn backup_case_44_what_the_store_keeps_is_kept_by_lock_and_no_failure() {
    let bench = Bench::new();
    let shelf = Memory::new("s3://prime/app");
    let ids = bench.daily(&shelf, &[1, 2, 3, 4, 5]);
    shelf.lock(&format!("{}.tar.gz.age", ids[0]), "2026-12-01T00:00:00Z".parse().unwrap());
    let proposal = planned(&bench, &shelf).await;
    assert_eq!(steps(&proposal)[0], ("keep", 1, "locked until 2026-12-01T00:00:00Z"));
    assert_eq!(proposal.plan.notes, ["app at s3://prime/app: 1 kept by lock"]);
    // A lock that the listing did not tell of.
    shelf.fail("remove", 0, Reason::Retained);
    let outcomes = applied(&bench, &shelf, proposal.plan).await;
    assert_eq!(states(&outcomes), [(State::Unchanged, "kept by lock")]);
}

#[tokio::test]
async fn credentials_that_may_not_delete_are_told_as_such_once() {
    let bench = Bench::new();
    let shelf = Memory::new("s3://prime/app");
    bench.daily(&shelf, &[1, 2, 3, 4, 5, 6]);
    shelf.fail("remove", 0, Reason::Permission);
    let proposal = planned(&bench, &shelf).await;
    let outcomes = applied(&bench, &shelf, proposal.plan).await;
    let found: Vec<State> = outcomes.iter().map(|outcome| outcome.state).collect();
    assert_eq!(found, [State::Failed, State::Skipped, State::Skipped]);
    assert!(outcomes[0].fix.as_ref().unwrap().contains("lifecycle rules"), "{:?}", outcomes[0]);
    assert_eq!((outcomes[1].detail.as_str(), shelf.names().len()), ("nothing may be removed there", 18));
}

#[tokio::test]
async fn an_archive_whose_removal_ends_in_the_middle_is_never_listed_and_goes_with_the_next_prune() {
    let bench = Bench::new();
    for removed in 0..3 {
        let shelf = Memory::new("/mnt/usb");
        let ids = bench.daily(&shelf, &[1, 2, 3, 4]);
        shelf.fail("remove", removed, Reason::Unreachable);
        let proposal = planned(&bench, &shelf).await;
        let outcomes = applied(&bench, &shelf, proposal.plan).await;
        assert_eq!(outcomes[0].state, State::Failed);
        assert_eq!(outcomes[0].detail.ends_with("the next prune removes the rest"), removed > 0);
        let catalog = Catalog::read(&shelf, &bench.stock(&shelf).query(NOW())).await.unwrap();
        let listed = catalog.archives.iter().any(|archive| archive.id.to_string() == ids[0]);
        assert_eq!((listed, catalog.incomplete.len()), (removed == 0, usize::from(removed > 0)));

        let rest = Memory::new("/mnt/usb");
        shelf.names().iter().for_each(|name| rest.place(name, shelf.content(name).unwrap(), None));
        let again = planned(&bench, &rest).await;
        assert_eq!(going(&again), [1]);
        applied(&bench, &rest, again.plan).await;
        assert_eq!(rest.names().len(), 9);
    }
}

#[tokio::test]
async fn a_signal_is_heeded_between_archives() {
    let bench = Bench::new();
    let shelf = Memory::new("/mnt/usb");
    bench.daily(&shelf, &[1, 2, 3, 4, 5]);
    let proposal = planned(&bench, &shelf).await;
    let context = context();
    context.cancel.raise(15);
    let acting: &dyn Destination = &shelf;
    let stocks: [Stock<'_, dyn Destination>; 1] = [bench.stock(acting)];
    let outcomes = apply(proposal.plan, &stocks, &context).await.unwrap();
    assert_eq!(states(&outcomes), [(State::Skipped, "a signal came"); 2]);
    assert_eq!(shelf.names().len(), 15);
}
