//! The parts of `/proc` that tell how a process was started.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Read,
    path::{Path, PathBuf},
};

use crate::rules::gunicorn::{Role, role};

/// Command lines, environments and configuration files are smaller; more is not read.
const LIMIT: u64 = 4 << 20;

/// The words a process was started with.
pub(super) fn arguments(pid: u32) -> io::Result<Vec<String>> {
    bytes(&entry(pid, "cmdline")).map(|bytes| words(&bytes))
}

/// The environment a process was started with.
pub(super) fn environment(pid: u32) -> io::Result<BTreeMap<String, String>> {
    bytes(&entry(pid, "environ")).map(|bytes| variables(&bytes))
}

/// The folder a process is in now.
pub(super) fn folder(pid: u32) -> io::Result<PathBuf> {
    fs::read_link(entry(pid, "cwd"))
}

/// The children of a process that are gunicorn: its workers, and a second master after USR2.
pub(super) fn gunicorns_below(pid: u32) -> Vec<u32> {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = folders.filter_map(|folder| folder.file_name().to_str()?.parse().ok());
    pids.filter(|child| parent(*child) == Some(pid))
        .filter(|child| {
            matches!(
                arguments(*child).ok().and_then(|words| role(&words)),
                Some(Role::Plain | Role::Worker | Role::Master)
            )
        })
        .collect()
}

/// A text file of moderate size.
pub(super) fn small_file(path: &Path) -> io::Result<String> {
    bytes(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// NUL-ended words.
pub(super) fn words(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    match text.strip_suffix('\0').unwrap_or(&text) {
        "" => Vec::new(),
        text => text.split('\0').map(str::to_owned).collect(),
    }
}

/// NUL-ended `NAME=value`; the first of a name counts, as Python takes it.
pub(super) fn variables(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for word in words(bytes) {
        if let Some((name, value)) = word.split_once('=') {
            variables.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    variables
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(entry(pid, "stat")).ok()?;
    // The name in parentheses may hold anything; state and parent come after it (proc(5)).
    stat.get(stat.rfind(')')? + 1..)?.split_whitespace().nth(1)?.parse().ok()
}

fn entry(pid: u32, name: &str) -> PathBuf {
    Path::new("/proc").join(pid.to_string()).join(name)
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe that nobody writes to would wait for ever.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let file = fs::File::open(path)?;
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {} MiB", LIMIT >> 20)));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_blanks_and_empty_words() {
        assert_eq!(words(b"gunicorn\0-n\0my app\0\0"), ["gunicorn", "-n", "my app", ""]);
        assert_eq!(words(b""), Vec::<String>::new());
        assert_eq!(
            variables(b"A=1\0B=x=y\0odd\0A=2\0").into_iter().collect::<Vec<_>>(),
            [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "x=y".to_owned()),]
        );
    }
}
