//! What goes into an archive, as the archive's writer wants it.

use std::path::Path;

use crate::{
    backup::{Set, Settings},
    error::{Error, Kind, Result},
    rules::manifest::{FOLDER, Mtime},
    system::{
        Context,
        archive::{self, Extra, Recipe, Survey},
        store::Place,
    },
};

/// The recipe of a backup, without what commands will print. Its survey tells whether anything has changed since
/// [`Last::metadata`](crate::backup::Last::metadata) was noted.
///
/// # Errors
///
/// The configuration file cannot be read.
pub fn recipe(settings: &Settings, set: &Set) -> Result<Recipe> {
    let folders = set.to.iter().filter_map(|place| match place {
        Place::Folder(path) => Some(path.clone()),
        Place::Rclone(_) | Place::S3 { .. } => None,
    });
    let mut recipe = Recipe {
        root: set.root.clone(),
        include: set.include.clone(),
        include_is_default: set.include_is_default,
        exclude: set.exclude.clone(),
        optional: set.optional.clone(),
        one_file_system: set.one_file_system,
        never: folders.chain([settings.state.folder().to_owned()]).collect(),
        compression: set.compression,
        ..Recipe::default()
    };
    if let Some(path) = &settings.config {
        recipe.extra.push(configuration(path, &set.root)?);
    }
    Ok(recipe)
}

/// A look at the sources.
///
/// # Errors
///
/// There is nothing to archive, or not what the configuration says.
pub(super) async fn survey(settings: &Settings, set: &Set, context: &Context) -> Result<Survey> {
    let recipe = recipe(settings, set)?;
    let cancel = context.cancel.clone();
    let survey = tokio::task::spawn_blocking(move || archive::survey(&recipe, &cancel, |_| {})).await;
    survey.map_err(|panic| Error::new(Kind::Failed, "look at the sources").because(panic))?
}

/// The configuration belongs to every backup: a new machine has nothing else to start from. It keeps its place where it lies
/// below the root, and has one of ours where it does not.
fn configuration(path: &Path, root: &Path) -> Result<Extra> {
    use std::os::unix::{ffi::OsStrExt, fs::MetadataExt};
    let error = |cause: std::io::Error| {
        Error::new(Kind::Failed, format!("read the configuration `{}` for the backup", path.display())).because(cause)
    };
    let file = std::fs::File::open(path).map_err(error)?;
    let found = file.metadata().map_err(error)?;
    let inside = path.strip_prefix(root).ok().map(|path| path.as_os_str().as_bytes().to_vec());
    Ok(Extra {
        path: inside.unwrap_or_else(|| format!("{FOLDER}/mainstay.toml").into_bytes()),
        mode: found.mode() & 0o777,
        mtime: Mtime { seconds: found.mtime(), nanos: u32::try_from(found.mtime_nsec()).unwrap_or_default() },
        file,
    })
}
