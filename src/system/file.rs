//! Regular files of this machine, read whole and never past a limit.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use sha2::{Digest, Sha256};

/// The content of a regular file of at most `limit` bytes.
///
/// # Errors
///
/// It cannot be read, is larger, or is a pipe, a device or a folder: those may block or never end. [`why`] puts it into
/// words.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // Asked before it is opened: opening a pipe that nobody writes to would wait for ever.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut content = Vec::new();
    // Not by the size that is told: files of /proc tell none, and a log may grow meanwhile.
    File::open(path)?.take(limit + 1).read_to_end(&mut content)?;
    if content.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {} MiB", limit >> 20)));
    }
    Ok(content)
}

/// The same as text; what is not UTF-8 is replaced.
///
/// # Errors
///
/// As [`read`].
pub fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    read(path, limit).map(|content| String::from_utf8_lossy(&content).into_owned())
}

/// The length and the SHA-256 of what a reader holds, to its end.
///
/// # Errors
///
/// It cannot be read to its end.
pub fn sha256(mut reader: impl Read) -> io::Result<(u64, [u8; 32])> {
    let (mut digest, mut length) = (Sha256::new(), 0);
    let mut chunk = vec![0; 256 << 10];
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return Ok((length, digest.finalize().into())),
            Ok(read) => {
                digest.update(&chunk[..read]);
                length += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Why a file cannot be read: the system's words without its number.
pub fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_is_read_up_to_the_limit_and_nothing_else_is_read_at_all() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"abc\xff").unwrap();
        assert_eq!(read(file.path(), 4).unwrap(), b"abc\xff");
        assert_eq!(read_text(file.path(), 4).unwrap(), "abc\u{fffd}");
        assert_eq!(read(file.path(), 3).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let refused = |path: &str| why(&read(Path::new(path), 4).unwrap_err());
        assert_eq!(refused("/dev/zero"), "it is not a regular file");
        assert_eq!(refused("/"), "it is not a regular file");
        assert_eq!(refused("/no/such/file"), "there is no such file");
    }

    #[test]
    fn a_file_that_tells_no_size_is_held_to_the_limit_too() {
        let memory = Path::new("/proc/self/smaps");
        assert_eq!(fs::metadata(memory).unwrap().len(), 0);
        assert_eq!(read(memory, 64).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
