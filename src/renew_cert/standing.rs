//! How a certificate stands, as findings: whether it is due, and whether its files are as certbot leaves them.

use serde_json::json;

use super::{Certificate, DUE, LINEAGE, Survey};
use crate::{
    report::{Finding, Status},
    rules::renewal::{Decision, Reason},
};

/// Whether the certificate is due, as a finding; `None` where nothing can be decided.
pub(super) fn due(certificate: &Certificate, survey: &Survey) -> Option<Finding> {
    let decision = survey.decision.as_ref()?;
    let (status, summary) = match decision.reason {
        Reason::Clock => (Status::Unknown, format!("cannot be decided: {decision}")),
        Reason::Expired => (Status::Fail, decision.to_string()),
        Reason::Floor | Reason::Suggested | Reason::Share => (Status::Warn, format!("due: {decision}")),
        Reason::NotSuggested | Reason::Early => (Status::Pass, format!("not due: {decision}")),
    };
    let finding = Finding::new(DUE, &certificate.name, status, summary)
        .data("reason", decision.reason.word())
        .data("lineage", survey.lineage.clone())
        .data("due", decision.at.to_string())
        .data("not_after", decision.until.to_string())
        .data("days_left", decision.left.as_hours().div_euclid(24));
    let finding = match survey.current().and_then(|version| version.validity) {
        Some(validity) => {
            finding.data("lifetime_days", (validity.until.duration_since(validity.from).as_secs() + 1) / 86_400)
        }
        None => finding,
    };
    let finding = match survey.record.ari.as_ref().and_then(|memory| memory.drawn.as_ref()) {
        Some(drawn) => {
            finding.data("ari", json!({"start": drawn.window.start, "end": drawn.window.end, "drawn": drawn.moment}))
        }
        None => finding,
    };
    let finding = match &survey.record.failures {
        Some(failures) => finding.data("failures", failures.count).data("last_failure", failures.detail.clone()),
        None => finding,
    };
    let finding = match &decision.note {
        Some(note) => finding.cause(note.clone()),
        None => finding,
    };
    Some(match decision.reason {
        Reason::Clock => finding.fix("set the clock of this machine (timedatectl set-ntp true)"),
        Reason::NotSuggested | Reason::Early => finding,
        _ => finding.fix(format!("run `mainstay renew-cert {}`", certificate.name)),
    })
}

/// What is wrong with the files of the lineage.
pub(super) fn coherence(certificate: &Certificate, survey: &Survey) -> Vec<Finding> {
    let Some(stored) = &survey.stored else { return Vec::new() };
    let faults = stored.lineage.faults();
    let gone_back = survey.record.rolled_back.is_some()
        && survey.record.rolled_back == survey.current().map(|version| version.number);
    let told = faults.iter().filter(|fault| !(fault.is_harmless() && gone_back));
    let name = &certificate.name;
    told.map(|fault| {
        if fault.is_doubt() {
            let summary = format!("whether the files of `{}` are whole cannot be told", survey.lineage);
            return Finding::unknown(LINEAGE, name, summary)
                .cause(fault.to_string())
                .fix(fault.by_hand())
                .data("reason", fault.reason());
        }
        let status = if fault.is_harmless() { Status::Warn } else { Status::Fail };
        let fix = match fault.is_mendable() {
            true => format!("run `mainstay renew-cert {name} --repair`: it links to the newest version that is whole"),
            false => fault.by_hand().to_owned(),
        };
        Finding::new(LINEAGE, name, status, format!("the files of `{}` are not as certbot leaves them", survey.lineage))
            .observed(fault.to_string())
            .expected("four links in live/ to one version of archive/")
            .fix(fix)
            .data("reason", fault.reason())
    })
    .collect()
}

/// Lineages beside this one that certbot has numbered.
pub(super) fn twins(certificate: &Certificate, survey: &Survey) -> Vec<Finding> {
    let served =
        |leaf: &[u8; 32]| survey.looks.iter().any(|look| look.leaf.as_ref().is_ok_and(|seen| seen.sha256 == *leaf));
    let finding = |(twin, leaf): &(String, Option<[u8; 32]>)| {
        let is_served = leaf.as_ref().is_some_and(served);
        let (what, fix) = if is_served {
            (
                format!("the server reads `{twin}`, not `{}`", survey.lineage),
                format!("point the server at live/{}/, then `certbot delete --cert-name {twin}`", survey.lineage),
            )
        } else {
            (
                format!("`{twin}` stands beside `{}`: it is renewed by nobody here", survey.lineage),
                format!(
                    "see which of the two the server reads; remove the other (`certbot delete --cert-name {twin}`)"
                ),
            )
        };
        Finding::warn(LINEAGE, &certificate.name, what).fix(fix).data("reason", "twin")
    };
    survey.twins.iter().map(finding).collect()
}

/// Configured names that the certificate is not for: a renewal keeps the names that it has.
pub(super) fn names(certificate: &Certificate, survey: &Survey) -> Option<Finding> {
    let version = survey.current()?;
    let missing: Vec<&str> =
        certificate.names.iter().map(String::as_str).filter(|name| !has(&version.names, name)).collect();
    if missing.is_empty() {
        return None;
    }
    let all: Vec<&str> = certificate.names.iter().flat_map(|name| ["-d", name]).collect();
    let summary = format!("the certificate is not for {}, and a renewal keeps its names", missing.join(", "));
    let finding = Finding::warn(LINEAGE, &certificate.name, summary)
        .observed(version.names.join(", "))
        .expected(certificate.names.join(", "))
        .fix(format!(
            "correct `names`, or ask for all of them once: `certbot certonly --cert-name {} {}`",
            survey.lineage,
            all.join(" ")
        ));
    Some(finding.data("reason", "names"))
}

/// Whether a certificate of these names covers this one; a star covers one label.
fn has(names: &[String], name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let parent = name.split_once('.').map(|(_, parent)| format!("*.{parent}"));
    names.iter().any(|own| *own == name || parent.as_ref() == Some(own))
}

/// The same with what failed before: a certificate that is due and cannot be renewed is on its way to its end.
pub(super) fn with_failures(finding: Finding, survey: &Survey) -> Finding {
    let is_due = survey.decision.as_ref().is_some_and(Decision::is_due);
    match &survey.record.failures {
        Some(failures) if is_due => {
            let summary = format!("{}; its renewal failed {} times", finding.summary, failures.count);
            let finding = Finding { status: Status::Fail, summary, ..finding };
            finding.cause(failures.detail.clone()).data("reason", failures.reason.clone())
        }
        _ => finding,
    }
}

/// Everything that the decision rests on, a line each.
pub(super) fn explain(certificate: &Certificate, survey: &Survey) -> Vec<String> {
    let name = &certificate.name;
    let mut lines = Vec::new();
    if let Some(version) = survey.current() {
        let directory = certificate.directory.display();
        lines.push(format!("{name}: the lineage is `{}` in `{directory}`, version {}", survey.lineage, version.number));
        if let Some(validity) = version.validity {
            let lifetime = validity.until.duration_since(validity.from);
            // Both ends are part of the validity, so 90 days are written as one second less.
            let days = (lifetime.as_secs() + 1) / 86_400;
            lines.push(format!("{name}: valid {} to {}, {days} days", validity.from, validity.until));
            let share = if days < 10 { "half" } else { "a third" };
            lines.push(format!("{name}: by its lifetime it is due when {share} of that is left"));
        }
    }
    lines.push(match survey.record.ari.as_ref().map(|memory| (memory, &memory.drawn)) {
        Some((memory, Some(drawn))) => format!(
            "{name}: the authority suggests {} to {} (ARI), of which {} was drawn; asked again at {}",
            drawn.window.start, drawn.window.end, drawn.moment, memory.again
        ),
        _ => format!("{name}: the authority suggests nothing (ARI)"),
    });
    if let Some(failures) = &survey.record.failures {
        lines.push(format!(
            "{name}: {} renewals failed in a row, last on {}: {}",
            failures.count, failures.at, failures.detail
        ));
    }
    if let Some(last) = &survey.record.last {
        lines.push(format!("{name}: renewed here last on {}, {}", last.at, last.method));
    }
    for look in &survey.looks {
        let seen = match &look.leaf {
            Ok(leaf) => format!("serves a certificate valid until {}", leaf.until),
            Err(unseen) => unseen.why.clone(),
        };
        lines.push(format!("{name}: {} at {}: {seen}", look.name, look.address));
    }
    lines
}
