//! Unpacks an archive into a stage, proving it good at the same time.

use std::{
    fs::File,
    io::{BufRead, Read, Seek, SeekFrom, Write},
};

use super::{
    Accounts, Damage, Flaw, Limits, Terms, Verified,
    entries::{Map, Piece, shown},
    reading::{self, Sink},
    stage::Stage,
    tree::{Dress, Tree},
};
use crate::{
    rules::manifest::{Entry, Kind},
    system::Cancel,
};

/// How an archive is unpacked.
pub struct Options<'a> {
    /// Which paths: those of folders too, or they get mode 0700. Whoever selects a hard link selects its target as well.
    pub select: &'a dyn Fn(&[u8]) -> bool,
    /// To whom the files go.
    pub owner: Owner,
    /// What becomes of setuid, setgid and sticky.
    pub bits: Bits,
}

/// To whom restored files go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Owner {
    /// To whom they belonged: by the name, and by the number where nobody has the name. Needs root.
    Former(Accounts),
    /// To whoever restores.
    Own,
}

/// What becomes of setuid, setgid and sticky. File capabilities and devices are never brought back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bits {
    /// They are brought back.
    Keep,
    /// They are taken off.
    Strip,
}

/// Something that now is in the stage, at its own path.
#[derive(Clone, Copy, Debug)]
pub struct Staged<'a> {
    /// As it is in the archive.
    pub entry: &'a Entry,
    /// The mode that it should have now.
    pub mode: u32,
    /// The user that it should belong to now.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// Unpacks what is selected into `stage`, and reads the archive to its very end as [`verify`](super::verify::verify) does.
///
/// Until it returns `Ok` nothing of what is in the stage can be believed, and nothing is flushed to the disk before
/// [`Stage::sync`]. Files are 0600 until they are whole. A file system that has no owners or modes is put up with: compare
/// what `each` is told with what is there.
///
/// # Errors
///
/// Why the archive is not good, or what the system refused. The stage is left as it is then, for the caller to remove.
pub fn extract(
    reader: impl Read + Send,
    terms: &Terms<'_>,
    stage: &Stage,
    options: &Options<'_>,
    each: &mut dyn FnMut(&Staged<'_>),
) -> Result<Verified, Damage> {
    let mut unpacker = Unpacker::new(stage, options, each);
    let verified = reading::read(reader, terms, &mut unpacker)?;
    unpacker.tree.close()?;
    Ok(verified)
}

/// The same from a bare tar stream, of which nothing is encrypted or packed; for `tar` files, and for the fuzzer.
///
/// # Errors
///
/// As [`extract`].
pub fn extract_tar(
    tar: impl BufRead,
    limits: Limits,
    stop: &Cancel,
    stage: &Stage,
    options: &Options<'_>,
    each: &mut dyn FnMut(&Staged<'_>),
) -> Result<Verified, Damage> {
    let mut unpacker = Unpacker::new(stage, options, each);
    let verified = reading::read_tar(tar, limits, stop, &mut unpacker)?;
    unpacker.tree.close()?;
    Ok(verified)
}

struct Unpacker<'a> {
    tree: Tree<'a>,
    options: &'a Options<'a>,
    each: &'a mut dyn FnMut(&Staged<'_>),
    /// Whose the files are that nothing is done to.
    me: (u32, u32),
    /// The file that is being written.
    file: Option<File>,
    /// Whether the last thing of it was a hole: then its length is still to be set.
    ends_with_hole: bool,
    selected: bool,
    /// Its path, for messages.
    path: Vec<u8>,
}

impl<'a> Unpacker<'a> {
    fn new(stage: &'a Stage, options: &'a Options<'a>, each: &'a mut dyn FnMut(&Staged<'_>)) -> Self {
        let me = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let (tree, file, path) = (Tree::new(stage), None, Vec::new());
        Self { tree, options, each, me, file, ends_with_hole: false, selected: false, path }
    }

    /// What an entry gets, and whose it is then.
    fn dress(&self, entry: &Entry) -> Dress {
        let owner = match &self.options.owner {
            Owner::Own => None,
            Owner::Former(accounts) => Some((
                accounts.user(entry.user.as_deref(), entry.uid).unwrap_or(self.me.0),
                accounts.group(entry.group.as_deref(), entry.gid).unwrap_or(self.me.1),
            )),
        };
        let mode = match self.options.bits {
            Bits::Keep => entry.mode,
            Bits::Strip => entry.mode & 0o777,
        };
        Dress { mode, owner, mtime: entry.mtime }
    }

    fn trouble(&self, error: &std::io::Error) -> Damage {
        let fix = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                "free some space, or restore to another place"
            }
            std::io::ErrorKind::FileTooLarge => "restore to a file system that takes a file of this size",
            _ => "mend what the system says, then run it again",
        };
        Damage::new(Flaw::System, format!("`{}` could not be written: {error}", shown(&self.path)), fix)
    }
}

impl Sink for Unpacker<'_> {
    fn begin(&mut self, entry: &Entry, _map: Option<&Map>) -> Result<(), Damage> {
        self.selected = (self.options.select)(&entry.path);
        if !self.selected {
            return Ok(());
        }
        if let Kind::File { .. } = entry.kind {
            self.file = Some(self.tree.file(&entry.path)?);
            self.path.clone_from(&entry.path);
            self.ends_with_hole = false;
        }
        Ok(())
    }

    fn piece(&mut self, piece: Piece<'_>) -> Result<(), Damage> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let done = match piece {
            Piece::Data(bytes) => {
                self.ends_with_hole = false;
                file.write_all(bytes)
            }
            Piece::Hole(length) => {
                self.ends_with_hole = true;
                let length = i64::try_from(length).map_err(|_| std::io::ErrorKind::FileTooLarge.into());
                length.and_then(|length| file.seek(SeekFrom::Current(length))).map(drop)
            }
        };
        done.map_err(|error| self.trouble(&error))
    }

    fn end(&mut self, entry: &Entry) -> Result<(), Damage> {
        if !self.selected {
            return Ok(());
        }
        let dress = self.dress(entry);
        match &entry.kind {
            Kind::Directory => self.tree.folder(&entry.path, dress)?,
            Kind::File { size, .. } => {
                let file = self.file.take().expect("a file that is selected is begun");
                if self.ends_with_hole {
                    file.set_len(*size).map_err(|error| self.trouble(&error))?;
                }
                self.tree.finish(&entry.path, &file, dress)?;
            }
            Kind::HardLink { target } if !(self.options.select)(target) => return Err(unselected(&entry.path, target)),
            Kind::HardLink { target } => self.tree.hard_link(&entry.path, target)?,
            Kind::Symlink { target } => self.tree.symlink(&entry.path, target, dress)?,
        }
        let (uid, gid) = dress.owner.unwrap_or(self.me);
        (self.each)(&Staged { entry, mode: dress.mode, uid, gid });
        Ok(())
    }
}

fn unselected(path: &[u8], target: &[u8]) -> Damage {
    let (path, target) = (shown(path), shown(target));
    let why = format!("`{path}` is another name of `{target}`, which is not restored with it");
    Damage::new(Flaw::System, why, format!("include `{target}` too"))
}
