//! A file under the challenge path, to see whether the web server serves it.

use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::{
    error::{Error, Kind, Result},
    rules::renewal::PATH,
    system::{
        file,
        state::{self, Mode},
    },
};

/// A token in a webroot; it and the folders that were made for it go with the value.
#[derive(Debug)]
pub struct Token {
    /// Its name and its content, as an authority would fetch it.
    pub text: String,
    file: PathBuf,
    made: Vec<PathBuf>,
}

impl Token {
    /// Writes a token that nobody can guess. Folders that are missing are made so that a server's workers can read them.
    ///
    /// # Errors
    ///
    /// The folder cannot be written to.
    pub fn place(webroot: &Path) -> Result<Self> {
        let text = format!("mainstay-{}", uuid::Uuid::new_v4().simple());
        let folder = webroot.join(PATH.trim_matches('/'));
        let trouble = |error: &io::Error| {
            Error::new(Kind::Failed, format!("write a token into `{}`", folder.display()))
                .because(file::why(error))
                .hint("run with sudo, or correct `webroot`")
        };
        let mut token = Self { file: folder.join(&text), text, made: Vec::new() };
        let missing: Vec<&Path> =
            folder.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
        for path in missing.into_iter().rev() {
            DirBuilder::new().mode(0o755).create(path).map_err(|error| trouble(&error))?;
            token.made.push(path.to_owned());
            // Whatever the umask says: the workers of a server run as somebody else.
            fs::set_permissions(path, Permissions::from_mode(0o755)).map_err(|error| trouble(&error))?;
        }
        state::write(&token.file, token.text.as_bytes(), Mode::Exactly(0o644))?;
        Ok(token)
    }

    /// Lets the folders stay that were made for it.
    pub fn keep_folders(&mut self) {
        self.made.clear();
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
        // A folder that is in use by now is not empty, and stays.
        for folder in self.made.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn renew_case_16_a_webroot_that_is_not_there_is_made_readable_and_goes_again() {
        let place = tempfile::tempdir().unwrap();
        let webroot = place.path().join("srv/webroot");
        let token = Token::place(&webroot).unwrap();
        let file = webroot.join(".well-known/acme-challenge").join(&token.text);
        assert_eq!(fs::read_to_string(&file).unwrap(), token.text);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o644);
        assert_eq!(fs::metadata(&webroot).unwrap().mode() & 0o777, 0o755);
        drop(token);
        assert!(!place.path().join("srv").exists());

        let mut token = Token::place(&webroot).unwrap();
        token.keep_folders();
        drop(token);
        assert_eq!(fs::read_dir(webroot.join(".well-known/acme-challenge")).unwrap().count(), 0);
    }

    #[test]
    fn a_webroot_that_cannot_be_written_to_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Token::place(&file.path().join("below")).unwrap_err();
        assert!(error.hints[0].contains("webroot"), "{error:?}");
    }
}
