//! `--repair` and `--rollback`: the links of a lineage, and the server that reads them.

use super::{Ask, Certificate, LINEAGE, Settings, Survey, aftermath, lock};
use crate::{
    error::{Error, Kind, Result},
    report::{Finding, Outcome, Plan, Report, Risk, State, Step},
    system::{Context, certbot},
};

/// Which.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mend {
    /// Back to the version before the one that is linked to.
    Back,
    /// To the newest version that is whole.
    Newest,
}

/// Relinks the lineage of a certificate, lets the server load it, and compares.
///
/// # Errors
///
/// There is nothing to link to, or the links cannot be made.
pub async fn mend(
    settings: &Settings,
    certificate: &Certificate,
    which: Mend,
    dry_run: bool,
    report: &mut Report,
    context: &Context,
) -> Result<()> {
    let _lock = match dry_run {
        true => None,
        false => match lock(settings, certificate, report, context).await? {
            Some(lock) => Some(lock),
            None => return Ok(()),
        },
    };
    let mut survey = Survey::of(certificate, &settings.state, Ask::Never, context).await?;
    let (lineage, name) = (survey.lineage.clone(), &certificate.name);
    let failed = |why: String, hint: &str| {
        let what = match which {
            Mend::Back => "go back to the former certificate",
            Mend::Newest => "repair the links",
        };
        Error::new(Kind::Failed, format!("{what} of `{lineage}`")).because(why).hint(hint)
    };
    let Some(stored) = &survey.stored else {
        return Err(failed(
            format!("there is no lineage in `{}`", certificate.directory.display()),
            "correct `directory`, or request it: `mainstay renew-cert`",
        ));
    };
    let current = stored.lineage.current().map(|version| version.number);
    let faults = stored.lineage.faults();
    // Neither the newest version that is whole nor the one before is known then.
    if let Some(doubt) = faults.iter().find(|fault| fault.is_doubt()) {
        return Err(failed(doubt.to_string(), doubt.by_hand()));
    }
    let number = match which {
        Mend::Back => {
            let current =
                current.ok_or_else(|| failed("its links are broken".to_owned(), "run it with --repair first"))?;
            let before = stored.lineage.before(current).ok_or_else(|| {
                failed(
                    format!("the archive holds no whole version before {current}"),
                    "bring certbot's folder back from a backup",
                )
            })?;
            before.number
        }
        Mend::Newest => {
            if let Some(fault) = faults.iter().find(|fault| !fault.is_mendable()) {
                return Err(failed(
                    fault.to_string(),
                    "bring certbot's folder back from a backup, or compare the files by hand",
                ));
            }
            let newest = stored.lineage.newest();
            newest
                .ok_or_else(|| failed("the archive holds no whole version".to_owned(), "bring it back from a backup"))?
                .number
        }
    };
    let is_so = stored.lineage.linked().is_some_and(|linked| linked.number == number);
    let reason = match faults.first() {
        Some(fault) => fault.to_string(),
        None => "on request".to_owned(),
    };
    let mut plan = Plan::new(format!("link `{lineage}` to version {number}"));
    if !is_so {
        plan.steps.push(Step {
            action: "relink",
            target: certificate.directory.join("live").join(&lineage).display().to_string(),
            reason: reason.clone(),
            risk: Risk::Safe,
            requires: Vec::new(),
            owed: false,
        });
    }
    report.add_plan(&plan);
    if dry_run {
        return Ok(());
    }
    if !is_so {
        certbot::relink(&certificate.directory, &lineage, number)?;
    }
    report.outcomes.push(Outcome {
        action: "relink".to_owned(),
        target: lineage.clone(),
        state: if is_so { State::Unchanged } else { State::Done },
        detail: match current {
            Some(current) if current != number => format!("from version {current} to version {number}"),
            _ => format!("to version {number}"),
        },
        fix: None,
    });
    survey.record.rolled_back = (which == Mend::Back).then_some(number);
    survey.record.save(&settings.state, name)?;
    survey.stored = certbot::read(&certificate.directory, &lineage)?;
    report.findings.push(
        Finding::pass(LINEAGE, name, format!("the links of `{lineage}` lead to version {number}"))
            .observed(reason)
            .data("version", number),
    );
    aftermath::load(&mut survey, certificate, false, report, context).await
}
