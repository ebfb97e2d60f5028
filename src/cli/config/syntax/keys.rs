//! The syntax of public keys.

use base64::Engine;

use super::{Wrong, instead, wrong};

pub(super) fn recipient(text: &str) -> Result<(), Wrong> {
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("age-secret-key-") || lower.starts_with("age-plugin-") {
        return Err(Wrong {
            why: "this is a secret key: whoever reads this file could open the archives".into(),
            suggestion: Some("write its public key (`age-keygen -y FILE`) and make a new pair".into()),
            secret: true,
        });
    }
    if let Some((kind, rest)) = text.split_once(' ') {
        let key = rest.split(' ').next().unwrap_or_default();
        let decoded = base64::engine::general_purpose::STANDARD.decode(key).unwrap_or_default();
        let right =
            matches!(kind, "ssh-ed25519" | "ssh-rsa") && decoded.get(4..4 + kind.len()) == Some(kind.as_bytes());
        return if right { Ok(()) } else { Err(wrong("it is neither an age recipient nor an SSH public key")) };
    }
    if !text.starts_with("age1") {
        return Err(instead("", "it begins with age1; `age-keygen -o key.txt` makes one"));
    }
    bech32(text)
}

/// BIP 173: the checksum finds every slip of up to four characters.
fn bech32(text: &str) -> Result<(), Wrong> {
    const ALPHABET: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const FACTORS: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let (human, data) = text.rsplit_once('1').unwrap_or_default();
    let values: Option<Vec<u32>> =
        data.chars().map(|c| ALPHABET.find(c).and_then(|at| u32::try_from(at).ok())).collect();
    let values = values.ok_or_else(|| wrong("a recipient has only lower-case letters and digits, without b, i, o"))?;
    // Plugins choose their own length; X25519 keys have 32 bytes.
    if human == "age" && values.len() != 58 {
        return Err(wrong(&format!("a recipient has 62 characters, this has {}", text.chars().count())));
    }
    let high = human.bytes().map(|byte| u32::from(byte >> 5));
    let low = human.bytes().map(|byte| u32::from(byte & 31));
    let sum = high.chain([0]).chain(low).chain(values).fold(1_u32, |sum, value| {
        let top = sum >> 25;
        let shifted = ((sum & 0x01ff_ffff) << 5) ^ value;
        FACTORS.iter().enumerate().filter(|(bit, _)| top >> bit & 1 == 1).fold(shifted, |sum, (_, factor)| sum ^ factor)
    });
    if sum == 1 { Ok(()) } else { Err(wrong("its checksum is wrong: a character was lost or changed")) }
}

pub(super) fn signer(text: &str) -> Result<(), Wrong> {
    let decoded = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
    let right = decoded.len() == 42 && decoded.starts_with(b"Ed");
    if right { Ok(()) } else { Err(instead("", "it begins with RW and has 56 characters")) }
}
