//! What opens an archive: identities of age and of SSH, plugins, a passphrase.

use std::{fmt, io::BufReader, path::PathBuf, sync::Arc};

use age::{Callbacks, DecryptError, Decryptor, armor::ArmoredReader, plugin, scrypt, ssh, x25519};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::{Damage, Flaw, RunKey, damage::altered};
use crate::{
    error::{Error, Kind, Result},
    system::file,
};

/// scrypt with 2^20 rounds takes 1 GiB of memory and some seconds. `age` itself writes 2^18; a stranger's archive could ask
/// for hours.
const MOST_WORK: u8 = 20;

/// No file with identities is larger.
const LARGEST: u64 = 1 << 20;

/// Someone who can be asked for a passphrase, and told to touch a key.
pub trait Person: Send + Sync {
    /// A passphrase; `None` where nobody answers.
    fn passphrase(&self, prompt: &str) -> Option<SecretString>;

    /// Something to do now, as a plugin says it.
    fn tell(&self, message: &str);
}

/// Nobody: a run of cron.
pub struct Nobody;

impl Person for Nobody {
    fn passphrase(&self, _prompt: &str) -> Option<SecretString> {
        None
    }

    fn tell(&self, _message: &str) {}
}

/// What opens an archive.
pub struct Keys {
    identities: Vec<Box<dyn age::Identity + Send + Sync>>,
    fingerprints: Vec<String>,
    /// Whether it is a passphrase.
    secret: bool,
}

impl Keys {
    /// Reads files with identities: of age (several lines, comments, encrypted or armored ones), of age's plugins, and SSH
    /// keys (Ed25519 and RSA). `person` is asked for the passphrase of an encrypted one, once.
    ///
    /// # Errors
    ///
    /// The file that is no such file, or that the passphrase does not open; what it holds is never shown.
    pub fn read(paths: &[PathBuf], person: &Arc<dyn Person>) -> Result<Self> {
        let mut keys = Self { identities: Vec::new(), fingerprints: Vec::new(), secret: false };
        for path in paths {
            let file = format!("read the identity `{}`", path.display());
            let failed = || Error::new(Kind::Failed, file.clone());
            let content = file::read(path, LARGEST).map_err(|error| {
                failed()
                    .because(file::why(&error))
                    .hint("name a file that `mainstay backup keygen` or `age-keygen` wrote")
            })?;
            keys.add(&content, &path.display().to_string(), person)
                .map_err(|(why, hint)| failed().because(why).hint(hint))?;
        }
        Ok(keys)
    }

    /// A passphrase.
    pub fn passphrase(passphrase: SecretString) -> Self {
        let mut identity = scrypt::Identity::new(passphrase);
        identity.set_max_work_factor(MOST_WORK);
        Self { identities: vec![Box::new(identity)], fingerprints: vec!["passphrase".into()], secret: true }
    }

    /// An identity that is at hand.
    #[cfg(test)]
    pub(crate) fn of(identity: x25519::Identity) -> Self {
        let fingerprint = identity.to_public().to_string();
        Self { identities: vec![Box::new(identity)], fingerprints: vec![fingerprint], secret: false }
    }

    /// The key that a run makes for itself, to read back what it wrote.
    pub fn of_run(key: RunKey) -> Self {
        Self { identities: vec![key.into_identity()], fingerprints: Vec::new(), secret: false }
    }

    /// Who they are, as a sidecar's `sealed_for` names those who can open an archive: `age1…`, `ssh-ed25519 SHA256:…`,
    /// `passphrase`. Plugins do not tell.
    pub fn fingerprints(&self) -> &[String] {
        &self.fingerprints
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty()
    }

    pub(super) fn identities(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.identities.iter().map(|identity| &**identity as &dyn age::Identity)
    }

    /// Why they did not open an archive. `header` is its header, `sealed_for` what its sidecar says.
    pub(super) fn refused(
        &self,
        error: DecryptError,
        by_passphrase: bool,
        header: &[u8],
        sealed_for: &[String],
    ) -> Damage {
        match error {
            DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed if self.secret && by_passphrase => {
                Damage::new(
                    Flaw::WrongPassphrase,
                    "the passphrase does not open it",
                    "try again, or look for the one of that time",
                )
            }
            DecryptError::ExcessiveWork { required, .. } => Damage::new(
                Flaw::Bomb,
                format!(
                    "its passphrase takes 2^{required} rounds of scrypt to try, and 2^{MOST_WORK} is the most that is tried"
                ),
                "find out who made it; `age -d` opens it when it is yours",
            ),
            DecryptError::InvalidMac | DecryptError::InvalidHeader | DecryptError::DecryptionFailed => {
                altered("its header is not what was sealed")
            }
            DecryptError::NoMatchingKeys | DecryptError::KeyDecryptionFailed => {
                self.mismatch(by_passphrase, header, sealed_for)
            }
            DecryptError::PluginResolve(error) => plugin_failed(&error),
            DecryptError::Plugin(errors) => {
                let said: Vec<_> = errors.iter().map(ToString::to_string).collect();
                Damage::new(
                    Flaw::WrongKey,
                    format!("the plugin says: {}", said.join("; ")),
                    "do what it asks for, then try again",
                )
            }
            error => altered(format!("it cannot be opened: {error}")),
        }
    }

    fn mismatch(&self, by_passphrase: bool, header: &[u8], sealed_for: &[String]) -> Damage {
        if by_passphrase {
            return Damage::new(
                Flaw::WrongKey,
                "it is sealed with a passphrase, and not for keys",
                "give its passphrase",
            );
        }
        let whom = if sealed_for.is_empty() { recipients(header) } else { sealed_for.join(", ") };
        let ours = match (self.secret, self.identities.len()) {
            (true, _) => "it is sealed for keys, and not with a passphrase".to_owned(),
            (false, 0) => "there is no identity to open it with".to_owned(),
            (false, 1) => "the identity does not match".to_owned(),
            (false, count) => format!("none of {count} identities matches"),
        };
        Damage::new(
            Flaw::WrongKey,
            format!("{ours}; the archive is for: {whom}"),
            "name the file of one of these with `--identity FILE`",
        )
    }

    /// Takes in the content of a file; the error is a cause and a hint.
    fn add(&mut self, content: &[u8], name: &str, person: &Arc<dyn Person>) -> Result<(), (String, String)> {
        if content.starts_with(b"age-encryption.org/") || content.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----") {
            let text = decrypted(content, name, person)?;
            return self.add_lines(text.expose_secret(), person);
        }
        let text = std::str::from_utf8(content).map_err(|_| unknown("it is not a text"))?;
        if text.starts_with("-----BEGIN") { self.add_ssh(text, name, person) } else { self.add_lines(text, person) }
    }

    fn add_lines(&mut self, text: &str, person: &Arc<dyn Person>) -> Result<(), (String, String)> {
        let before = self.identities.len();
        for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Ok(identity) = line.parse::<x25519::Identity>() {
                self.fingerprints.push(identity.to_public().to_string());
                self.identities.push(Box::new(identity));
            } else if let Ok(identity) = line.parse::<plugin::Identity>() {
                let asker = Asker(Arc::clone(person));
                let found = plugin::IdentityPluginV1::new(identity.plugin(), std::slice::from_ref(&identity), asker);
                self.identities.push(Box::new(found.map_err(|error| {
                    let damage = plugin_failed(&error);
                    (damage.why, damage.fix)
                })?));
            } else if line.starts_with("age1") || line.starts_with("ssh-") {
                let why = format!("line {number} is a public key, which only seals");
                return Err((
                    why,
                    "name the file with the private half, `AGE-SECRET-KEY-…` or an SSH private key".into(),
                ));
            } else {
                // Never the line itself: it may be a secret with a slip in it.
                return Err(unknown(&format!("line {number} is no identity")));
            }
        }
        if self.identities.len() == before { Err(unknown("there is no identity in it")) } else { Ok(()) }
    }

    fn add_ssh(&mut self, text: &str, name: &str, person: &Arc<dyn Person>) -> Result<(), (String, String)> {
        let key = ssh::Identity::from_buffer(BufReader::new(text.as_bytes()), None)
            .map_err(|_| unknown("it is no SSH private key"))?;
        let key = match key {
            ssh::Identity::Encrypted(key) => {
                let passphrase = ask(name, person)?;
                ssh::Identity::from(key.decrypt(passphrase).map_err(|_| wrong_passphrase())?)
            }
            key => key,
        };
        let (sort, public) = match ssh::Recipient::try_from(key.clone()) {
            Ok(ssh::Recipient::SshEd25519(public, _)) => ("ssh-ed25519", public),
            Ok(ssh::Recipient::SshRsa(public, _)) => ("ssh-rsa", public),
            Err(_) => {
                let hint = "use an Ed25519 or RSA key; `ssh-keygen -p -f FILE` writes an old file anew";
                return Err(("age does not know this sort of SSH key".into(), hint.into()));
            }
        };
        self.fingerprints.push(format!("{sort} SHA256:{}", BASE64_STANDARD_NO_PAD.encode(Sha256::digest(public))));
        self.identities.push(Box::new(key));
        Ok(())
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keys").field(&self.fingerprints).finish()
    }
}

/// Puts a plugin's questions to a person.
#[derive(Clone)]
struct Asker(Arc<dyn Person>);

impl Callbacks for Asker {
    fn display_message(&self, message: &str) {
        self.0.tell(message);
    }

    fn confirm(&self, message: &str, _yes: &str, _no: Option<&str>) -> Option<bool> {
        self.0.tell(message);
        None
    }

    fn request_public_string(&self, description: &str) -> Option<String> {
        self.0.tell(description);
        None
    }

    fn request_passphrase(&self, description: &str) -> Option<SecretString> {
        self.0.passphrase(description)
    }
}

/// The content of an encrypted file with identities.
fn decrypted(content: &[u8], name: &str, person: &Arc<dyn Person>) -> Result<SecretString, (String, String)> {
    let broken = || ("it is an encrypted file, and damaged".to_owned(), "use another copy of it".to_owned());
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(content)).map_err(|_| broken())?;
    if !decryptor.is_scrypt() {
        return Err((
            "it is encrypted for a key, and not with a passphrase".into(),
            "decrypt it with `age -d` first".into(),
        ));
    }
    let mut identity = scrypt::Identity::new(ask(name, person)?);
    identity.set_max_work_factor(MOST_WORK);
    let mut plain =
        decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity)).map_err(|error| match error {
            DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => wrong_passphrase(),
            DecryptError::ExcessiveWork { required, .. } => (
                format!("its passphrase takes 2^{required} rounds of scrypt to try"),
                "decrypt it with `age -d` first".to_owned(),
            ),
            _ => broken(),
        })?;
    let mut text = String::new();
    std::io::Read::read_to_string(&mut plain, &mut text).map_err(|_| broken())?;
    Ok(SecretString::from(text))
}

fn ask(name: &str, person: &Arc<dyn Person>) -> Result<SecretString, (String, String)> {
    person.passphrase(&format!("passphrase of `{name}`")).ok_or_else(|| {
        let hint = "run it in a terminal, or name an identity that is not encrypted";
        ("it is encrypted, and nobody could be asked for the passphrase".into(), hint.into())
    })
}

fn wrong_passphrase() -> (String, String) {
    ("the passphrase does not open it".into(), "try again".into())
}

fn unknown(why: &str) -> (String, String) {
    (why.to_owned(), "name a file with `AGE-SECRET-KEY-…` or an SSH private key".into())
}

fn plugin_failed(error: &plugin::ResolveError) -> Damage {
    match error {
        plugin::ResolveError::MissingPlugin { binary_name } => Damage::new(
            Flaw::WrongKey,
            format!("the program `{binary_name}` that this identity needs is not installed"),
            format!("install `{binary_name}`"),
        ),
        error => Damage::new(Flaw::WrongKey, error.to_string(), "name another identity"),
    }
}

/// For whom an archive is, as far as its own header tells: an age key hides who it is, an SSH key shows four bytes.
fn recipients(header: &[u8]) -> String {
    let text = String::from_utf8_lossy(header);
    let stanzas = text.lines().filter_map(|line| line.strip_prefix("-> "));
    let mut counts = std::collections::BTreeMap::new();
    for sort in stanzas.filter_map(|stanza| stanza.split(' ').next()).filter(|sort| !sort.ends_with("-grease")) {
        *counts.entry(crate::rules::location::printable(sort)).or_insert(0_u32) += 1;
    }
    let list: Vec<_> = counts
        .into_iter()
        .map(|(sort, count)| {
            let sort = if sort == "X25519" { "age" } else { &sort };
            if count == 1 { format!("one {sort} key") } else { format!("{count} {sort} keys") }
        })
        .collect();
    if list.is_empty() { "keys that its header does not tell".into() } else { list.join(", ") }
}
