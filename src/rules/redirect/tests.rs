//! Tables of ways from http to https.

use std::time::Duration;

use super::*;
use crate::{
    report::assert_one_voice,
    rules::http::{Stage, tests::answer},
};

const ASKED: &str = "http://site.test/a?b=1";
const THERE: &str = "https://site.test/a?b=1";

fn hop(url: &str, status: u16, location: Option<&str>) -> Hop {
    let headers: Vec<(&str, &str)> = location.map(|raw| ("location", raw)).into_iter().collect();
    Hop { url: Url::parse(url).unwrap(), answer: Ok(answer(status, &headers)) }
}

/// A walk through a world where every address answers with this table, 200 where it says nothing.
fn walk(start: &str, world: &[(&str, u16, &str)]) -> Walk {
    let mut hops = Vec::new();
    let mut url = start.to_owned();
    loop {
        let found = world.iter().find(|(from, ..)| *from == url);
        hops.push(match found {
            Some((_, status, location)) => hop(&url, *status, Some(location)),
            None => hop(&url, 200, None),
        });
        match next(&hops) {
            Next::Ask(to) => url = to.into(),
            Next::End(end) => return Walk { hops, end },
        }
    }
}

fn verdict(walk: &Walk) -> (Status, String) {
    let finding = judged(walk, Status::Fail);
    let reasons = finding.data.get("reasons").cloned().unwrap_or_default();
    let reasons: Vec<String> = serde_json::from_value(reasons).unwrap_or_default();
    (finding.status, reasons.join(" "))
}

fn judged(walk: &Walk, closed: Status) -> Finding {
    let goal = Url::parse("https://site.test/").unwrap();
    let finding = judge(walk, Expect { subject: "prime", goal: &goal, closed });
    assert_one_voice(&finding);
    finding
}

fn first(status: u16, location: &str) -> (Status, String) {
    verdict(&walk(ASKED, &[(ASKED, status, location)]))
}

#[test]
fn a_permanent_redirect_to_the_same_address_on_https_passes() {
    for status in [301, 308] {
        assert_eq!(first(status, THERE), (Status::Pass, String::new()));
    }
    for status in [302, 303, 307] {
        assert_eq!(first(status, THERE), (Status::Warn, "not-permanent".to_owned()));
    }
}

#[test]
fn case_51_a_redirect_to_a_path_stays_on_http() {
    assert_eq!(first(301, "/foo"), (Status::Fail, "stays-http".to_owned()));
}

#[test]
fn case_52_a_redirect_without_a_scheme_stays_on_http() {
    assert_eq!(first(301, "//site.test/x"), (Status::Fail, "stays-http".to_owned()));
}

#[test]
fn case_53_a_lost_path_or_query_warns() {
    assert_eq!(first(301, "https://site.test/"), (Status::Warn, "path-lost".to_owned()));
    assert_eq!(first(301, "https://site.test/a"), (Status::Warn, "path-lost".to_owned()));
}

#[test]
fn case_54_another_host_before_hsts_warns() {
    let (status, reasons) = first(302, "https://other.test/a?b=1");
    assert_eq!((status, reasons.as_str()), (Status::Warn, "other-host not-permanent"));
    assert_eq!(first(301, "https://www.site.test/a?b=1"), (Status::Warn, "other-host".to_owned()));
}

#[test]
fn case_55_a_loop_fails_at_its_second_hop() {
    let walk = walk("http://site.test/loop", &[("http://site.test/loop", 301, "/loop")]);
    assert_eq!(walk.hops.len(), 1);
    let finding = judged(&walk, Status::Fail);
    assert_eq!((finding.status, finding.data["reason"].as_str()), (Status::Fail, Some("loop")));
    assert!(finding.summary.contains("hop 2"), "{}", finding.summary);
}

#[test]
fn case_56_a_closed_port_80_means_what_the_site_says() {
    let after = Duration::from_secs(1);
    for failure in [HttpFailure::Refused, HttpFailure::Timeout { stage: Stage::Connect, after }] {
        let hop = Hop { url: Url::parse(ASKED).unwrap(), answer: Err(failure.clone()) };
        let walk = Walk { hops: vec![hop], end: End::Broken };
        for status in [Status::Fail, Status::Warn, Status::Pass] {
            let finding = judged(&walk, status);
            assert_eq!(finding.status, status);
            assert_eq!(finding.data["reason"], failure.reason());
        }
        assert!(judged(&walk, Status::Fail).cause.unwrap().contains("HTTP-01"));
    }
}

#[test]
fn an_open_port_that_says_nothing_is_no_closed_port() {
    let hop = Hop { url: Url::parse(ASKED).unwrap(), answer: Err(HttpFailure::Closed) };
    let finding = judged(&Walk { hops: vec![hop], end: End::Broken }, Status::Pass);
    assert_eq!(finding.status, Status::Fail);
}

#[test]
fn a_way_back_to_http_fails_wherever_it_is() {
    let back = "http://site.test/b";
    let world = [(ASKED, 301, THERE), (THERE, 302, back)];
    assert_eq!(verdict(&walk(ASKED, &world)), (Status::Fail, "downgrade".to_owned()));
    let there_and_back = [(ASKED, 301, THERE), (THERE, 301, ASKED)];
    assert_eq!(verdict(&walk(ASKED, &there_and_back)), (Status::Fail, "loop downgrade".to_owned()));
}

#[test]
fn a_way_without_end_is_given_up() {
    let pages: Vec<(String, String)> =
        (0..30).map(|n| (format!("https://site.test/{n}"), format!("/{}", n + 1))).collect();
    let mut world: Vec<(&str, u16, &str)> = pages.iter().map(|(from, to)| (from.as_str(), 302, to.as_str())).collect();
    let start = "http://site.test/0";
    world.push((start, 301, "https://site.test/0"));
    let walk = walk(start, &world);
    assert_eq!((walk.hops.len(), verdict(&walk).1.as_str()), (MOST_HOPS, "too-many-hops"));
}

#[test]
fn an_answer_without_a_usable_redirect_fails() {
    let different = Hop {
        url: Url::parse(ASKED).unwrap(),
        answer: Ok(answer(301, &[("location", THERE), ("location", "https://evil.test/")])),
    };
    let same =
        Hop { url: Url::parse(ASKED).unwrap(), answer: Ok(answer(301, &[("location", THERE), ("location", THERE)])) };
    let table = [
        (hop(ASKED, 200, None), "no-redirect"),
        (hop(ASKED, 404, None), "no-redirect"),
        (hop(ASKED, 503, None), "status-5xx"),
        (hop(ASKED, 301, None), "location-absent"),
        (hop(ASKED, 301, Some("https://[")), "location-malformed"),
        (hop(ASKED, 301, Some("javascript:alert(1)")), "location-malformed"),
        (different, "location-different"),
    ];
    for (hop, reason) in table {
        let hops = vec![hop];
        let Next::End(end) = next(&hops) else { panic!("{hops:?} goes on") };
        assert_eq!(verdict(&Walk { hops, end }), (Status::Fail, reason.to_owned()));
    }
    assert!(matches!(next(&[same]), Next::Ask(_)), "the same address twice is one address");
}

#[test]
fn a_location_that_others_read_otherwise_does_not_pass() {
    let table = [
        ("https://site.test/a?b=1\r\nSet-Cookie: x=1", Status::Fail),
        ("https:\\\\site.test/a?b=1", Status::Fail),
        ("https:/site.test/a?b=1", Status::Fail),
        ("https://site.test/a?b=1 ", Status::Warn),
    ];
    for (raw, status) in table {
        let finding = judged(&walk(ASKED, &[(ASKED, 301, raw)]), Status::Fail);
        assert_eq!(finding.status, status, "{raw:?}");
        let shown = finding.observed.unwrap_or_default();
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
    }
}

#[test]
fn a_redirect_to_another_port_warns_unless_the_site_is_served_there() {
    assert_eq!(first(301, "https://site.test:8443/a?b=1"), (Status::Warn, "other-port".to_owned()));
    let walk = walk(ASKED, &[(ASKED, 301, "https://site.test:8443/a?b=1")]);
    let goal = Url::parse("https://site.test:8443/").unwrap();
    let finding = judge(&walk, Expect { subject: "prime", goal: &goal, closed: Status::Fail });
    assert_eq!(finding.status, Status::Pass);
}

#[test]
fn the_way_is_on_record_without_secrets() {
    let other = "https://login.test/authorize?client_id=me&state=very-secret";
    let walk = walk(ASKED, &[(ASKED, 301, THERE), (THERE, 302, other)]);
    assert_eq!(walk.end, End::Left(Url::parse(other).unwrap()));
    let finding = judged(&walk, Status::Fail);
    assert_eq!(finding.status, Status::Pass, "a login of another site is not our business");
    let hops = &finding.data["hops"];
    assert_eq!(hops[0]["status"], 301);
    assert_eq!(hops[0]["location"], THERE);
    assert_eq!(hops[1]["location"], "https://login.test/authorize?client_id=me&state=<redacted>");
    assert!(!serde_json::to_string(&finding).unwrap().contains("very-secret"));
}

#[test]
fn nobody_at_the_end_of_the_way_is_unknown() {
    let hops =
        vec![hop(ASKED, 301, Some(THERE)), Hop { url: Url::parse(THERE).unwrap(), answer: Err(HttpFailure::Refused) }];
    let finding = judged(&Walk { hops, end: End::Broken }, Status::Fail);
    assert_eq!((finding.status, finding.data["reason"].as_str()), (Status::Unknown, Some("no-connection")));
}

#[test]
fn a_port_that_should_be_closed() {
    let goal = Url::parse("https://site.test/").unwrap();
    let closed =
        |walk: &Walk| judge_closed(walk, Expect { subject: "prime", goal: &goal, closed: Status::Fail }).status;
    let away = Hop { url: Url::parse(ASKED).unwrap(), answer: Err(HttpFailure::NoRoute("no IPv6".into())) };
    assert_eq!(closed(&Walk { hops: vec![away], end: End::Broken }), Status::Unknown);
    let refused = Hop { url: Url::parse(ASKED).unwrap(), answer: Err(HttpFailure::Refused) };
    assert_eq!(closed(&Walk { hops: vec![refused], end: End::Broken }), Status::Pass);
    assert_eq!(closed(&walk(ASKED, &[])), Status::Warn);
    assert_eq!(closed(&walk(ASKED, &[(ASKED, 301, THERE)])), Status::Pass);
}
