//! The destinations of a backup, opened: one that cannot be reached stops no other.

use futures_util::future::join_all;

use super::{Record, Set, Settings};
use crate::{
    error::Error,
    rules::archive_id::set_name,
    system::{
        Context,
        store::{self, Condition, Destination, Options, Place, Reason, Trouble},
    },
};

/// One entry of `to`.
pub(super) struct Opened {
    /// As the configuration has it.
    pub address: String,
    /// Whether a backup is only good when it is there too.
    pub required: bool,
    /// The destination itself, and what a look at it found; or why nothing may be written there.
    pub state: Result<(Box<dyn Destination>, Condition), Trouble>,
}

impl Opened {
    /// Opens every destination of a backup and looks at it; nothing is written.
    pub async fn all(set: &Set, settings: &Settings, record: &Record, context: &Context) -> Vec<Self> {
        join_all(set.to.iter().map(|place| open(place, set, settings, record, context))).await
    }

    /// The destination, where it can be used.
    pub fn destination(&self) -> Option<&dyn Destination> {
        self.state.as_ref().ok().map(|(destination, _)| destination.as_ref())
    }
}

/// How a destination of this backup is reached, with what is remembered of it.
pub(super) fn options(place: &Place, set: &Set, settings: &Settings, record: &Record) -> Options {
    let seen = record.destinations.get(&place.to_string());
    Options {
        mounted: set.mounted,
        identity: seen.and_then(|seen| seen.identity.clone()),
        set: set_name(&settings.project, &set.name),
        owner: format!("{}/{}/{}", settings.project, set.name, settings.host),
        s3: set.s3.clone(),
    }
}

async fn open(place: &Place, set: &Set, settings: &Settings, record: &Record, context: &Context) -> Opened {
    let state = async {
        let destination = store::open(place, &options(place, set, settings, record), context).map_err(unusable)?;
        let condition = destination.inspect().await?;
        match &condition.unwritable {
            Some(trouble) => Err(trouble.clone()),
            None => Ok((destination, condition)),
        }
    };
    Opened { address: place.to_string(), required: set.required.contains(place), state: state.await }
}

/// A sort of destination that this build leaves out.
pub(super) fn unusable(error: Error) -> Trouble {
    Trouble::new(Reason::Configuration, error.why.join(": "), error.hints.join("; "))
}
