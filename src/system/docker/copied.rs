//! Reads the tar stream of `docker cp CONTAINER:PATH -`.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Component, Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp};

/// One file copied out of a container.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Copied {
    /// Its content.
    pub content: Vec<u8>,
    /// When it was changed last, up to a second early and never late: docker cuts the time to the second.
    pub modified: Timestamp,
}

/// What a copied folder held.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tree {
    /// Regular files by their absolute path in the container.
    pub files: BTreeMap<PathBuf, Copied>,
    /// Symbolic links by their absolute path, with the absolute path that they lead to.
    pub links: BTreeMap<PathBuf, PathBuf>,
}

/// The tar stream of an engine.
pub(super) struct Stream {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// How late its times may be.
    pub late: SignedDuration,
}

/// The one regular file of a stream.
pub(super) fn file(stream: &Stream) -> Result<Copied, String> {
    let mut archive = tar::Archive::new(&stream.bytes[..]);
    for entry in archive.entries().map_err(|error| error.to_string())? {
        let mut entry = entry.map_err(|error| error.to_string())?;
        if entry.header().entry_type().is_dir() {
            return Err("it is a folder".to_owned());
        }
        if let Some(copied) = regular(&mut entry, stream.late)? {
            return Ok(copied);
        }
    }
    Err("it is not a regular file".to_owned())
}

/// All that is in a stream, whose first entry is `folder` itself or stands in it.
pub(super) fn tree(stream: &Stream, folder: &Path) -> Result<Tree, String> {
    let mut tree = Tree::default();
    let mut archive = tar::Archive::new(&stream.bytes[..]);
    for entry in archive.entries().map_err(|error| error.to_string())? {
        let mut entry = entry.map_err(|error| error.to_string())?;
        // The names start with the last part of the path that was asked for.
        let name = entry.path().map_err(|error| error.to_string())?.into_owned();
        let inside: PathBuf = name.components().skip(1).collect();
        let path = if inside.as_os_str().is_empty() { folder.to_owned() } else { folder.join(inside) };
        if let Some(target) = entry.link_name().ok().flatten().filter(|_| entry.header().entry_type().is_symlink()) {
            let base = path.parent().unwrap_or(Path::new("/"));
            tree.links.insert(path.clone(), plain(&base.join(target)));
        } else if let Some(copied) = regular(&mut entry, stream.late)? {
            tree.files.insert(path, copied);
        }
    }
    Ok(tree)
}

fn regular(entry: &mut tar::Entry<'_, &[u8]>, late: SignedDuration) -> Result<Option<Copied>, String> {
    if !entry.header().entry_type().is_file() {
        return Ok(None);
    }
    let modified = entry.header().mtime().ok().and_then(|seconds| i64::try_from(seconds).ok());
    let modified = modified.and_then(|seconds| Timestamp::from_second(seconds).ok()?.checked_sub(late).ok());
    let modified = modified.unwrap_or(Timestamp::UNIX_EPOCH);
    let mut content = Vec::new();
    entry.read_to_end(&mut content).map_err(|error| error.to_string())?;
    Ok(Some(Copied { content, modified }))
}

/// Takes `.` and `..` out of a path by its text.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Stream {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        builder.append_data(&mut header, "nginx/", std::io::empty()).unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_size(5);
        header.set_mtime(1_700_000_000);
        builder.append_data(&mut header, "nginx/sites-available/a", &b"hello"[..]).unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, "nginx/sites-enabled/a", "../sites-available/a").unwrap();
        Stream { bytes: builder.into_inner().unwrap(), late: SignedDuration::ZERO }
    }

    #[test]
    fn a_folder_is_read_with_its_links() {
        let tree = tree(&stream(), Path::new("/etc/nginx")).unwrap();
        let file = &tree.files[Path::new("/etc/nginx/sites-available/a")];
        assert_eq!((file.content.as_slice(), file.modified.as_second()), (&b"hello"[..], 1_700_000_000));
        assert_eq!(tree.links[Path::new("/etc/nginx/sites-enabled/a")], Path::new("/etc/nginx/sites-available/a"));
    }

    #[test]
    fn a_folder_is_not_taken_for_a_file_and_a_cut_stream_is_refused() {
        let mut stream = stream();
        assert!(file(&stream).is_err());
        stream.bytes.truncate(stream.bytes.len() / 3);
        assert!(tree(&stream, Path::new("/x")).is_err());
        stream.bytes.clear();
        assert!(file(&stream).is_err());
    }
}
