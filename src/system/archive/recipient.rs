//! Whom an archive is sealed for: public keys of age and of SSH, and of age's plugins.

use age::{plugin, ssh, tag, tagpq, x25519};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

/// A public key, read.
#[derive(Clone)]
pub(super) enum Recipient {
    /// Keys of a plugin: `age1NAME1…`.
    Plugin(plugin::Recipient),
    /// `ssh-ed25519` and `ssh-rsa`.
    Ssh(ssh::Recipient),
    /// Keys of hardware with a tag, on P-256: `age1tag1…`.
    Tag(tag::Recipient),
    /// The same, safe from quantum computers: `age1tagpq1…`.
    TagPq(Box<tagpq::Recipient>),
    /// `age1…`.
    X25519(x25519::Recipient),
}

impl Recipient {
    /// Reads a public key as it stands in a configuration or in a file of recipients.
    ///
    /// # Errors
    ///
    /// What is wrong with it. Where it is a private key, what is said does not contain it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-")
            || text.to_ascii_uppercase().starts_with("AGE-PLUGIN-")
        {
            return Err(
                "it is a private key, which belongs into no configuration; `age-keygen -y` tells its public key".into(),
            );
        }
        if text.starts_with("-----BEGIN") {
            return Err("it is a key file; name the one line of the public key (`ssh-keygen -y`)".into());
        }
        let shown = shorten(text);
        if text.starts_with("ssh-") || text.starts_with("sk-ssh-") || text.starts_with("ecdsa-") {
            return text.parse().map(Self::Ssh).map_err(|error| format!("`{shown}`: {}", ssh_words(error)));
        }
        if !text.to_ascii_lowercase().starts_with("age1") {
            return Err(format!("`{shown}` is neither an age public key (`age1…`) nor an SSH one (`ssh-ed25519 …`)"));
        }
        let known = text.parse().map(Self::X25519).or_else(|_| text.parse().map(Self::Tag));
        if let Ok(recipient) = known.or_else(|_| text.parse().map(|key| Self::TagPq(Box::new(key)))) {
            return Ok(recipient);
        }
        let plugin: Result<plugin::Recipient, _> = text.parse();
        match plugin {
            Ok(recipient) => Ok(Self::Plugin(recipient)),
            Err(_) => Err(format!("`{shown}` is not a whole age public key: a letter is wrong or missing")),
        }
    }

    /// What tells it from others, and tells nobody more: an age key itself, an SSH key's digest as `ssh-keygen -l` has it.
    pub(super) fn fingerprint(&self) -> String {
        let digest =
            |kind, blob: &[u8]| format!("{kind} SHA256:{}", BASE64_STANDARD_NO_PAD.encode(Sha256::digest(blob)));
        match self {
            Self::Plugin(recipient) => recipient.to_string(),
            Self::Ssh(ssh::Recipient::SshEd25519(blob, _)) => digest("ssh-ed25519", blob),
            Self::Ssh(ssh::Recipient::SshRsa(blob, _)) => digest("ssh-rsa", blob),
            Self::Tag(recipient) => recipient.to_string(),
            Self::TagPq(recipient) => recipient.to_string(),
            Self::X25519(recipient) => recipient.to_string(),
        }
    }
}

fn ssh_words(error: ssh::ParseRecipientKeyError) -> String {
    use ssh::ParseRecipientKeyError as Why;
    match error {
        Why::RsaModulusTooLarge => "the RSA key is larger than 4096 bits".into(),
        Why::RsaModulusTooSmall => "the RSA key is smaller than 2048 bits".into(),
        Why::Unsupported(kind) => format!("age cannot encrypt to `{kind}` keys; use ssh-ed25519, ssh-rsa or age1…"),
        _ => "it is not a whole SSH public key".into(),
    }
}

/// Enough of a text to find it again.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
