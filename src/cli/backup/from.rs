//! `--from` and `--signer`: where archives come from when the configuration does not say it.

use std::path::{Path, PathBuf};

use crate::{
    cli::args::From,
    error::{Error, Kind, Result},
    rules::archive_id::{ArchiveId, Part},
    system::{Context, file, signature, store::Place},
};

/// What `--from` names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Origin {
    /// The file of one archive: the folder that it is in, and its name.
    File(PathBuf, String),
    /// A place with archives.
    Place(Place),
}

impl Origin {
    /// The place that is looked into.
    pub fn place(&self) -> Place {
        match self {
            Self::File(folder, _) => Place::Folder(folder.clone()),
            Self::Place(place) => place.clone(),
        }
    }

    /// The place and the name of an archive that was made by hand: a file without a sidecar beside it.
    pub fn by_hand(self) -> Option<(Place, String)> {
        let sidecar = self.archive().map(|id| format!("{id}.json"));
        match self {
            Self::File(folder, name) if !sidecar.is_some_and(|sidecar| folder.join(sidecar).exists()) => {
                Some((Place::Folder(folder), name))
            }
            Self::File(..) | Self::Place(_) => None,
        }
    }

    /// The id of the archive whose file is named; `None` for a place, and for a file that was named by hand.
    pub fn archive(&self) -> Option<ArchiveId> {
        match self {
            Self::File(_, name) => match ArchiveId::of_file(name) {
                Some((id, Part::Archive)) => Some(id),
                _ => None,
            },
            Self::Place(_) => None,
        }
    }
}

/// What `--from` names; `None` where it is not given.
pub(super) fn origin(from: &From, context: &Context) -> Option<Origin> {
    from.source.as_ref().map(|text| read(text, &context.folder))
}

/// The public keys that `--signer` names: lines as they are, files by their last line.
///
/// # Errors
///
/// A file cannot be read.
pub(super) fn signers(from: &From, context: &Context) -> Result<Vec<String>> {
    let signer = |text: &String| {
        if text.starts_with("RW") && !context.folder.join(text).exists() {
            return Ok(text.clone());
        }
        let path = context.folder.join(text);
        let content = file::read_text(&path, signature::LARGEST).map_err(|cause| {
            Error::new(Kind::Usage, format!("read the public key `{}`", path.display()))
                .because(file::why(&cause))
                .hint("give a line that begins with `RW`, or a file that `minisign` or mainstay wrote (`signing.pub`)")
        })?;
        Ok(content.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned())
    };
    from.signers.iter().map(signer).collect()
}

fn read(text: &str, folder: &Path) -> Origin {
    if let Some(rest) = text.strip_prefix("s3://") {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        return Origin::Place(Place::S3 { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() });
    }
    if let Some(remote) = text.strip_prefix("rclone:") {
        return Origin::Place(Place::Rclone(remote.to_owned()));
    }
    let path = folder.join(text);
    match (path.is_file(), path.parent(), path.file_name()) {
        (true, Some(folder), Some(name)) => Origin::File(folder.to_owned(), name.to_string_lossy().into_owned()),
        _ => Origin::Place(Place::Folder(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_by_its_scheme_and_a_file_by_being_one() {
        let place = tempfile::tempdir().unwrap();
        let id = "prime-app-20261123T181500Z-000042";
        let file = place.path().join(format!("{id}.tar.gz.age"));
        crate::system::state::write(&file, b"x", crate::system::state::Mode::Ordinary).unwrap();
        let origin = read(file.to_str().unwrap(), Path::new("/"));
        assert_eq!(origin.place(), Place::Folder(place.path().to_owned()));
        assert_eq!(origin.archive().unwrap().to_string(), id);

        let at = |text| read(text, Path::new("/srv")).place().to_string();
        assert_eq!(at("s3://bucket/a/b/"), "s3://bucket/a/b");
        assert_eq!(at("rclone:gdrive:backups"), "rclone:gdrive:backups");
        assert_eq!(at("backups"), "/srv/backups");
    }
}
