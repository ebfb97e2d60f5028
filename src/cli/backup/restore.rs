//! `mainstay backup restore`: which archive, where to, and whether the operator wants it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Job, from, keys};
use crate::{
    backup::{
        Archive, Holding, Origin, Settings,
        restore::{
            self, Changes, Listing, Overwrite, Planned, Privileges, Request, Restored, Revert, Sealed, Source, Target,
            Unsigned,
        },
    },
    cli::{args::BackupRestoreArgs, confirm::confirm},
    error::{Error, Kind, Result},
    report::{Finding, Report, Risk},
    system::{Context, state::State},
};

impl Job<'_> {
    pub(super) async fn restore(self, args: &BackupRestoreArgs, report: &mut Report) -> Result<()> {
        if args.undo || args.resume {
            return self.revert(args, report).await;
        }
        let by_hand = from::origin(&args.from, self.context).and_then(|origin| origin.by_hand());
        let names: Vec<String> = args.name.iter().cloned().collect();
        let (holdings, settings) = match &by_hand {
            Some((place, name)) => (vec![Holding::unknown(name, place, self.context)?], None),
            None => self.holdings(&names, &args.from).await?,
        };
        let (holding, source) = match by_hand {
            Some((_, name)) => (&holdings[0], self.stranger(args, &holdings[0], name).await?),
            None => self.source(args, &holdings).await?,
        };
        let target = match (&args.to, args.in_place) {
            (Some(folder), _) => Target::To(self.context.folder.join(folder)),
            (None, _) => Target::InPlace(holding.set.root.clone()),
        };
        let state = match &settings {
            Some(settings) => settings.state.clone(),
            None => State::find(self.context, None)?,
        };
        let in_place = matches!(target, Target::InPlace(_));
        let verbose = self.cli.global.verbose > 0;
        let request = Request {
            name: holding.set.name.clone(),
            source,
            target,
            include: args.include.clone(),
            overwrite: if args.overwrite.is_some() { Overwrite::Newer } else { Overwrite::Older },
            unsigned: if args.allow_unsigned { Unsigned::Accept } else { Unsigned::Refuse },
            privileges: if args.privileged { Privileges::Keep } else { Privileges::Drop },
            listing: if verbose || args.dry_run { Listing::Paths } else { Listing::Counts },
            // A command is run only where the operator has said yes to what the plan shows.
            after: holding.set.after_restore.clone().filter(|_| in_place && (self.cli.global.yes || args.dry_run)),
            state,
        };
        let ready = match restore::plan(request, self.context).await? {
            Planned::Ready(ready) => ready,
            Planned::Refused(findings, compared) => {
                report.findings.extend(findings);
                if let Some(refused) = compared.as_deref() {
                    if args.dry_run {
                        report.add_plan(&refused.plan);
                    }
                    show(Some(&refused.changes), verbose, report)?;
                }
                return Ok(());
            }
        };
        report.add_plan(&ready.plan);
        show(ready.changes.as_ref(), verbose, report)?;
        if args.dry_run {
            report.findings.extend(ready.findings.iter().cloned());
            return Ok(());
        }
        let replaces = ready.plan.steps.iter().any(|step| step.risk > Risk::Safe);
        if replaces {
            // Asked with the plan before one's eyes.
            self.context.progress.say(&in_words(&ready.plan));
        }
        if replaces && !confirm("go on?", self.cli.global.yes, self.console)? {
            report.findings.push(Finding::skip(
                "backup.restore",
                &holding.set.name,
                "nothing was restored: not confirmed",
            ));
            return Ok(());
        }
        add(restore::apply(*ready, self.context).await?, report);
        Ok(())
    }

    /// Which archive is restored, and how it is read.
    async fn source<'h>(self, args: &BackupRestoreArgs, holdings: &'h [Holding]) -> Result<(&'h Holding, Source)> {
        let origin = from::origin(&args.from, self.context);
        let named = origin.as_ref().and_then(from::Origin::archive).map(|id| id.to_string());
        let wanted = args.archive.clone().or(named);
        let (holding, archive) = choose(holdings, wanted.as_deref(), self.context).await?;
        let keys = if archive.sidecar.sealed_for == ["passphrase"] || !args.identities.is_empty() {
            keys::needed(&args.identities, holdings, self).await?
        } else {
            keys::given(&args.identities, holdings, self).await?.ok_or_else(|| {
                Error::new(Kind::Usage, format!("open {}", archive.id))
                    .because(format!("it is sealed for {}", archive.sidecar.sealed_for.join(", ")))
                    .hint("name the file with the private key: --identity key.txt")
            })?
        };
        let privileges = if args.privileged { Privileges::Keep } else { Privileges::Drop };
        let source = Source {
            shelf: Arc::clone(&holding.shelf),
            object: archive.object.name.clone(),
            id: archive.id.to_string(),
            origin: archive.origin.clone(),
            unpack: Arc::new(Sealed::new(keys, Some(&archive.sidecar), privileges)),
            sidecar: Some(archive.sidecar),
        };
        Ok((holding, source))
    }

    /// An archive that was made with `tar` and `age`: nobody has signed for it, and nothing is known of it.
    async fn stranger(self, args: &BackupRestoreArgs, holding: &Holding, name: String) -> Result<Source> {
        let keys = keys::needed(&args.identities, std::slice::from_ref(holding), self).await?;
        let privileges = if args.privileged { Privileges::Keep } else { Privileges::Drop };
        Ok(Source {
            shelf: Arc::clone(&holding.shelf),
            object: name.clone(),
            id: name,
            origin: Origin::Unsigned,
            sidecar: None,
            unpack: Arc::new(Sealed::new(keys, None, privileges)),
        })
    }

    async fn revert(self, args: &BackupRestoreArgs, report: &mut Report) -> Result<()> {
        let name = args.name.clone().ok_or_else(|| {
            Error::new(Kind::Usage, "take a restore back").because("the backup is not named").hint("add its NAME")
        })?;
        let settings: Settings = self.settings(std::slice::from_ref(&name))?;
        let revert = Revert {
            name,
            target: args.to.as_ref().map(|folder| self.context.folder.join(folder)),
            overwrite: if args.overwrite.is_some() { Overwrite::Newer } else { Overwrite::Older },
            state: settings.state,
        };
        let done = match args.undo {
            true => restore::undo(revert, self.context).await?,
            false => restore::resume(revert, self.context).await?,
        };
        add(done, report);
        Ok(())
    }
}

/// The archive that was asked for, or the newest good one of all places; the first place wins where several have it.
async fn choose<'h>(
    holdings: &'h [Holding],
    wanted: Option<&str>,
    context: &Context,
) -> Result<(&'h Holding, Archive)> {
    let mut best: Option<(&Holding, Archive)> = None;
    let mut why = Vec::new();
    for holding in holdings {
        let address = holding.shelf.address();
        let catalog = match holding.catalog(context).await {
            Ok(catalog) => catalog,
            Err(trouble) => {
                why.push(format!("{address}: {trouble}"));
                continue;
            }
        };
        let found = match wanted {
            Some(wanted) => catalog.find(wanted).map_err(|error| error.why.join(": ")),
            // Where nobody is accepted yet, the newest one is shown, and refused with what to do about it.
            None => (catalog.newest_good().or(catalog.archives.last())).ok_or_else(|| "there is no archive".to_owned()),
        };
        match found {
            Ok(archive) => {
                let newer = best.as_ref().is_none_or(|(_, known)| rank(archive) > rank(known));
                if newer {
                    best = Some((holding, archive.clone()));
                }
            }
            Err(none) => why.push(format!("{address}: {none}")),
        }
    }
    best.ok_or_else(|| {
        let error = Error::new(Kind::Failed, "find an archive to restore");
        why.into_iter().fold(error, Error::because).hint("`mainstay backup list` shows what is there")
    })
}

/// What makes one archive the better one to restore.
fn rank(archive: &Archive) -> (bool, bool, jiff::Timestamp, u64) {
    let signed = matches!(archive.origin, Origin::Signed(_));
    (signed, archive.is_good(), archive.sidecar.created, archive.sidecar.sequence)
}

/// Every path of a plan, where somebody wants to see them.
fn show(changes: Option<&Changes>, verbose: bool, report: &mut Report) -> Result<()> {
    let Some(changes) = changes.filter(|_| verbose) else { return Ok(()) };
    let (mut text, mut list) = (String::new(), Vec::new());
    changes
        .each(|difference, entry| {
            let path = String::from_utf8_lossy(&entry.path).into_owned();
            text.push_str(&format!("{:<16} {path}\n", difference.word()));
            list.push(json!({ "change": difference.word(), "path": path }));
            Ok(())
        })
        .map_err(|error| Error::new(Kind::Failed, "read the plan again").because(error))?;
    report.text = Some(text);
    report.result = Some(json!({ "changes": list }));
    Ok(())
}

/// A plan for somebody who is about to be asked.
fn in_words<A: serde::Serialize>(plan: &crate::report::Plan<A>) -> String {
    let mut words = plan.title.clone();
    for step in &plan.steps {
        let action = serde_json::to_value(&step.action).unwrap_or_default();
        words.push_str(&format!("; {} {}: {}", action.as_str().unwrap_or_default(), step.target, step.reason));
    }
    words
}

/// What was done, in the report.
fn add(done: Restored, report: &mut Report) {
    report.outcomes.extend(done.outcomes);
    report.findings.extend(done.findings);
    if let Some(summary) = done.summary {
        let summary = serde_json::to_value(&summary).unwrap_or_default();
        match &mut report.result {
            Some(Value::Object(known)) => drop(known.insert("restored".into(), summary)),
            empty => *empty = Some(json!({ "restored": summary })),
        }
    }
}
