//! What certbot may have left in disorder: its renewal file, the links of the lineage, the key's mode.

use super::{Certificate, LINEAGE, RENEW, apply::Work};
use crate::{
    error::Result,
    report::{Finding, Report},
    rules::renewal::{Change, Conf, changes, put_back},
    system::{
        certbot::{self, Modes, Stored},
        state::{self, Mode},
    },
};

/// Puts back what our options for one run have written into the renewal file, unless they are meant to stay, and tells all
/// else that changed.
pub(super) fn put_in_order(before: &Stored, after: &Stored, work: Work<'_>, report: &mut Report) -> Result<()> {
    let name = &work.certificate.name;
    let (Ok(old), Ok(_)) = (&before.conf, &after.conf) else { return Ok(()) };
    let mut text = after.text.clone();
    if !work.request.remember
        && let Ok(back) = put_back(&before.text, &after.text)
    {
        // Where nothing else has changed, to the byte.
        let same = Conf::parse(&back)
            .is_ok_and(|back| changes(old, &back).is_empty() && back.value("version") == old.value("version"));
        text = if same { before.text.clone() } else { back };
        if text != after.text {
            state::write(&before.path, text.as_bytes(), Mode::Ordinary)?;
        }
    }
    let left: Vec<Change> = Conf::parse(&text).map(|now| changes(old, &now)).unwrap_or_default();
    if !left.is_empty() {
        let shown: Vec<String> = left.iter().map(ToString::to_string).collect();
        let finding = match work.request.remember {
            true => Finding::pass(RENEW, name, "the renewal file keeps how it was renewed this time"),
            false => Finding::warn(RENEW, name, "certbot changed its renewal file").fix("see whether that is wanted"),
        };
        report.findings.push(finding.observed(shown.join("; ")).data("reason", "renewal-file-changed"));
    }
    Ok(())
}

/// Lets the links lead to the new version, where certbot was ended between them.
pub(super) fn relink(
    stored: &mut Option<Stored>,
    lineage: &str,
    certificate: &Certificate,
    report: &mut Report,
) -> Result<()> {
    let Some(found) = stored else { return Ok(()) };
    let Some(newest) = found.lineage.newest().map(|version| version.number) else { return Ok(()) };
    if found.lineage.linked().is_some_and(|linked| linked.number == newest)
        || found.lineage.faults().iter().any(|fault| !fault.is_mendable())
    {
        return Ok(());
    }
    certbot::relink(&certificate.directory, lineage, newest)?;
    report.findings.push(
        Finding::warn(
            LINEAGE,
            &certificate.name,
            format!("the links were left between two versions, and lead to version {newest} now"),
        )
        .fix("nothing; see why certbot was ended")
        .data("reason", "relinked"),
    );
    *stored = certbot::read(&certificate.directory, lineage)?;
    Ok(())
}

/// A key that more people can read than before.
pub(super) fn opened(certificate: &Certificate, before: Option<Modes>, after: Option<Modes>) -> Option<Finding> {
    let (before, after) = (before?, after?);
    let wider = after.mode & !before.mode & 0o077 != 0;
    let name = &certificate.name;
    if after.mode & 0o004 != 0 {
        let summary = format!("everybody on this machine can read the private key (mode {:04o})", after.mode);
        return Some(
            Finding::warn(LINEAGE, name, summary)
                .fix("chmod 640 the key, and give it the group of the server")
                .data("reason", "key-mode"),
        );
    }
    if wider || after.group != before.group || after.owner != before.owner {
        let summary = format!(
            "the private key belongs to {}:{} with mode {:04o} now, and to {}:{} with {:04o} before",
            after.owner, after.group, after.mode, before.owner, before.group, before.mode
        );
        let finding = Finding::warn(LINEAGE, name, summary);
        return Some(
            finding.fix("see that the server can still read it: `ls -lL` in live/").data("reason", "key-mode"),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renew_case_54_a_key_that_more_can_read_than_before_is_told() {
        let certificate = crate::renew_cert::tests::certificate(std::path::Path::new("/le"));
        let told = |before: u32, after: u32, group: u32| {
            let modes = |mode, group| Some(Modes { owner: 0, group, mode });
            opened(&certificate, modes(before, 0), modes(after, group)).map(|finding| finding.summary)
        };
        assert_eq!(told(0o600, 0o600, 0), None);
        assert!(told(0o600, 0o644, 0).unwrap().starts_with("everybody on this machine"));
        assert!(told(0o600, 0o640, 0).unwrap().contains("mode 0640 now"));
        assert!(told(0o640, 0o640, 33).unwrap().contains("0:33"));
    }
}
