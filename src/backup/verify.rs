//! `mainstay backup verify`: reads archives to their end.
//!
//! Without a key the hash of what is stored is compared with the signed sidecar; with one every byte is opened and every file
//! compared with the manifest.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Archive, Good, Holding, Learnt, Origin,
    holding::Lesson,
    interrupted,
    proof::{self, Opener, Proof, Unproved},
};
use crate::{
    error::Result,
    report::{Finding, Report},
    rules::{manifest::hex, units::tell_size},
    system::{
        Context,
        archive::{Keys, Limits},
        store::Shelf,
    },
};

/// What `backup verify` was asked to do.
#[derive(Default)]
pub struct Verify {
    /// Only this archive: its id, the beginning of its date, or `latest`.
    pub archive: Option<String>,
    /// Every archive, not only the newest of each place.
    pub all: bool,
    /// What opens the archives; without it only their hashes are compared.
    pub keys: Option<Arc<Keys>>,
}

/// Verifies the archives of these backups, says of each what came of it, and returns what is to be remembered.
///
/// # Errors
///
/// A signal came.
pub async fn verify(
    holdings: &[Holding],
    request: &Verify,
    report: &mut Report,
    context: &Context,
) -> Result<Vec<Learnt>> {
    let mut learnt = Vec::new();
    for holding in holdings {
        let place = Place { name: &holding.set.name, address: holding.shelf.address() };
        let archives = match look(holding, place, request, context).await {
            Ok(archives) => archives,
            Err(finding) => {
                report.findings.push(*finding);
                continue;
            }
        };
        let total = archives.iter().map(|archive| archive.object.bytes).sum();
        context.progress.begin(&format!("verifying {}", place.address), Some(total));
        for archive in &archives {
            if context.cancel.is_raised() {
                break;
            }
            let proof = read(&*holding.shelf, archive, request, context).await;
            learnt.extend(lesson(place, archive, &proof, context.clock.now()));
            report.findings.push(judge(place, archive, proof));
        }
        context.progress.end();
    }
    interrupted(context)?;
    Ok(learnt)
}

/// One backup at one destination, for messages.
#[derive(Clone, Copy)]
struct Place<'a> {
    name: &'a str,
    address: &'a str,
}

/// The archives that were asked for; where there is none to look at, the finding that says so.
async fn look(
    holding: &Holding,
    place: Place<'_>,
    request: &Verify,
    context: &Context,
) -> Result<Vec<Archive>, Box<Finding>> {
    let Place { name, address } = place;
    let catalog = holding.catalog(context).await.map_err(|trouble| {
        Finding::fail(ID, name, format!("could not look at {address}: {trouble}"))
            .fix(trouble.fix)
            .data("destination", address)
            .data("reason", trouble.reason.word())
    })?;
    let none = |summary: String| {
        Box::new(
            Finding::fail(ID, name, summary)
                .fix("`mainstay backup list` shows what is there")
                .data("destination", address)
                .data("reason", "missing"),
        )
    };
    let archives = match &request.archive {
        Some(wanted) => vec![catalog.find(wanted).map_err(|error| none(format!("{address}: {error}")))?.clone()],
        None if request.all => catalog.archives,
        None => catalog.archives.into_iter().next_back().into_iter().collect(),
    };
    if archives.is_empty() { Err(none(format!("there is no archive at {address}"))) } else { Ok(archives) }
}

async fn read(shelf: &dyn Shelf, archive: &Archive, request: &Verify, context: &Context) -> Result<Proof, Unproved> {
    let sidecar = &archive.sidecar;
    let opener = request.keys.as_ref().map(|keys| Opener {
        keys: Arc::clone(keys),
        sealed_for: sidecar.sealed_for.clone(),
        limits: Limits::of(&sidecar.contents),
    });
    proof::read(shelf, &archive.object.name, opener, context).await
}

/// What the proof of an archive says about it.
fn judge(place: Place<'_>, archive: &Archive, proof: Result<Proof, Unproved>) -> Finding {
    let (id, Place { name, address }) = (&archive.id, place);
    let finding = match proof {
        Err(unproved) if unproved.condemns() => {
            Finding::fail(ID, name, format!("{id} at {address} is not good: {}", unproved.why()))
                .fix(unproved.fix())
                .data("reason", unproved.reason())
        }
        // The archive may be good: only this run could not tell.
        Err(unproved) => {
            let summary = format!("{id} at {address} could not be read: {}", unproved.why());
            let wrong_key = matches!(unproved.reason(), "wrong-key" | "wrong-passphrase");
            let finding = match wrong_key {
                true => Finding::fail(ID, name, summary),
                false => Finding::unknown(ID, name, summary),
            };
            finding.fix(unproved.fix()).data("reason", unproved.reason())
        }
        Ok(proof) => match disagreement(archive, &proof) {
            Some(why) => Finding::fail(ID, name, format!("{id} at {address} is not good: {why}"))
                .fix("restore from another archive or destination, and look at who can write here")
                .data("reason", "altered"),
            None => good(place, archive, &proof),
        },
    };
    finding.data("destination", address).data("archive", id.to_string())
}

/// A good archive; one that cannot be known to be ours is worth a warning.
fn good(place: Place<'_>, archive: &Archive, proof: &Proof) -> Finding {
    let (id, Place { name, address }) = (&archive.id, place);
    let size = tell_size(proof.bytes);
    let what = match &proof.opened {
        Some(opened) => {
            format!("{id} at {address} is good: {} files, {size}, opened and compared", opened.contents.files)
        }
        None => format!("{id} at {address} is good: {size}, as it was signed for"),
    };
    let untrusted = |why: &str, fix: &str| {
        Finding::warn(ID, name, format!("{id} at {address} is whole, but {why}")).fix(fix).data("reason", "origin")
    };
    match &archive.origin {
        Origin::Signed(_) => match &archive.suspect {
            None => Finding::pass(ID, name, what),
            Some(why) => Finding::warn(ID, name, format!("{id} at {address} is whole, but suspect: {why}"))
                .fix("look at how it was made before you rely on it")
                .data("reason", "suspect"),
        },
        Origin::Stranger(key) => {
            let fix = "accept the key with --signer or `signers` if it is yours";
            untrusted(&format!("it is signed by the key {key}, which nobody here has accepted"), fix)
        }
        Origin::Unsigned => untrusted("nobody has signed for it", "compare it with another copy before you rely on it"),
        Origin::Forged(why) => Finding::fail(ID, name, format!("{id} at {address} has a wrong signature: {why}"))
            .fix("restore from another archive or destination, and look at who can write here")
            .data("reason", "forged"),
    }
}

/// How what was read differs from what the sidecar says.
fn disagreement(archive: &Archive, proof: &Proof) -> Option<String> {
    let file = &archive.sidecar.file;
    if proof.bytes != file.bytes {
        return Some(format!("it has {} bytes, and its sidecar says {}", proof.bytes, file.bytes));
    }
    if !hex(&proof.sha256).eq_ignore_ascii_case(&file.sha256) {
        return Some("its bytes are not those that were signed for".to_owned());
    }
    let opened = proof.opened.as_ref()?;
    let (found, said) = (&opened.contents, &archive.sidecar.contents);
    let same = found.files == said.files && found.bytes == said.bytes && found.manifest_sha256 == said.manifest_sha256;
    (!same).then(|| "what is in it is not what its sidecar says".to_owned())
}

/// What is to be remembered of it; nothing where nothing was learnt.
fn lesson(place: Place<'_>, archive: &Archive, proof: &Result<Proof, Unproved>, now: Timestamp) -> Option<Learnt> {
    let id = archive.id.to_string();
    let lesson = match proof {
        Ok(proof) if disagreement(archive, proof).is_none() => {
            Lesson::Good(Good { id, created: archive.sidecar.created, verified: now, content: String::new() })
        }
        Ok(_) => Lesson::Damaged(id),
        Err(unproved) if unproved.condemns() => Lesson::Damaged(id),
        Err(_) => return None,
    };
    Some(Learnt { name: place.name.to_owned(), destination: place.address.to_owned(), lesson })
}

/// What the findings of this job are called.
const ID: &str = "backup.verify";
