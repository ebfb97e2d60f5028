//! Sealing: who can open an archive, and the key that this run keeps to itself to read back what it stored.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::Write,
    path::Path,
};

use age::{
    EncryptError, Encryptor, Identity, NoCallbacks, plugin::RecipientPluginV1, scrypt, secrecy::SecretString,
    stream::StreamWriter, x25519,
};

use super::recipient::Recipient;
use crate::error::{Error, Kind, Result};

/// How costly a passphrase is made to guess: 2^18 rounds of scrypt, about a second and 256 MiB, as `age -p` does. Fixed and
/// not measured, so that a busy machine does not make weaker archives.
const WORK: u8 = 18;

/// Who can open the archives of a backup.
pub struct Seal {
    lock: Lock,
    fingerprints: Vec<String>,
}

enum Lock {
    Passphrase { passphrase: SecretString, work: u8 },
    Recipients(Vec<Box<dyn age::Recipient + Send + Sync>>),
}

/// Opens one archive that this run has made, and dies with the run.
pub struct RunKey(Box<dyn Identity + Send + Sync>);

impl RunKey {
    /// The identity, for a test that decrypts by itself.
    #[cfg(test)]
    pub(super) fn identity(&self) -> &(dyn Identity + Send + Sync) {
        &*self.0
    }

    /// The identity, for the one who decrypts.
    pub(super) fn into_identity(self) -> Box<dyn Identity + Send + Sync> {
        self.0
    }
}

impl fmt::Debug for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunKey")
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").field("fingerprints", &self.fingerprints).finish_non_exhaustive()
    }
}

impl Seal {
    /// For whoever has one of these keys: `keys` as the configuration has them, and one a line of `file`, which is given
    /// with its content.
    ///
    /// # Errors
    ///
    /// Each key that is none, with its place; there is no key at all; the program of a plugin is missing.
    pub fn recipients(keys: &[String], file: Option<(&Path, &str)>) -> Result<Self> {
        let mut recipients = BTreeMap::new();
        let mut wrong = Vec::new();
        let listed = keys.iter().enumerate().map(|(at, key)| (format!("`recipients`, entry {}", at + 1), key.trim()));
        let lines = file.into_iter().flat_map(|(path, content)| {
            let lines = content.lines().map(str::trim).enumerate();
            let meant = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
            meant.map(move |(at, line)| (format!("`{}`, line {}", path.display(), at + 1), line))
        });
        let mut order = Vec::new();
        for (place, text) in listed.chain(lines) {
            match Recipient::read(text) {
                Ok(recipient) => {
                    let fingerprint = recipient.fingerprint();
                    if recipients.insert(fingerprint.clone(), recipient).is_none() {
                        order.push(fingerprint);
                    }
                }
                Err(why) => wrong.push(format!("{place}: {why}")),
            }
        }
        if !wrong.is_empty() {
            let error = Error::new(Kind::Config, "read the recipients");
            return Err(wrong.into_iter().fold(error, Error::because).hint("`mainstay backup keygen` makes a new key"));
        }
        if order.is_empty() {
            return Err(Error::new(Kind::Config, "encrypt the backup")
                .because("there are no recipients: nobody could open it")
                .hint("run `mainstay backup keygen`, and put the public key that it prints into `recipients`"));
        }
        let lock = Lock::Recipients(boxed(recipients.into_values())?);
        Ok(Self { lock, fingerprints: order })
    }

    /// For whoever knows the passphrase.
    pub fn passphrase(passphrase: SecretString) -> Self {
        Self { lock: Lock::Passphrase { passphrase, work: WORK }, fingerprints: vec!["passphrase".into()] }
    }

    /// Who can open the archives: age public keys, `ssh-ed25519 SHA256:…`, `passphrase`. The run's own key is not among
    /// them, since nobody has it when the run is over.
    pub fn fingerprints(&self) -> &[String] {
        &self.fingerprints
    }

    /// What the operator should think about, one line each.
    pub fn warnings(&self) -> Vec<String> {
        match (&self.lock, &self.fingerprints[..]) {
            (Lock::Recipients(_), [only]) => vec![format!(
                "only one key opens the archives, `{only}`: if it is lost, so are they; add a second one that is kept elsewhere"
            )],
            _ => Vec::new(),
        }
    }

    /// Begins an age file. What is written is whole only after `finish`; before, its end is missing and nothing opens it.
    ///
    /// The run's key is `None` where the recipients accept no other beside them: those that are safe from quantum
    /// computers.
    pub(super) fn begin<W: Write>(&self, out: W) -> Result<(StreamWriter<W>, Option<RunKey>)> {
        let (encryptor, key) = self.encryptor().map_err(|error| trouble(&error))?;
        let stream = encryptor.wrap_output(out).map_err(|error| super::write::cannot_store(&error))?;
        Ok((stream, key))
    }

    fn encryptor(&self) -> Result<(Encryptor, Option<RunKey>), EncryptError> {
        match &self.lock {
            Lock::Passphrase { passphrase, work } => {
                let mut recipient = scrypt::Recipient::new(passphrase.clone());
                recipient.set_work_factor(*work);
                let mut identity = scrypt::Identity::new(passphrase.clone());
                identity.set_max_work_factor(*work);
                let encryptor = Encryptor::with_recipients(std::iter::once(&recipient as _))?;
                Ok((encryptor, Some(RunKey(Box::new(identity)))))
            }
            Lock::Recipients(recipients) => {
                let theirs = || recipients.iter().map(|recipient| &**recipient as &dyn age::Recipient);
                let own = x25519::Identity::generate();
                let public = own.to_public();
                match Encryptor::with_recipients(theirs().chain([&public as _])) {
                    // Which labels a plugin's keys have is known only when it was asked.
                    Err(EncryptError::IncompatibleRecipients { .. }) => {
                        Ok((Encryptor::with_recipients(theirs())?, None))
                    }
                    encryptor => Ok((encryptor?, Some(RunKey(Box::new(own))))),
                }
            }
        }
    }
}

/// The keys as age takes them: those of one plugin together, so that it is started once.
fn boxed(recipients: impl Iterator<Item = Recipient>) -> Result<Vec<Box<dyn age::Recipient + Send + Sync>>> {
    let mut all: Vec<Box<dyn age::Recipient + Send + Sync>> = Vec::new();
    let mut plugged = Vec::new();
    for recipient in recipients {
        match recipient {
            Recipient::Plugin(recipient) => plugged.push(recipient),
            Recipient::Ssh(recipient) => all.push(Box::new(recipient)),
            Recipient::Tag(recipient) => all.push(Box::new(recipient)),
            Recipient::TagPq(recipient) => all.push(recipient),
            Recipient::X25519(recipient) => all.push(Box::new(recipient)),
        }
    }
    let plugins: BTreeSet<String> = plugged.iter().map(|recipient| recipient.plugin().to_owned()).collect();
    for name in plugins {
        let plugin = RecipientPluginV1::new(&name, &plugged, &[], NoCallbacks).map_err(|_| {
            Error::new(Kind::Failed, format!("encrypt to the `age1{name}1…` recipients"))
                .because(format!("there is no program `age-plugin-{name}` in the folders of $PATH"))
                .hint(format!("install `age-plugin-{name}`, or name another recipient"))
        })?;
        all.push(Box::new(plugin));
    }
    Ok(all)
}

fn trouble(error: &EncryptError) -> Error {
    let hint = match error {
        EncryptError::IncompatibleRecipients { .. } => {
            "use only keys that are safe from quantum computers, or only keys that are not: age does not mix them"
        }
        _ => "try the same recipients by hand: `age -r RECIPIENT`",
    };
    Error::new(Kind::Failed, "encrypt to the recipients").because(error.to_string().trim()).hint(hint)
}

#[cfg(test)]
mod tests;
