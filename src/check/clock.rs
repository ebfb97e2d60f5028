//! Whose clock is wrong: what one site alone cannot tell, several hosts together can.

use jiff::SignedDuration;

use crate::report::Finding;

/// Two clocks that differ by less than this from ours in the same direction agree with each other, in seconds.
const AGREEMENT: i64 = 300;

/// Marks the certificates' validity as judged by a wrong clock, where hosts that have nothing to do with each other agree
/// that this machine's is off.
///
/// One site, or several at one address, may as well be wrong themselves.
pub fn join(findings: &mut [Vec<Finding>]) {
    let Some((hosts, skew)) = agreed(findings) else { return };
    let side = if skew > 0 { "ahead of" } else { "behind" };
    let off = SignedDuration::from_secs(skew.abs());
    let text = format!("the clock of this machine is wrong: it is {off:#} {side} those of {hosts} hosts, which agree");
    for finding in findings.iter_mut().flatten() {
        if self::skew(finding).is_none() {
            continue;
        }
        finding.data.insert("own_clock".to_owned(), true.into());
        // A certificate that is over by every clock stays so.
        if finding.data.get("reason").is_none_or(|reason| reason != "clock") {
            let notes = finding.data.entry("notes").or_insert_with(|| Vec::<String>::new().into());
            if let Some(notes) = notes.as_array_mut() {
                notes.push(text.clone().into());
            }
        } else {
            finding.cause = Some(text.clone());
            finding.fix = Some("set the clock of this machine (timedatectl set-ntp true), then look again".to_owned());
        }
    }
}

/// How many hosts agree, and by how much our clock is off; only when they are most of those that were looked at.
fn agreed(findings: &[Vec<Finding>]) -> Option<(usize, i64)> {
    let judged: Vec<&Finding> = findings.iter().flatten().filter(|finding| finding.id == "tls.validity").collect();
    let off: Vec<(&Finding, i64)> = judged.iter().filter_map(|finding| Some((*finding, skew(finding)?))).collect();
    let middle = off.get(off.len() / 2)?.1;
    if off.iter().any(|(_, skew)| (skew - middle).abs() > AGREEMENT) {
        return None;
    }
    let mut hosts: Vec<&serde_json::Value> = Vec::new();
    for (finding, _) in &off {
        hosts.extend(finding.data.get("addresses").filter(|address| !hosts.contains(address)));
    }
    (hosts.len() >= 2 && off.len() * 2 > judged.len()).then_some((hosts.len(), middle))
}

fn skew(finding: &Finding) -> Option<i64> {
    (finding.id == "tls.validity").then(|| finding.data.get("clock_skew_seconds")?.as_i64()).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::Status;

    fn validity(status: Status, address: &str, skew: Option<i64>) -> Vec<Finding> {
        let finding = Finding::new("tls.validity", address, status, "x").data("addresses", json!([address]));
        vec![match skew {
            Some(skew) if status == Status::Warn => finding.data("clock_skew_seconds", skew).data("reason", "clock"),
            Some(skew) => finding.data("clock_skew_seconds", skew),
            None => finding,
        }]
    }

    #[test]
    fn hosts_that_agree_say_that_our_clock_is_wrong() {
        let mut findings = [
            validity(Status::Warn, "192.0.2.1", Some(-7200)),
            validity(Status::Pass, "192.0.2.2", Some(-7200)),
            validity(Status::Fail, "192.0.2.4", Some(-7190)),
            validity(Status::Pass, "192.0.2.3", None),
        ];
        join(&mut findings);
        let cause = findings[0][0].cause.clone().unwrap();
        assert!(cause.starts_with("the clock of this machine is wrong: it is 2h behind those of 3 hosts"), "{cause}");
        assert!(findings[0][0].fix.as_ref().unwrap().contains("this machine"));
        assert_eq!((findings[1][0].status, &findings[1][0].data["notes"][0]), (Status::Pass, &cause.into()));
        assert_eq!((findings[2][0].status, &findings[2][0].fix), (Status::Fail, &None), "a reason of its own");
        assert!(!findings[3][0].data.contains_key("own_clock"), "no skew was seen there");
    }

    #[test]
    fn one_host_or_hosts_that_differ_say_nothing_of_ours() {
        let (one, twin) =
            (validity(Status::Warn, "192.0.2.1", Some(900)), validity(Status::Warn, "192.0.2.1", Some(901)));
        let other = validity(Status::Warn, "192.0.2.2", Some(-900));
        let right = validity(Status::Pass, "192.0.2.3", None);
        let near = validity(Status::Warn, "192.0.2.4", Some(910));
        for before in [
            vec![one.clone()],
            vec![one.clone(), twin],
            vec![one.clone(), other],
            vec![one, near, right.clone(), right],
        ] {
            let mut after = before.clone();
            join(&mut after);
            assert_eq!(after, before);
        }
    }
}
