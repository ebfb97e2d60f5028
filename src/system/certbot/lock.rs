//! certbot's own lock: an advisory record lock (fcntl) on a file in its folder. A file that is left over is no lock, so it is
//! never deleted.

use std::{fs::OpenOptions, path::Path};

use rustix::{
    fs::{FlockOperation, fcntl_lock},
    io::Errno,
};

/// Whether a certbot is at work with this configuration folder. What cannot be told counts as no: certbot looks itself.
pub fn is_locked(directory: &Path) -> bool {
    let Ok(file) = OpenOptions::new().write(true).open(directory.join(".certbot.lock")) else { return false };
    // Closing the file gives up what was taken.
    matches!(fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive), Err(Errno::AGAIN | Errno::ACCESS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renew_case_48_a_left_over_lock_file_is_no_lock() {
        let place = tempfile::tempdir().unwrap();
        assert!(!is_locked(place.path()));
        let _file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(place.path().join(".certbot.lock"))
            .unwrap();
        assert!(!is_locked(place.path()));
    }
}
