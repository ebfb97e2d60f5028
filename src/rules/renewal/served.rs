//! Whether what is served is the lineage's certificate: for every name, at every address.

use crate::{
    report::Finding,
    rules::{
        renewal::Aim,
        served::{self, Leaf, OnDisk, Served},
    },
};

/// What one address serves for one name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Look {
    /// Host and port, as configured.
    pub name: String,
    /// Where it was looked at.
    pub address: String,
    /// Why there.
    pub aim: Aim,
    /// The leaf that came.
    pub leaf: Result<Leaf, Unseen>,
}

/// Why no leaf came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unseen {
    /// In words.
    pub why: String,
    /// Whether this machine or its resolver is the reason, and not the site.
    pub is_ours: bool,
}

/// What is to be done about what is served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// Nothing: everything that can be seen serves it.
    Nothing,
    /// A reload: an older certificate is served.
    Reload,
    /// Another thing than a reload.
    Look,
}

/// Whether a reload would help: somewhere an older certificate is served, or one of this lineage's former ones.
///
/// As [`judge`] has it, another certificate at a public address is another machine's where this one serves the right one of
/// that name: no reload here changes it, so that each run would reload for nothing.
pub fn need(file: &Leaf, former: &[[u8; 32]], looks: &[Look]) -> Need {
    let same = |look: &Look| look.leaf.as_ref().is_ok_and(|leaf| leaf.sha256 == file.sha256);
    let is_right_here = |name: &str| looks.iter().any(|look| look.name == name && look.aim == Aim::Local && same(look));
    let other =
        |look: &&Look| look.leaf.is_ok() && !same(look) && (look.aim == Aim::Local || !is_right_here(&look.name));
    let old = |look: &Look| look.leaf.as_ref().is_ok_and(|leaf| leaf.from < file.from || former.contains(&leaf.sha256));
    let mut others = looks.iter().filter(other).peekable();
    if others.peek().is_some() {
        return if others.any(old) { Need::Reload } else { Need::Look };
    }
    if looks.iter().any(|look| look.leaf.is_ok()) { Need::Nothing } else { Need::Look }
}

/// Judges `tls.served` of a lineage.
///
/// What is served here counts where the network does not lead its own public address back inside. Another certificate at
/// a public address, while this machine serves the right one, is another machine's: a warning, since nothing here mends it.
pub fn judge(subject: &str, file: &OnDisk, looks: &[Look], reload: &str) -> Vec<Finding> {
    let same = |look: &Look| match (&look.leaf, &file.leaf) {
        (Ok(leaf), Ok(file)) => leaf.sha256 == file.sha256,
        _ => false,
    };
    let mut findings = Vec::new();
    let mut counted: Vec<&Look> = Vec::new();
    let mut names: Vec<&str> = looks.iter().map(|look| look.name.as_str()).collect();
    names.dedup();
    for name in names {
        let of = |aim| looks.iter().filter(move |look| look.name == name && look.aim == aim);
        let local = of(Aim::Local).find(|look| same(look));
        let public: Vec<&Look> = of(Aim::Public).collect();
        let (right, wrong): (Vec<&Look>, Vec<&Look>) = public.into_iter().partition(|look| same(look));
        counted.extend(&right);
        match local {
            Some(local) if !wrong.is_empty() => {
                if right.is_empty() {
                    counted.push(local);
                }
                findings.extend(wrong.iter().map(|look| elsewhere(subject, look)));
            }
            // Nothing listens here, which is right where the web server is on another machine.
            _ if wrong.is_empty() && !right.is_empty() => {}
            _ => {
                counted.extend(&wrong);
                if wrong.is_empty() || wrong.iter().all(|look| look.leaf.as_ref().is_err_and(|unseen| unseen.is_ours)) {
                    counted.extend(of(Aim::Local));
                }
            }
        }
    }
    let served: Vec<Served> = counted.iter().map(|look| shown(look)).collect();
    let mut judged = served::judge(subject, std::slice::from_ref(file), &served, reload);
    judged.append(&mut findings);
    judged
}

fn shown(look: &Look) -> Served {
    let leaf = look.leaf.clone().map_err(|unseen| unseen.why);
    Served { address: format!("{} at {}", look.name, look.address), leaf }
}

fn elsewhere(subject: &str, look: &Look) -> Finding {
    match &look.leaf {
        Ok(leaf) => {
            let summary =
                format!("{} at {} is served by another machine with another certificate", look.name, look.address);
            Finding::warn("tls.served", subject, summary)
                .observed(format!("valid {} to {}; this machine serves the one on the disk", leaf.from, leaf.until))
                .cause("a CDN, a load balancer or a second server answers there")
                .fix("renew it there too, or list in `verify` only what this machine serves")
                .data("reason", "other-server")
        }
        Err(unseen) => {
            let summary = format!("{} cannot be seen from here at {}", look.name, look.address);
            Finding::warn("tls.served", subject, summary)
                .observed(unseen.why.clone())
                .cause("this machine serves the certificate that is on the disk; networks often do not lead their own public address back inside")
                .fix("look from outside: `mainstay check` on another machine")
                .data("reason", "hairpin")
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::report::{Status, assert_one_voice};

    fn leaf(byte: u8, from: &str) -> Leaf {
        let from: Timestamp = from.parse().unwrap();
        Leaf { sha256: [byte; 32], from, until: from + jiff::SignedDuration::from_hours(90 * 24) }
    }

    fn old() -> Leaf {
        leaf(1, "2026-01-01T00:00:00Z")
    }

    fn new() -> Leaf {
        leaf(2, "2026-03-01T00:00:00Z")
    }

    fn look(address: &str, aim: Aim, leaf: Result<Leaf, Unseen>) -> Look {
        Look { name: "a.test:443".into(), address: address.into(), aim, leaf }
    }

    fn unseen(is_ours: bool) -> Result<Leaf, Unseen> {
        Err(Unseen { why: "refused".into(), is_ours })
    }

    fn judged(looks: &[Look]) -> Vec<(Status, String)> {
        let file = OnDisk { path: "/le/live/a/fullchain.pem".into(), leaf: Ok(new()) };
        let findings = judge("prime", &file, looks, "reload nginx");
        findings.iter().for_each(assert_one_voice);
        let reason = |finding: &Finding| finding.data["reason"].as_str().unwrap_or_default().to_owned();
        findings.iter().map(|finding| (finding.status, reason(finding))).collect()
    }

    fn told(status: Status, reason: &str) -> (Status, String) {
        (status, reason.to_owned())
    }

    #[test]
    fn renew_case_02_an_older_certificate_that_is_served_needs_a_reload_although_nothing_is_due() {
        let looks = [look("192.0.2.1:443", Aim::Public, Ok(old())), look("127.0.0.1:443", Aim::Local, Ok(old()))];
        assert_eq!(need(&new(), &[], &looks), Need::Reload);
        assert_eq!(judged(&looks), [told(Status::Fail, "not-reloaded")]);
        let fine = [look("192.0.2.1:443", Aim::Public, Ok(new()))];
        assert_eq!(need(&new(), &[], &fine), Need::Nothing);
        assert_eq!(judged(&fine), [told(Status::Pass, "same")]);
    }

    #[test]
    fn after_a_rollback_the_newer_certificate_that_is_served_needs_a_reload_too() {
        let looks = [look("192.0.2.1:443", Aim::Public, Ok(new()))];
        assert_eq!(need(&old(), &[new().sha256], &looks), Need::Reload);
        assert_eq!(need(&old(), &[], &looks), Need::Look);
    }

    #[test]
    fn renew_case_43_another_certificate_at_a_public_address_is_anothers_where_this_machine_serves_the_right_one() {
        let cdn = leaf(9, "2026-02-01T00:00:00Z");
        let looks = [look("192.0.2.1:443", Aim::Public, Ok(cdn.clone())), look("127.0.0.1:443", Aim::Local, Ok(new()))];
        assert_eq!(judged(&looks), [told(Status::Pass, "same"), told(Status::Warn, "other-server")]);
        // Older than the file or a former one of the lineage, it is no reason to reload what is right here.
        assert_eq!(need(&new(), &[], &looks), Need::Nothing);
        assert_eq!(need(&new(), &[cdn.sha256], &looks), Need::Nothing);
        // What another name serves here is.
        let other_name = Look { name: "b.test:443".into(), ..look("192.0.2.1:443", Aim::Public, Ok(old())) };
        assert_eq!(need(&new(), &[], &[looks[0].clone(), looks[1].clone(), other_name]), Need::Reload);
        // A default server of this machine is its own mistake.
        let looks = [look("192.0.2.1:443", Aim::Public, Ok(cdn.clone())), look("127.0.0.1:443", Aim::Local, Ok(cdn))];
        assert_eq!(judged(&looks)[0].0, Status::Fail);
    }

    #[test]
    fn what_cannot_be_seen_from_here_is_a_warning_where_this_machine_serves_it_and_unknown_elsewhere() {
        let here = look("127.0.0.1:443", Aim::Local, Ok(new()));
        let looks = [look("192.0.2.1:443", Aim::Public, unseen(false)), here.clone()];
        assert_eq!(judged(&looks), [told(Status::Pass, "same"), told(Status::Warn, "hairpin")]);
        let looks = [look("the DNS", Aim::Public, unseen(true)), here];
        assert_eq!(judged(&looks), [told(Status::Pass, "same"), told(Status::Warn, "hairpin")]);
        let looks =
            [look("192.0.2.1:443", Aim::Public, unseen(false)), look("127.0.0.1:443", Aim::Local, unseen(false))];
        assert_eq!(
            (need(&new(), &[], &looks), judged(&looks)[0].clone()),
            (Need::Look, told(Status::Unknown, "not-served"))
        );
        // The web server is on another machine.
        let looks = [look("192.0.2.1:443", Aim::Public, Ok(new())), look("127.0.0.1:443", Aim::Local, unseen(false))];
        assert_eq!(judged(&looks), [told(Status::Pass, "same")]);
        // Only this machine can be seen, and it serves an older one.
        let looks = [look("the DNS", Aim::Public, unseen(true)), look("127.0.0.1:443", Aim::Local, Ok(old()))];
        assert!(judged(&looks).contains(&told(Status::Fail, "not-reloaded")));
    }
}
