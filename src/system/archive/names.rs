//! The names in one folder, sorted, in as little memory as they need: a folder of a million files is no reason for more.

use std::{ffi::CStr, os::fd::BorrowedFd};

use rustix::{fs::RawDir, io};

/// Names with their NULs, one after the other, and where each begins.
pub(super) struct Names {
    bytes: Vec<u8>,
    starts: Vec<u32>,
    next: usize,
}

impl Names {
    /// Reads the folder; also says whether it could be read to its end. `.` and `..` are no names.
    pub(super) fn read(folder: BorrowedFd<'_>) -> (Self, io::Result<()>) {
        let mut names = Self { bytes: Vec::new(), starts: Vec::new(), next: 0 };
        let read = names.fill(folder);
        let bytes = &names.bytes;
        names.starts.sort_unstable_by(|one, other| name_at(bytes, *one).cmp(name_at(bytes, *other)));
        (names, read)
    }

    fn fill(&mut self, folder: BorrowedFd<'_>) -> io::Result<()> {
        let mut room = Vec::with_capacity(32 << 10);
        let mut entries = RawDir::new(folder, room.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name();
            if name != c"." && name != c".." {
                self.starts.push(u32::try_from(self.bytes.len()).map_err(|_| io::Errno::OVERFLOW)?);
                self.bytes.extend(name.to_bytes_with_nul());
            }
        }
        Ok(())
    }

    /// The next name.
    pub(super) fn next(&mut self) -> Option<&CStr> {
        let start = *self.starts.get(self.next)?;
        self.next += 1;
        Some(name_at(&self.bytes, start))
    }
}

fn name_at(bytes: &[u8], start: u32) -> &CStr {
    CStr::from_bytes_until_nul(&bytes[start as usize..]).expect("each name was stored with its NUL")
}
