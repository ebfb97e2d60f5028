//! `host.updates`: security updates that wait, and a reboot that does.

use jiff::SignedDuration;

use crate::report::{Finding, Status};

/// The id of the public contract.
pub const ID: &str = "host.updates";

/// What the package manager of a machine says without being allowed to change anything.
#[derive(Clone, Debug, PartialEq)]
pub struct Packages {
    /// Whose packages: `Debian GNU/Linux 12 (bookworm)`.
    pub system: String,
    /// Packages with a security update that is not installed; or why that is not known.
    pub security: Result<Vec<String>, String>,
    /// How old the lists are that this was read from; `None` where there are none, or nobody can tell.
    pub age: Option<SignedDuration>,
    /// Why the machine should be started anew; empty where it need not.
    pub reboot: Vec<String>,
    /// The command that brings the lists up to date.
    pub refresh: &'static str,
    /// The command that installs the updates.
    pub install: &'static str,
}

/// What a machine is that mainstay cannot ask.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stranger(pub String);

/// How bad what waits is, and how old the lists may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Policy {
    /// Security updates.
    pub updates: Status,
    /// A reboot.
    pub reboot: Status,
    /// Older lists say nothing.
    pub max_age: SignedDuration,
}

/// One finding for updates, and one more where a reboot waits.
pub fn judge(subject: &str, packages: &Result<Packages, Stranger>, policy: Policy) -> Vec<Finding> {
    let packages = match packages {
        Ok(packages) => packages,
        Err(Stranger(system)) => {
            let summary = format!("updates are known of Debian, Ubuntu and the RHEL family, and this is {system}");
            return vec![Finding::skip(ID, subject, summary)];
        }
    };
    let mut findings = vec![updates(subject, packages, policy)];
    if !packages.reboot.is_empty() {
        let finding = Finding::new(ID, subject, policy.reboot, "the machine waits for a reboot");
        findings.push(
            finding
                .observed(packages.reboot.join(", "))
                .fix("reboot it at a quiet hour: what is patched on the disk still runs unpatched")
                .data("reason", "reboot"),
        );
    }
    findings
}

fn updates(subject: &str, packages: &Packages, policy: Policy) -> Finding {
    let Packages { system, security, age, refresh, install, .. } = packages;
    let security = match security {
        Ok(security) => security,
        Err(why) => {
            return Finding::unknown(ID, subject, "which updates wait is not known")
                .cause(why.clone())
                .fix(format!("run `{refresh}` by hand and read what it says; some package managers only tell root"))
                .data("reason", "unseen");
        }
    };
    let stale = age.is_none_or(|age| age > policy.max_age);
    let told = age.map_or("there are no lists".to_owned(), |age| format!("the lists are {} old", length(age)));
    let finding = match (security.as_slice(), stale) {
        ([], true) => Finding::unknown(ID, subject, format!("which updates wait is not known: {told}"))
            .expected(format!("lists that are not older than {}", length(policy.max_age)))
            .fix(format!("run `{refresh}`, and let a timer do it"))
            .data("reason", "stale"),
        ([], false) => Finding::pass(ID, subject, format!("no security update waits ({told})")),
        (waiting, _) => {
            let count = waiting.len();
            let noun = if count == 1 { "security update waits" } else { "security updates wait" };
            Finding::new(ID, subject, policy.updates, format!("{count} {noun} ({told})"))
                .observed(some(waiting))
                .fix(format!("install them: `{install}`"))
                .data("reason", "security")
        }
    };
    let finding = finding.data("system", system.clone()).data("security", security.clone());
    finding.data("lists_age_seconds", age.map(|age| age.as_secs()))
}

/// The first of many.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn length(age: SignedDuration) -> String {
    match (age.as_hours(), age.as_mins()) {
        (hours, _) if hours >= 48 => format!("{} days", hours / 24),
        (hours, _) if hours >= 2 => format!("{hours} hours"),
        (_, minutes) => format!("{minutes} minutes"),
    }
}

/// The packages with a security update, out of what `apt-get -s dist-upgrade` prints (apt-get(8), `-s`):
/// `Inst libssl3 [3.0.15-1] (3.0.17-1 Debian-Security:12/stable-security [amd64])`. The origin of a package that several
/// places offer is all of them, joined by commas.
pub fn apt(text: &str) -> Vec<String> {
    let line = |line: &str| {
        let rest = line.strip_prefix("Inst ")?;
        let name = rest.split_whitespace().next()?;
        // A package that is new has no version before the parenthesis.
        let origin = rest.split_once('(')?.1;
        let origin = origin.split_once(')').map_or(origin, |(origin, _)| origin).to_ascii_lowercase();
        let is_security = origin.split([' ', ',']).any(|word| {
            word.starts_with("debian-security:") || word.starts_with("ubuntuesm") || word.ends_with("-security")
        });
        is_security.then(|| name.to_owned())
    };
    let mut names: Vec<String> = text.lines().filter_map(line).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The packages with a security update, out of what `dnf -q updateinfo list --security` prints:
/// `RHSA-2026:1234 Important/Sec. openssl-libs-1:3.0.7-27.el9.x86_64` (dnf 4), or a table with the columns name, type,
/// severity, package and date (dnf 5).
pub fn dnf(text: &str) -> Vec<String> {
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // An installed one is marked, and waits for nothing.
        if words.first().is_some_and(|first| *first == "i") {
            return None;
        }
        let at = words.iter().position(|word| word.ends_with("/Sec.") || word.eq_ignore_ascii_case("security"))?;
        let package = words.iter().skip(at + 1).find(|word| word.matches('-').count() >= 2 && word.contains('.'))?;
        name(package)
    };
    let mut names: Vec<String> = text.lines().filter_map(line).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The name in `openssl-libs-1:3.0.7-27.el9.x86_64`: what is before the version and the release.
fn name(package: &str) -> Option<String> {
    let mut parts = package.rsplitn(3, '-').skip(2);
    parts.next().map(str::to_owned).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::assert_one_voice;

    const POLICY: Policy =
        Policy { updates: Status::Warn, reboot: Status::Warn, max_age: SignedDuration::from_hours(72) };

    #[test]
    fn apt_tells_security_updates_from_others() {
        let text = "\
Reading package lists...
Inst libssl3 [3.0.15-1~deb12u1] (3.0.17-1~deb12u2 Debian-Security:12/stable-security [amd64])
Inst tzdata [2025a-0+deb12u1] (2025b-0+deb12u1 Debian:12.11/stable, Debian:12-updates/stable-updates [all])
Inst linux-image-6.1.0-40-amd64 (6.1.153-1 Debian-Security:12/stable-security [amd64])
Inst openssl [3.0.2-0ubuntu1.18] (3.0.2-0ubuntu1.20 Ubuntu:22.04/jammy-updates, Ubuntu:22.04/jammy-security [amd64])
Inst python3.8 [3.8.1] (3.8.2 UbuntuESM:20.04/focal-infra-security [amd64]) []
Inst vim [2:9.0] (2:9.1 third-party [amd64])
Conf libssl3 (3.0.17-1~deb12u2 Debian-Security:12/stable-security [amd64])
Remv old [1.0]
";
        assert_eq!(apt(text), ["libssl3", "linux-image-6.1.0-40-amd64", "openssl", "python3.8"]);
        assert!(apt("").is_empty() && apt("Inst").is_empty() && apt("Inst x (").is_empty());
    }

    #[test]
    fn dnf_of_both_kinds_is_read() {
        let four = "\
RHSA-2026:1234 Important/Sec. openssl-libs-1:3.0.7-27.el9.x86_64
RHSA-2026:1234 Important/Sec. openssl-1:3.0.7-27.el9.x86_64
FEDORA-2026-abc Moderate/Sec.  vim-minimal-2:9.1.1-1.fc41.x86_64
RHBA-2026:1    bugfix         tzdata-2026a-1.el9.noarch
i RHSA-2026:2  Low/Sec.       curl-7.76.1-29.el9.x86_64
";
        assert_eq!(dnf(four), ["openssl", "openssl-libs", "vim-minimal"]);
        let five = "\
Name             Type     Severity                Package                   Issued
FEDORA-2026-1    security Important openssl-libs-1:3.2.4-3.fc41.x86_64 2026-11-01 00:59:10
FEDORA-2026-2    bugfix   None      bash-5.2.32-1.fc41.x86_64          2026-11-01 00:59:10
";
        assert_eq!(dnf(five), ["openssl-libs"]);
    }

    proptest! {
        #[test]
        fn whatever_is_printed_is_read_without_a_panic(text in "(?s).{0,200}", lines in proptest::collection::vec("(Inst |RHSA-1 x/Sec\\. )?[ -~]{0,60}", 0..6)) {
            let joined = lines.join("\n");
            for text in [text.as_str(), joined.as_str()] {
                prop_assert!(apt(text).iter().all(|name| !name.is_empty()));
                prop_assert!(dnf(text).iter().all(|name| !name.is_empty()));
            }
        }
    }

    fn packages(security: &[&str], hours: Option<i64>) -> Packages {
        Packages {
            system: "Debian GNU/Linux 12 (bookworm)".into(),
            security: Ok(security.iter().map(|name| (*name).to_owned()).collect()),
            age: hours.map(SignedDuration::from_hours),
            reboot: Vec::new(),
            refresh: "apt-get update",
            install: "apt-get upgrade",
        }
    }

    #[test]
    fn old_lists_never_pass_and_what_they_know_is_told_all_the_same() {
        for (security, hours, status, reason) in [
            (&[][..], Some(1), Status::Pass, ""),
            (&[], Some(72), Status::Pass, ""),
            (&[], Some(73), Status::Unknown, "stale"),
            (&[], None, Status::Unknown, "stale"),
            (&["libssl3"], Some(1), Status::Warn, "security"),
            (&["libssl3"], Some(2000), Status::Warn, "security"),
        ] {
            let findings = judge("host", &Ok(packages(security, hours)), POLICY);
            findings.iter().for_each(assert_one_voice);
            let told = findings[0].data.get("reason").and_then(|reason| reason.as_str()).unwrap_or_default();
            assert_eq!((findings.len(), findings[0].status, told), (1, status, reason), "{findings:?}");
        }
        let many: Vec<String> = (0..20).map(|at| format!("p{at}")).collect();
        let many = Packages { security: Ok(many), ..packages(&[], Some(50)) };
        let findings = judge("host", &Ok(many), POLICY);
        assert_eq!(findings[0].summary, "20 security updates wait (the lists are 2 days old)");
        assert!(findings[0].observed.as_deref().unwrap().ends_with("p11 and 8 more"), "{findings:?}");
    }

    #[test]
    fn a_reboot_is_a_finding_of_its_own_and_a_stranger_is_left_alone() {
        let waits = Packages { reboot: vec!["linux-image-6.1.0-40-amd64".into()], ..packages(&[], Some(1)) };
        let findings = judge("host", &Ok(waits), Policy { reboot: Status::Fail, ..POLICY });
        findings.iter().for_each(assert_one_voice);
        assert_eq!((findings[0].status, findings[1].status), (Status::Pass, Status::Fail));
        let stranger = judge("host", &Err(Stranger("Alpine Linux v3.22".into())), POLICY);
        assert_eq!(stranger[0].status, Status::Skip);
        let refused = Packages { security: Err("permission denied".into()), ..packages(&[], Some(1)) };
        let findings = judge("host", &Ok(refused), POLICY);
        findings.iter().for_each(assert_one_voice);
        assert_eq!(findings[0].status, Status::Unknown);
    }
}
