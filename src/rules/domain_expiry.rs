//! `domain.expiry`: when the registration of a domain ends, as its registry says over RDAP (RFC 9082, 9083, 9224).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::report::{Finding, Status};

/// The id of the public contract.
pub const ID: &str = "domain.expiry";

/// What a registry says of a domain.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Registration {
    /// The domain that is registered: `example.org` for `www.example.org`.
    pub domain: String,
    /// When the registration ends; `None` where the registry does not say it.
    pub ends: Option<Timestamp>,
    /// What the registry says of its state, in lower case: `active`, `redemption period`.
    pub status: Vec<String>,
    /// With whom it is registered.
    pub registrar: Option<String>,
    /// When the registry was asked.
    pub asked: Timestamp,
}

/// Why nothing is known of a domain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble {
    /// The word that tells them apart: `no-service`, `not-found`, `rate-limit`, `unreachable`.
    pub reason: &'static str,
    /// In words.
    pub why: String,
}

/// How soon is soon.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Policy {
    /// With less time left somebody should look.
    pub warn: Duration,
    /// With less it is wrong.
    pub fail: Duration,
}

/// What was learnt of a name.
pub type Learnt = Result<Registration, Trouble>;

/// Judges the registration of a domain. Whatever the registry does not tell is never a pass.
pub fn judge(name: &str, learnt: &Learnt, policy: Policy, now: Timestamp) -> Finding {
    let registration = match learnt {
        Ok(registration) => registration,
        Err(Trouble { reason: "no-service", why }) => {
            return Finding::skip(ID, name, why.clone()).data("reason", "no-service");
        }
        Err(Trouble { reason, why }) => {
            let fix = match *reason {
                "rate-limit" => "wait: the answer is kept for a day once there is one",
                "not-found" => "see whether the name is written right; `names` of `[domain]` chooses them",
                _ => "see that this machine reaches the registry over HTTPS, or look at the registrar's page",
            };
            return Finding::unknown(ID, name, "when its registration ends is not known")
                .cause(why.clone())
                .fix(fix)
                .data("reason", *reason);
        }
    };
    let Registration { domain, ends, status, registrar, asked } = registration;
    let lost = status.iter().find(|word| LOST.contains(&word.as_str()));
    let finding = match (lost, ends) {
        (Some(word), _) => Finding::fail(ID, domain, format!("its registration is lost or about to be: `{word}`"))
            .fix(renew(registrar.as_deref()))
            .data("reason", "lost"),
        (None, None) => {
            let finding = Finding::skip(ID, domain, "its registry does not tell when a registration ends");
            return finding.data("reason", "not-told");
        }
        (None, Some(ends)) => {
            let left = ends.duration_since(now);
            let date = ends.strftime("%Y-%m-%d");
            let level = match left {
                left if left < SignedDuration::ZERO => Status::Fail,
                left if shorter(left, policy.fail) => Status::Fail,
                left if shorter(left, policy.warn) => Status::Warn,
                _ => Status::Pass,
            };
            let days = left.as_hours().div_euclid(24);
            let summary = match days {
                ..0 => format!("its registration ended on {date}"),
                0 => format!("its registration ends within a day, on {date}"),
                1 => format!("its registration ends in 1 day, on {date}"),
                days => format!("its registration ends in {days} days, on {date}"),
            };
            let finding =
                Finding::new(ID, domain, level, summary).data("ends", ends.to_string()).data("days_left", days);
            match level {
                Status::Pass => finding,
                _ => finding
                    .cause("where it renews by itself that has not happened yet, or the registrar was not paid")
                    .fix(renew(registrar.as_deref()))
                    .data("reason", "ends"),
            }
        }
    };
    let finding = finding.data("asked", asked.to_string()).data("status", status.clone());
    match registrar {
        Some(registrar) => finding.data("registrar", registrar.clone()),
        None => finding,
    }
}

fn renew(registrar: Option<&str>) -> String {
    match registrar {
        Some(registrar) => format!("renew it with {registrar}, and see that it renews by itself"),
        None => "renew it with the registrar, and see that it renews by itself".to_owned(),
    }
}

fn shorter(left: SignedDuration, limit: Duration) -> bool {
    SignedDuration::try_from(limit).is_ok_and(|limit| left < limit)
}

/// States in which somebody else may have it soon (RFC 8056, the names that RDAP gives to EPP's states), or in which it is
/// not in the DNS any more.
const LOST: &[&str] =
    &["client hold", "inactive", "pending delete", "pending restore", "redemption period", "server hold"];

/// The names to ask for, in order: of `www.example.co.uk` first `co.uk`, then `example.co.uk`, then the whole. A registry
/// knows what is registered with it, and nothing above.
pub fn candidates(name: &str) -> Vec<String> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let labels: Vec<&str> = name.split('.').collect();
    (2..=labels.len()).map(|count| labels[labels.len() - count..].join(".")).collect()
}

/// The name that is probably registered, for a command that a person types: `example.edu` of `www.example.edu`, and
/// `example.co.uk` of `www.example.co.uk`, where countries sell names below short second levels.
pub fn registered(name: &str) -> String {
    let all = candidates(name);
    let is_country = |name: &&String| {
        let (second, top) = name.split_once('.').unwrap_or_default();
        top.len() == 2 && second.len() <= 3
    };
    let skipped = usize::from(all.len() > 1 && all.first().filter(is_country).is_some());
    all.into_iter().nth(skipped).unwrap_or_else(|| name.to_owned())
}

/// Why a name is nobody's registration; `None` where it may be one.
pub fn unregistered(name: &str) -> Option<String> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if name.parse::<std::net::IpAddr>().is_ok() || name.starts_with('[') {
        return Some(format!("`{name}` is an address and no name"));
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    if !name.contains('.') {
        return Some(format!("`{name}` is a name of this network only"));
    }
    // RFC 2606, 6761, 6762, 8375, and what ICANN has promised never to give away.
    let reserved = [
        "alt",
        "arpa",
        "example",
        "home",
        "corp",
        "internal",
        "invalid",
        "local",
        "localhost",
        "mail",
        "onion",
        "test",
    ];
    reserved.contains(&last).then(|| format!("nobody can register names in `.{last}`"))
}

/// The addresses of the services for a top-level domain, out of IANA's list (RFC 9224, 4): those over HTTPS first.
///
/// # Errors
///
/// The list cannot be read.
pub fn services(list: &[u8], name: &str) -> Result<Vec<String>, String> {
    let list: Value = serde_json::from_slice(list).map_err(|_| "it is no JSON".to_owned())?;
    let services = list.get("services").and_then(Value::as_array).ok_or("it has no `services`")?;
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    // The longest match counts; today all entries have one label.
    let mut best: Option<(usize, Vec<String>)> = None;
    for service in services {
        let (Some(zones), Some(addresses)) =
            (service.get(0).and_then(Value::as_array), service.get(1).and_then(Value::as_array))
        else {
            continue;
        };
        for zone in zones.iter().filter_map(Value::as_str).map(str::to_ascii_lowercase) {
            let ours = name == zone || name.strip_suffix(&zone).is_some_and(|rest| rest.ends_with('.'));
            let longer = best.as_ref().is_none_or(|(length, _)| zone.len() > *length);
            if ours && longer && !zone.is_empty() {
                best = Some((zone.len(), addresses.iter().filter_map(Value::as_str).map(str::to_owned).collect()));
            }
        }
    }
    let mut addresses = best.map(|(_, addresses)| addresses).unwrap_or_default();
    addresses.sort_by_key(|address| !address.starts_with("https://"));
    Ok(addresses)
}

/// Reads a domain object (RFC 9083, 5.3); `None` where it is none, or another's.
pub fn registration(body: &[u8], domain: &str, asked: Timestamp) -> Option<Registration> {
    let object: Value = serde_json::from_slice(body).ok()?;
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    if text(&object, "objectClassName")? != "domain" {
        return None;
    }
    let name = text(&object, "ldhName").unwrap_or_else(|| domain.to_owned()).to_ascii_lowercase();
    if name.trim_end_matches('.') != domain {
        return None;
    }
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let event = |action: &str| {
        let found = list(&object, "events")
            .into_iter()
            .find(|event| text(event, "eventAction").is_some_and(|own| own.eq_ignore_ascii_case(action)));
        found.and_then(|event| text(&event, "eventDate")?.parse::<Timestamp>().ok())
    };
    let status = list(&object, "status").iter().filter_map(Value::as_str).map(str::to_ascii_lowercase).collect();
    let registrar = list(&object, "entities")
        .into_iter()
        .find(|entity| list(entity, "roles").iter().any(|role| role.as_str() == Some("registrar")));
    let registrar = registrar.and_then(|entity| full_name(&entity));
    // The registry's own date is the one that counts; some registrars give theirs beside it.
    let ends = event("expiration").or_else(|| event("registrar expiration"));
    Some(Registration { domain: domain.to_owned(), ends, status, registrar, asked })
}

/// The name in an entity's card (RFC 7095): `["vcard", [["fn", {}, "text", "A Registrar"], …]]`.
fn full_name(entity: &Value) -> Option<String> {
    let properties = entity.get("vcardArray")?.get(1)?.as_array()?;
    let name = properties.iter().find(|property| property.get(0).and_then(Value::as_str) == Some("fn"))?;
    name.get(3)?.as_str().filter(|name| !name.is_empty() && name.len() < 200).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::assert_one_voice;

    const NOW: &str = "2026-11-26T12:00:00Z";

    fn policy() -> Policy {
        Policy { warn: Duration::from_secs(30 * 86_400), fail: Duration::from_secs(7 * 86_400) }
    }

    #[test]
    fn the_days_that_are_left_decide_and_a_lost_name_is_lost_whatever_its_date() {
        let now: Timestamp = NOW.parse().unwrap();
        let ends = |days: i64| Some(now + SignedDuration::from_hours(24 * days));
        for (ends, status, verdict, reason) in [
            (ends(31), "active", Status::Pass, ""),
            (ends(30), "active", Status::Pass, ""),
            (ends(29), "active", Status::Warn, "ends"),
            (ends(6), "active", Status::Fail, "ends"),
            (ends(-1), "auto renew period", Status::Fail, "ends"),
            (ends(300), "redemption period", Status::Fail, "lost"),
            (ends(300), "client hold", Status::Fail, "lost"),
            (ends(300), "client transfer prohibited", Status::Pass, ""),
            (None, "active", Status::Skip, "not-told"),
        ] {
            let learnt = Registration {
                domain: "example.org".into(),
                ends,
                status: vec![status.into()],
                registrar: Some("A Registrar".into()),
                asked: now,
            };
            let finding = judge("www.example.org", &Ok(learnt), policy(), now);
            assert_one_voice(&finding);
            let told = finding.data.get("reason").and_then(|reason| reason.as_str()).unwrap_or_default();
            assert_eq!(
                (finding.status, told, finding.subject.as_str()),
                (verdict, reason, "example.org"),
                "{finding:?}"
            );
        }
        for (reason, verdict) in [
            ("no-service", Status::Skip),
            ("rate-limit", Status::Unknown),
            ("unreachable", Status::Unknown),
            ("not-found", Status::Unknown),
        ] {
            let finding = judge("x.de", &Err(Trouble { reason, why: "so".into() }), policy(), now);
            assert_one_voice(&finding);
            assert_eq!(finding.status, verdict);
        }
    }

    #[test]
    fn the_shortest_name_is_asked_for_first() {
        assert_eq!(candidates("www.example.co.uk."), ["co.uk", "example.co.uk", "www.example.co.uk"]);
        assert_eq!(candidates("Example.ORG"), ["example.org"]);
        assert!(candidates("localhost").is_empty());
        for (name, whole) in [
            ("www.example.edu", "example.edu"),
            ("a.www.example.co.uk", "example.co.uk"),
            ("www.example.de", "example.de"),
            ("example.de", "example.de"),
            ("ab.de", "ab.de"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(registered(name), whole);
        }
        for name in ["127.0.0.1", "[::1]", "nas", "app.test", "prime.local.", "x.internal"] {
            assert!(unregistered(name).is_some(), "{name}");
        }
        assert_eq!(unregistered("prime.example.edu"), None);
    }

    #[test]
    fn ianas_list_leads_to_the_service_of_a_zone() {
        let list = br#"{"version": "1.0", "services": [
            [["net", "com"], ["http://plain.example/", "https://rdap.example/com/v1/"]],
            [["uk"], ["https://rdap.example/uk/"]], [["co.uk"], ["https://rdap.example/co-uk/"]], "nonsense"]}"#;
        let found = |name| services(list, name).unwrap();
        assert_eq!(found("www.Example.COM"), ["https://rdap.example/com/v1/", "http://plain.example/"]);
        assert_eq!(found("example.co.uk"), ["https://rdap.example/co-uk/"], "the longest match");
        assert_eq!(found("example.uk"), ["https://rdap.example/uk/"]);
        assert!(found("example.telecom").is_empty() && found("telecom").is_empty());
        assert!(services(b"[]", "x.com").is_err() && services(b"<html>", "x.com").is_err());
    }

    #[test]
    fn a_domain_object_is_read_and_nobody_elses_is_believed() {
        let body =
            br#"{"objectClassName": "domain", "ldhName": "EXAMPLE.ORG", "status": ["client transfer prohibited"],
            "events": [{"eventAction": "registration", "eventDate": "1995-08-31T04:00:00Z"},
                       {"eventAction": "registrar expiration", "eventDate": "2030-01-01T00:00:00Z"},
                       {"eventAction": "expiration", "eventDate": "2027-08-30T04:00:00Z"}],
            "entities": [{"roles": ["abuse"]}, {"roles": ["registrar"],
                "vcardArray": ["vcard", [["version", {}, "text", "4.0"], ["fn", {}, "text", "A Registrar"]]]}]}"#;
        let asked: Timestamp = NOW.parse().unwrap();
        let found = registration(body, "example.org", asked).unwrap();
        assert_eq!(found.ends, Some("2027-08-30T04:00:00Z".parse().unwrap()));
        assert_eq!((found.registrar.as_deref(), found.status.len()), (Some("A Registrar"), 1));
        assert_eq!(registration(body, "example.com", asked), None);
        assert_eq!(registration(br#"{"objectClassName": "entity"}"#, "example.org", asked), None);
        let bare = registration(br#"{"objectClassName": "domain"}"#, "example.org", asked).unwrap();
        assert_eq!((bare.ends, bare.registrar), (None, None));
    }

    proptest! {
        #[test]
        fn whatever_a_registry_sends_is_read_without_a_panic(body in proptest::collection::vec(any::<u8>(), 0..200), name in "[a-z.]{0,30}") {
            let asked: Timestamp = NOW.parse().unwrap();
            let _ = registration(&body, &name, asked);
            let _ = services(&body, &name);
            for candidate in candidates(&name) {
                prop_assert!(name.trim_end_matches('.').ends_with(&candidate));
            }
        }
    }
}
