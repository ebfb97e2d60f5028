//! The archives of one backup at one place, with everything that reading them takes: of a configured backup, or of a place
//! that somebody names (`--from`) on a machine that has no configuration.

use std::{path::PathBuf, sync::Arc};

use super::{Catalog, Drill, Good, Padlock, Record, Set, Settings, Stock, create, place::options};
use crate::{
    error::{Error, Kind, Result},
    report::Report,
    system::{
        Context,
        archive::Compression,
        signature::PublicKey,
        store::{self, Destination, Mounted, Options, Place, S3Options, Shelf, Trouble},
    },
};

/// A backup at a place.
pub struct Holding {
    /// The project that the archives are of.
    pub project: String,
    /// The backup; what only a configuration says is empty where there is none.
    pub set: Set,
    /// What this host remembers of it.
    pub record: Record,
    /// Whose archives are accepted.
    pub accepted: Vec<PublicKey>,
    /// The looking half of the place.
    pub shelf: Arc<dyn Shelf>,
    place: Place,
    options: Options,
}

impl Holding {
    /// Every configured backup at each of its destinations.
    ///
    /// # Errors
    ///
    /// A key or a record cannot be read, or this build leaves a sort of destination out.
    pub fn configured(settings: &Settings, context: &Context) -> Result<Vec<Self>> {
        let mut holdings = Vec::new();
        for set in &settings.sets {
            let accepted = accepted(&set.signers, Some(settings))?;
            let record = Record::load(&settings.state, &settings.project, &set.name)?;
            for place in &set.to {
                let options = options(place, set, settings, &record);
                let shelf = store::look(place, &options, context)?;
                holdings.push(Self {
                    project: settings.project.clone(),
                    set: set.clone(),
                    record: record.clone(),
                    accepted: accepted.clone(),
                    shelf: Arc::from(shelf),
                    place: place.clone(),
                    options,
                });
            }
        }
        Ok(holdings)
    }

    /// Every backup that has archives at a place.
    ///
    /// # Errors
    ///
    /// The place cannot be listed, or holds no archive.
    pub async fn at(place: &Place, signers: &[String], context: &Context) -> Result<Vec<Self>> {
        let error = |why: &str, fix: &str| {
            Error::new(Kind::Failed, format!("read archives from `{place}`")).because(why).hint(fix)
        };
        let accepted = accepted(signers, None)?;
        // Whether the medium is the right one can only be judged by who has used it before.
        let options = Options { mounted: Mounted::Never, ..Options::default() };
        let shelf: Arc<dyn Shelf> = Arc::from(store::look(place, &options, context)?);
        let catalogs = Catalog::read_all(&*shelf, &accepted, context.clock.now()).await;
        let mut holdings = Vec::new();
        for catalog in catalogs.map_err(|trouble| error(&trouble.why, &trouble.fix))?.into_values() {
            let Some(sidecar) = catalog.archives.into_iter().next().map(|archive| archive.sidecar) else { continue };
            holdings.push(Self {
                project: sidecar.project,
                set: unconfigured(sidecar.name, place),
                record: Record::default(),
                accepted: accepted.clone(),
                shelf: Arc::clone(&shelf),
                place: place.clone(),
                options: options.clone(),
            });
        }
        if holdings.is_empty() {
            let fix = "name the folder or prefix that the archives are in, or the file of one archive";
            return Err(error("there is no archive with a sidecar", fix));
        }
        Ok(holdings)
    }

    /// A place with an archive of which nothing is known: one that was made by hand.
    ///
    /// # Errors
    ///
    /// This build leaves that sort of place out.
    pub fn unknown(name: &str, place: &Place, context: &Context) -> Result<Self> {
        let options = Options { mounted: Mounted::Never, ..Options::default() };
        Ok(Self {
            project: String::new(),
            set: unconfigured(name.to_owned(), place),
            record: Record::default(),
            accepted: Vec::new(),
            shelf: Arc::from(store::look(place, &options, context)?),
            place: place.clone(),
            options,
        })
    }

    /// The acting half of the place.
    ///
    /// # Errors
    ///
    /// This build leaves that sort of destination out.
    pub fn open(&self, context: &Context) -> Result<Box<dyn Destination>> {
        store::open(&self.place, &self.options, context)
    }

    /// The archives there, once the place has proved to be the right one.
    ///
    /// # Errors
    ///
    /// It is not there, is another one, or cannot be listed: never an empty catalogue.
    pub async fn catalog(&self, context: &Context) -> Result<Catalog, Trouble> {
        self.stock().catalog(&*self.shelf, context.clock.now()).await
    }

    /// What most jobs work on, with the looking half of the place.
    pub fn stock(&self) -> Stock<'_, dyn Shelf + '_> {
        self.stock_of(&*self.shelf)
    }

    /// The same with either half of the place.
    pub fn stock_of<'a, S: ?Sized>(&'a self, shelf: &'a S) -> Stock<'a, S> {
        Stock { project: &self.project, set: &self.set, shelf, accepted: &self.accepted, record: &self.record }
    }
}

/// Something that a run has learnt about an archive, to be remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct Learnt {
    /// The name of the backup.
    pub name: String,
    /// The destination.
    pub destination: String,
    /// What was learnt.
    pub lesson: Lesson,
}

/// What can be learnt about an archive.
#[derive(Clone, Debug, PartialEq)]
pub enum Lesson {
    /// It is damaged: its id.
    Damaged(String),
    /// It is good.
    Good(Good),
    /// How a rehearsed restore went.
    Rehearsed(Drill),
}

/// Writes down what was learnt. A run of the same backup that is at work just now has the lock: then the report says that
/// nothing was remembered.
///
/// # Errors
///
/// A record cannot be read or written.
pub async fn remember(settings: &Settings, lessons: Vec<Learnt>, report: &mut Report, context: &Context) -> Result<()> {
    for set in &settings.sets {
        let mut own = lessons.iter().filter(|learnt| learnt.name == set.name).peekable();
        if own.peek().is_none() {
            continue;
        }
        let Some(_lock) = create::lock(settings, set, report, context).await? else { continue };
        let mut record = Record::load(&settings.state, &settings.project, &set.name)?;
        own.for_each(|learnt| record.learn(learnt));
        record.save(&settings.state, &settings.project, &set.name)?;
    }
    Ok(())
}

impl Record {
    fn learn(&mut self, learnt: &Learnt) {
        match &learnt.lesson {
            Lesson::Rehearsed(drill) => self.drill = Some(drill.clone()),
            Lesson::Good(good) => {
                let seen = self.at(&learnt.destination);
                seen.damaged.retain(|id| *id != good.id);
                let known = seen.good.take();
                seen.good = Some(match known {
                    Some(known) if known.created > good.created => known,
                    // What was in it is known since it was made.
                    Some(known) if known.id == good.id => Good { content: known.content, ..good.clone() },
                    _ => good.clone(),
                });
            }
            Lesson::Damaged(id) => {
                let seen = self.at(&learnt.destination);
                if !seen.damaged.contains(id) {
                    seen.damaged.push(id.clone());
                }
                seen.good.take_if(|good| good.id == *id);
            }
        }
    }
}

/// This host's public key, where it has one, and those that the operator accepts.
pub(super) fn accepted(signers: &[String], settings: Option<&Settings>) -> Result<Vec<PublicKey>> {
    let mut keys = Vec::new();
    if let Some(settings) = settings {
        keys.extend(PublicKey::of_host(&settings.state)?);
    }
    for signer in signers {
        keys.push(signer.parse().map_err(|why: String| {
            Error::new(Kind::Usage, format!("accept the key `{signer}`"))
                .because(why)
                .hint("give the line that begins with `RW`, from the recovery sheet or from `signing.pub`")
        })?);
    }
    Ok(keys)
}

/// A backup of which nothing is known but its archives.
fn unconfigured(name: String, place: &Place) -> Set {
    Set {
        name,
        root: PathBuf::from("/"),
        include: Vec::new(),
        include_is_default: true,
        exclude: Vec::new(),
        optional: Vec::new(),
        lock: Padlock::Recipients { keys: Vec::new(), file: None },
        to: vec![place.clone()],
        required: Vec::new(),
        compression: Compression::default(),
        mounted: Mounted::Never,
        signers: Vec::new(),
        timezone: "UTC".to_owned(),
        min_good: 1,
        one_file_system: true,
        after_restore: None,
        keep: crate::rules::retention::Keep::default(),
        max_age: std::time::Duration::MAX,
        max_drill_age: std::time::Duration::MAX,
        dumps: Vec::new(),
        s3: S3Options::default(),
    }
}
