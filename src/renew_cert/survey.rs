//! What there is: the lineage on the disk, what is served, what the authority suggests, what failed before.

use std::{path::Path, time::Duration};

use url::Url;

use super::{Certificate, Record, look::look};
use crate::{
    error::Result,
    rules::{
        renewal::{Decision, Look, Version, ari, decide, twins},
        served::{Leaf, OnDisk},
    },
    system::{
        Context,
        acme::{self, LETS_ENCRYPT},
        certbot::{self, Stored},
        state::State,
    },
};

/// A certificate as it is now.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The name of its lineage.
    pub lineage: String,
    /// The lineage; `None` where it does not exist yet.
    pub stored: Option<Stored>,
    /// What earlier runs remember, with what the authority said just now.
    pub record: Record,
    /// Whether it is due; `None` without a lineage that can be read.
    pub decision: Option<Decision>,
    /// What is served.
    pub looks: Vec<Look>,
    /// Lineages beside it that certbot numbered, with their leaves.
    pub twins: Vec<(String, Option<[u8; 32]>)>,
    /// Why the authority's suggestion is not known, where it was asked.
    pub no_suggestion: Option<String>,
}

/// Whether the authority is asked for its suggestion.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ask {
    /// Where what is remembered has to be asked for again.
    WhenStale,
    /// Never: what is remembered counts.
    Never,
}

/// An authority that does not answer must not hold up a run.
const SUGGESTION: Duration = Duration::from_secs(5);

impl Survey {
    /// Looks at everything. Nothing is changed; the record is not saved.
    ///
    /// # Errors
    ///
    /// certbot's folder or the record cannot be read.
    pub async fn of(certificate: &Certificate, state: &State, ask: Ask, context: &Context) -> Result<Self> {
        let now = context.clock.now();
        let mut record = Record::load(state, &certificate.name)?;
        let lineage = lineage(certificate)?;
        let stored = certbot::read(&certificate.directory, &lineage)?;
        let looking = look(certificate, context);
        let asking = async {
            match (ask, &stored) {
                (Ask::WhenStale, Some(stored)) => suggest(certificate, stored, &mut record, context).await,
                _ => None,
            }
        };
        let (looks, no_suggestion) = tokio::join!(looking, asking);
        let current = stored.as_ref().and_then(|stored| stored.lineage.current());
        let decision = current.and_then(|version| {
            let identifier = ari::identifier(&version.der);
            let memory = record.ari.as_ref().zip(identifier.as_deref());
            let drawn = memory.and_then(|(memory, identifier)| memory.fresh(identifier, now));
            Some(decide(version.validity?, drawn, now))
        });
        let names = certbot::names(&certificate.directory).unwrap_or_default();
        let leaf = |twin: &str| {
            let stored = certbot::read(&certificate.directory, twin).ok()??;
            stored.lineage.current()?.leaf
        };
        let twins =
            twins(&lineage, names.iter().map(String::as_str)).into_iter().map(|twin| (twin.to_owned(), leaf(twin)));
        let twins = twins.collect();
        Ok(Self { lineage, stored, record, decision, looks, twins, no_suggestion })
    }

    /// The version that stands in `live/`.
    pub fn current(&self) -> Option<&Version> {
        self.stored.as_ref()?.lineage.current()
    }

    /// The leaf of the file that servers read.
    pub fn leaf(&self) -> Option<Leaf> {
        leaf(self.current()?)
    }

    /// Leaves of the other versions in the archive.
    pub fn former(&self) -> Vec<[u8; 32]> {
        let current = self.current().map(|version| version.number);
        let versions = self.stored.iter().flat_map(|stored| &stored.lineage.versions);
        versions.filter(|version| Some(version.number) != current).filter_map(|version| version.leaf).collect()
    }

    /// The file that servers read, for a comparison.
    pub fn file(&self, directory: &Path) -> OnDisk {
        let path = directory.join("live").join(&self.lineage).join("fullchain.pem").display().to_string();
        OnDisk { path, leaf: self.leaf().ok_or_else(|| "there is no version that can be read".to_owned()) }
    }
}

/// The leaf of a version.
pub(super) fn leaf(version: &Version) -> Option<Leaf> {
    let validity = version.validity?;
    Some(Leaf { sha256: version.leaf?, from: validity.from, until: validity.until })
}

/// Which lineage is meant: the one of the section's name, else of the first host name, else one for exactly these names; a
/// new one is called by the first host name, as certbot itself would call it.
fn lineage(certificate: &Certificate) -> Result<String> {
    let known = certbot::names(&certificate.directory).unwrap_or_default();
    let first = certificate.names.first().cloned().unwrap_or_else(|| certificate.name.clone());
    if let Some(name) = [&certificate.name, &first].into_iter().find(|name| known.contains(name)) {
        return Ok(name.clone());
    }
    let mut wanted: Vec<String> = certificate.names.iter().map(|name| name.to_ascii_lowercase()).collect();
    wanted.sort();
    for name in known {
        let Some(stored) = certbot::read(&certificate.directory, &name)? else { continue };
        let mut names = stored.lineage.current().map(|version| version.names.clone()).unwrap_or_default();
        names.sort();
        if names == wanted {
            return Ok(name);
        }
    }
    Ok(first)
}

/// Asks the authority where what is remembered is stale; why it has no answer, where it has none.
async fn suggest(certificate: &Certificate, stored: &Stored, record: &mut Record, context: &Context) -> Option<String> {
    let now = context.clock.now();
    let identifier = ari::identifier(&stored.lineage.current()?.der)?;
    if record.ari.as_ref().is_some_and(|memory| !memory.is_stale(&identifier, now)) {
        return None;
    }
    let written =
        stored.conf.as_ref().ok().and_then(|conf| conf.server()).or(certificate.server.as_ref().map(Url::as_str));
    let directory = Url::parse(written.unwrap_or(LETS_ENCRYPT)).ok()?;
    let answer = acme::suggestion(context, &directory, &identifier, SUGGESTION).await;
    let (window, again, why) = match answer {
        Ok(answer) => (Some(answer.window), ari::again(answer.retry_after.as_deref(), now), None),
        Err(why) => (None, ari::again(None, now), Some(why)),
    };
    // Any number will do: it only spreads the world's renewals over the window.
    let random = u64::from_le_bytes(*uuid::Uuid::new_v4().as_bytes().first_chunk().unwrap_or(&[0; 8]));
    record.ari = Some(ari::Memory::after(record.ari.as_ref(), &identifier, window, again, now, random));
    why
}
