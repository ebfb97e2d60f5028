//! The archive while it has no name yet: written once, into files of the destinations' own, or into a spool for those that
//! have none.

use std::{fs::File, io, path::Path, sync::Arc};

use tokio::task::JoinHandle;

use crate::{
    backup::{place::Opened, tee::Tee},
    error::{Error, Kind, Result},
    system::{
        Context,
        archive::{Keys, Recipe, RunKey, Seal, Survey, Written, write},
        store::{Body, Destination, Draft, Reason, Receipt, Trouble},
    },
};

/// An archive that was written and is kept nowhere yet. Dropped, it is gone.
pub(super) struct Manuscript {
    /// What is in it.
    pub written: Arc<Written>,
    /// What opens it again in this run; `None` where nothing at hand does.
    pub keys: Option<Arc<Keys>>,
    /// By place: its own file, where it has one.
    drafts: Vec<Option<Box<dyn Draft>>>,
    /// By place: its own file on its way to the disk, all of them at the same time.
    flushes: Vec<Option<JoinHandle<io::Result<()>>>>,
    /// The whole of it, for the places that have no file of their own.
    whole: Option<Arc<File>>,
}

impl Manuscript {
    /// Writes the archive. A place that breaks meanwhile gets its trouble and stops no other.
    ///
    /// # Errors
    ///
    /// The sources cannot be read, no place is left to write to, or a signal came.
    pub async fn write(
        recipe: &Arc<(Recipe, Survey)>,
        seal: &Arc<Seal>,
        places: &mut [Opened],
        spool: &Path,
        context: &Context,
    ) -> Result<Self> {
        let mut drafts = drafts(places).await;
        loop {
            let remote = places.iter().zip(&drafts).any(|(place, draft)| place.state.is_ok() && draft.is_none());
            let own: Vec<usize> = (0..drafts.len()).filter(|at| drafts[*at].is_some()).collect();
            if own.is_empty() && !remote {
                return Err(
                    Error::new(Kind::Failed, "store the archive anywhere").because("no destination can be used")
                );
            }
            let spooled = own.is_empty().then(|| tempfile::tempfile_in(spool)).transpose();
            let spooled = spooled.map_err(|error| unspooled(spool, &error))?;
            let mut files: Vec<File> = Vec::new();
            for file in drafts.iter().flatten().map(|draft| draft.file()).chain(&spooled) {
                files.push(file.try_clone().map_err(|error| unspooled(spool, &error))?);
            }
            let tee = if own.is_empty() { Tee::new(files) } else { Tee::flushing(files) };
            let (result, troubles) = pour(Arc::clone(recipe), Arc::clone(seal), tee, context).await?;
            for (at, trouble) in own.iter().zip(troubles) {
                if let Some(error) = trouble {
                    drafts[*at] = None;
                    places[*at].state = Err(Trouble::of_io(&error, Path::new(&places[*at].address)));
                }
            }
            let whole = drafts.iter().flatten().map(|draft| draft.file()).chain(&spooled).next();
            let whole = whole.map(File::try_clone).transpose().map_err(|error| unspooled(spool, &error))?;
            match result {
                Ok((written, key)) => {
                    let keys = key.map(Keys::of_run).map(Arc::new);
                    let flushes = flush(&drafts).map_err(|error| unspooled(spool, &error))?;
                    let (written, whole) = (Arc::new(written), whole.map(Arc::new));
                    return Ok(Self { written, keys, drafts, flushes, whole });
                }
                // Every file of the places broke, and others wait for the whole: once more, into the spool.
                Err(_) if !own.is_empty() && remote && drafts.iter().all(Option::is_none) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the archive its name at a place.
    ///
    /// # Errors
    ///
    /// It could not be kept there.
    pub async fn keep(&mut self, at: usize, destination: &dyn Destination, name: &str) -> Result<Receipt, Trouble> {
        if let Some(draft) = self.drafts[at].take() {
            let name = name.to_owned();
            if let Some(flush) = self.flushes[at].take() {
                let flushed = flush.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
                flushed.map_err(|error| Trouble::of_io(&error, Path::new(destination.address())))?;
            }
            let kept = tokio::task::spawn_blocking(move || draft.keep(&name)).await;
            return kept.map_err(|panic| Trouble::new(Reason::Other, panic.to_string(), "run the command again"))?;
        }
        let file = self.whole.clone().expect("written for the places that have no file of their own");
        let Written { bytes, sha256, .. } = *self.written;
        destination.put(name, Body::Spool { file, bytes, sha256 }).await
    }
}

/// A file of each place's own, where it has such files.
async fn drafts(places: &mut [Opened]) -> Vec<Option<Box<dyn Draft>>> {
    let mut drafts = Vec::new();
    for place in places {
        let draft = match place.destination() {
            Some(destination) => destination.draft().await,
            None => Ok(None),
        };
        drafts.push(draft.unwrap_or_else(|trouble| {
            place.state = Err(trouble);
            None
        }));
    }
    drafts
}

/// Begins to bring the files to the disk. The system tells each error of the disk once: whoever keeps a file asks here first.
fn flush(drafts: &[Option<Box<dyn Draft>>]) -> io::Result<Vec<Option<JoinHandle<io::Result<()>>>>> {
    let begin = |draft: &Option<Box<dyn Draft>>| {
        let file = draft.as_ref().map(|draft| draft.file().try_clone()).transpose()?;
        Ok(file.map(|file| tokio::task::spawn_blocking(move || file.sync_data())))
    };
    drafts.iter().map(begin).collect()
}

/// Writes the archive into its files, and says of each what went wrong with it.
async fn pour(
    recipe: Arc<(Recipe, Survey)>,
    seal: Arc<Seal>,
    mut tee: Tee,
    context: &Context,
) -> Result<(Result<(Written, Option<RunKey>)>, Vec<Option<io::Error>>)> {
    let (cancel, progress) = (context.cancel.clone(), Arc::clone(&context.progress));
    let work = tokio::task::spawn_blocking(move || {
        let (recipe, survey) = &*recipe;
        let tick = move |bytes| progress.advance(bytes);
        let result = write(recipe, survey, &seal, &mut tee, &tick, &cancel);
        (result, tee.into_troubles())
    });
    work.await.map_err(|panic| Error::new(Kind::Failed, "write the archive").because(panic))
}

fn unspooled(spool: &Path, error: &io::Error) -> Error {
    Error::new(Kind::Failed, format!("spool the archive in `{}`", spool.display()))
        .because(error)
        .hint("free some space there, or move the state folder with `state = \"DIR\"`")
}
