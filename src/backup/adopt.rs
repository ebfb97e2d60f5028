//! `mainstay backup verify --adopt`: gives a whole archive the sidecar that it lacks.
//!
//! A run that was killed between the archive and its sidecar leaves an archive that nothing counts. Read to its end and
//! found good, it can be signed for afterwards.

use std::sync::Arc;

use super::{
    Holding, Settings, Verify,
    proof::{self, Opener},
};
use crate::{
    error::{Error, Kind, Result},
    report::{Finding, Report},
    rules::{
        archive_id::{ArchiveId, Part},
        manifest::hex,
        sidecar::{self, Proof, Sidecar, StoredFile, Verified},
    },
    system::{Context, archive::Limits, signature::Signer, store::Trouble},
};

/// Signs for an archive without a sidecar, wherever it is, once it was read to its end.
///
/// # Errors
///
/// There is no such archive, or the host's key cannot be used. An archive that is not good is a finding.
pub async fn adopt(
    settings: &Settings,
    holdings: &[Holding],
    request: &Verify,
    report: &mut Report,
    context: &Context,
) -> Result<()> {
    let (Some(wanted), Some(keys)) = (&request.archive, &request.keys) else {
        return Err(Error::new(Kind::Usage, "adopt an archive")
            .because("it must be named, and opened")
            .hint("add --archive ID and --identity FILE"));
    };
    let signer = Signer::open(&settings.state)?;
    let mut found = false;
    for holding in holdings {
        let (name, address) = (&holding.set.name, holding.shelf.address());
        let failed = |trouble: &Trouble| {
            Finding::fail(ID, name, format!("nothing was adopted at {address}: {trouble}"))
                .fix(&trouble.fix)
                .data("destination", address)
                .data("reason", trouble.reason.word())
        };
        let catalog = match holding.catalog(context).await {
            Ok(catalog) => catalog,
            Err(trouble) => {
                report.findings.push(failed(&trouble));
                continue;
            }
        };
        let orphan = catalog.incomplete.iter().find_map(|incomplete| {
            let object = incomplete
                .objects
                .iter()
                .find(|object| matches!(ArchiveId::of_file(&object.name), Some((_, Part::Archive))))?;
            incomplete.id.to_string().ends_with(wanted.as_str()).then_some((&incomplete.id, object))
        });
        let Some((id, object)) = orphan else { continue };
        found = true;
        // Nobody vouches for its size yet: what it unpacks to is read and let go.
        let limits = Limits::of_stranger(1 << 44);
        let opener = Opener { keys: keys.clone(), sealed_for: Vec::new(), limits };
        let proof = match proof::read(&*holding.shelf, &object.name, Some(opener), context).await {
            Ok(proof) => proof,
            Err(unproved) => {
                let summary = format!("{id} at {address} is not good: {}", unproved.why());
                let finding = Finding::fail(ID, name, summary).fix(unproved.fix());
                report.findings.push(finding.data("reason", unproved.reason()).data("destination", address));
                continue;
            }
        };
        let Some(opened) = proof.opened.filter(|opened| opened.manifest) else {
            let summary = format!("{id} at {address} has no manifest, so nothing says that all of it is there");
            let fix = "restore it with --allow-unsigned if you know where it comes from";
            report.findings.push(Finding::fail(ID, name, summary).fix(fix).data("reason", "manifest"));
            continue;
        };
        let sidecar = Sidecar {
            schema: sidecar::SCHEMA,
            id: id.to_string(),
            project: settings.project.clone(),
            name: name.clone(),
            host: settings.host.clone(),
            tool: concat!("mainstay ", env!("CARGO_PKG_VERSION"), " (adopted)").to_owned(),
            created: id.created(),
            sequence: id.sequence(),
            previous: None,
            file: StoredFile { name: object.name.clone(), bytes: proof.bytes, sha256: hex(&proof.sha256) },
            contents: opened.contents,
            sealed_for: keys.fingerprints().to_vec(),
            verified: Verified { at: context.clock.now(), how: Proof::Decrypted },
            suspect: None,
        };
        let text = sidecar.to_bytes();
        let signature = signer.sign(&text, &sidecar.id)?;
        let destination = holding.open(context)?;
        let objects = vec![
            (format!("{id}.json"), Arc::from(text)),
            (format!("{id}.json.minisig"), Arc::from(signature.into_bytes())),
        ];
        report.findings.push(match destination.put_in_order(objects).await {
            Ok(()) => Finding::pass(ID, name, format!("{id} at {address} was read to its end, and is signed for now"))
                .data("destination", address)
                .data("archive", id.to_string()),
            Err(trouble) => failed(&trouble),
        });
    }
    if !found {
        return Err(Error::new(Kind::Usage, format!("adopt `{wanted}`"))
            .because("there is no archive without a sidecar whose id ends so")
            .hint("`mainstay backup list` shows what is not counted, and why"));
    }
    Ok(())
}

/// What the findings of this job are called.
const ID: &str = "backup.verify";
