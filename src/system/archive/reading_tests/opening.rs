//! Keys, right and wrong.

use std::sync::{Arc, Mutex};

use secrecy::SecretString;

use super::super::keys::{Nobody, Person};
use super::*;

/// Someone who always answers the same.
struct Knows(&'static str, Mutex<u32>);

impl Person for Knows {
    fn passphrase(&self, _prompt: &str) -> Option<SecretString> {
        *self.1.lock().unwrap() += 1;
        Some(self.0.into())
    }

    fn tell(&self, _message: &str) {}
}

fn open(sealed: &[u8], keys: &Keys, sealed_for: &[String]) -> Result<Verified, Damage> {
    let stop = Cancel::default();
    verify(sealed, &Terms { keys, sealed_for, ..terms(&stop, ANY) }, &mut |_| {})
}

fn run(program: &str, arguments: &[&str]) {
    #[expect(clippy::disallowed_methods, reason = "Debian's programs judge ours in this test")]
    let output = std::process::Command::new(program).args(arguments).output().expect(program);
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn backup_case_11_a_wrong_identity_is_told_with_those_that_would_do() {
    let sealed = seal(&Tape::default().file("a", b"x").end());
    let stranger = || age::x25519::Identity::generate();
    let damage =
        open(&sealed, &Keys::of(stranger()), &["age1abc".into(), "ssh-ed25519 SHA256:xyz".into()]).unwrap_err();
    assert_eq!(damage.reason, Flaw::WrongKey);
    assert_eq!(damage.why, "the identity does not match; the archive is for: age1abc, ssh-ed25519 SHA256:xyz");

    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("keys.txt");
    let text = |identity: age::x25519::Identity| secrecy::ExposeSecret::expose_secret(&identity.to_string()).to_owned();
    fs::write(&path, format!("# two keys\n{}\n\n{}\r\n", text(stranger()), text(stranger()))).unwrap();
    let person: Arc<dyn Person> = Arc::new(Nobody);
    let keys = Keys::read(std::slice::from_ref(&path), &person).unwrap();
    let damage = open(&sealed, &keys, &[]).unwrap_err();
    assert_eq!(
        damage.why, "none of 2 identities matches; the archive is for: one age key",
        "all that its header tells"
    );

    fs::write(&path, text(IDENTITY.clone())).unwrap();
    let keys = Keys::read(std::slice::from_ref(&path), &person).unwrap();
    assert_eq!(keys.fingerprints(), [IDENTITY.to_public().to_string()]);
    open(&sealed, &keys, &[]).unwrap();
    assert!(!format!("{keys:?}").contains("SECRET"));
}

#[test]
fn backup_case_12_a_wrong_passphrase_is_told_apart_and_a_costly_one_is_not_tried() {
    let tar = Tape::default().file("a", b"x").end();
    let seal_with = |work: u8| {
        let mut recipient = age::scrypt::Recipient::new("right".into());
        recipient.set_work_factor(work);
        age::encrypt(&recipient, &tar).unwrap()
    };
    let sealed = seal_with(10);
    open(&sealed, &Keys::passphrase("right".into()), &[]).unwrap();
    assert_eq!(open(&sealed, &Keys::passphrase("wrong".into()), &[]).unwrap_err().reason, Flaw::WrongPassphrase);
    let damage = open(&sealed, &KEYS, &[]).unwrap_err();
    assert_eq!((damage.reason, &*damage.why), (Flaw::WrongKey, "it is sealed with a passphrase, and not for keys"));
    let damage = open(&seal(&tar), &Keys::passphrase("right".into()), &[]).unwrap_err();
    assert_eq!(damage.reason, Flaw::WrongKey);
    assert!(damage.why.starts_with("it is sealed for keys"), "{damage:?}");

    // The factor stands in the header in plain text; a stranger can write any.
    let text = sealed.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let end = text + sealed[text..].iter().position(|byte| *byte == b'\n').unwrap();
    let costly = [&sealed[..end - 2], b"40", &sealed[end..]].concat();
    let damage = open(&costly, &Keys::passphrase("right".into()), &[]).unwrap_err();
    assert_eq!(damage.reason, Flaw::Bomb);
    assert!(damage.why.contains("2^40"), "{damage:?}");
}

#[test]
fn ssh_keys_open_what_is_sealed_for_them_also_encrypted_ones() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name).display().to_string();
    fs::write(at("tar"), Tape::default().file("a", b"x").end()).unwrap();
    let person: Arc<dyn Person> = Arc::new(Knows("secret", Mutex::new(0)));
    for (sort, bits, passphrase) in [("ed25519", "256", ""), ("rsa", "2048", ""), ("ed25519", "256", "secret")] {
        let key = at(&format!("{sort}{passphrase}"));
        run("ssh-keygen", &["-q", "-t", sort, "-b", bits, "-N", passphrase, "-C", "", "-f", &key]);
        run("age", &["-R", &format!("{key}.pub"), "-o", &at("sealed"), &at("tar")]);
        let keys = Keys::read(&[key.into()], &person).unwrap();
        let fingerprint = &keys.fingerprints()[0];
        assert!(fingerprint.starts_with(&format!("ssh-{sort} SHA256:")), "{fingerprint}");
        open(&fs::read(at("sealed")).unwrap(), &keys, &[]).unwrap();
        let damage = open(&fs::read(at("sealed")).unwrap(), &KEYS, &[]).unwrap_err();
        assert!(damage.why.ends_with(&format!("for: one ssh-{sort} key")), "{damage:?}");
    }
    let wrong: Arc<dyn Person> = Arc::new(Knows("wrong", Mutex::new(0)));
    let nobody: Arc<dyn Person> = Arc::new(Nobody);
    let key = [PathBuf::from(at("ed25519secret"))];
    assert!(Keys::read(&key, &wrong).unwrap_err().to_string().ends_with("the passphrase does not open it"));
    assert!(Keys::read(&key, &nobody).unwrap_err().to_string().contains("nobody could be asked"));
}

#[test]
fn an_encrypted_file_of_identities_opens_with_its_passphrase_asked_once() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("key.age");
    let text = format!("# mine\n{}\n", secrecy::ExposeSecret::expose_secret(&IDENTITY.to_string()));
    let mut recipient = age::scrypt::Recipient::new("secret".into());
    recipient.set_work_factor(10);
    for armored in [false, true] {
        let sealed = if armored {
            age::encrypt_and_armor(&recipient, text.as_bytes()).unwrap().into_bytes()
        } else {
            age::encrypt(&recipient, text.as_bytes()).unwrap()
        };
        fs::write(&path, sealed).unwrap();
        let knows = Arc::new(Knows("secret", Mutex::new(0)));
        let person: Arc<dyn Person> = Arc::clone(&knows) as _;
        let keys = Keys::read(std::slice::from_ref(&path), &person).unwrap();
        open(&seal(&Tape::default().end()), &keys, &[]).unwrap();
        assert_eq!(*knows.1.lock().unwrap(), 1);
    }
}

#[test]
fn an_identity_file_that_is_none_says_what_it_is_and_never_what_is_in_it() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("key");
    let person: Arc<dyn Person> = Arc::new(Nobody);
    for (content, why) in [
        (&b""[..], "there is no identity in it"),
        (b"# only a comment\n", "there is no identity in it"),
        (b"\nAGE-SECRET-KEY-1TOOSHORT\n", "line 2 is no identity"),
        (
            b"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\n",
            "line 1 is a public key, which only seals",
        ),
        (b"ssh-ed25519 AAAA\n", "line 1 is a public key, which only seals"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "it is no SSH private key"),
        (b"\xff\xfe", "it is not a text"),
    ] {
        fs::write(&path, content).unwrap();
        let error = Keys::read(std::slice::from_ref(&path), &person).unwrap_err();
        assert_eq!(error.why, [why]);
        assert!(!error.to_string().contains("TOOSHORT"));
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(Keys::read(&[path], &person).unwrap_err().why, ["there is no such file"]);
}

#[test]
fn a_plugin_that_is_not_installed_is_named() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("key");
    let identity = age::plugin::Identity::default_for_plugin("nosuch").unwrap();
    fs::write(&path, identity.to_string()).unwrap();
    let person: Arc<dyn Person> = Arc::new(Nobody);
    let error = Keys::read(&[path], &person).unwrap_err();
    assert!(error.hints.iter().any(|hint| hint == "install `age-plugin-nosuch`"), "{error:?}");
}

#[test]
fn what_age_did_not_seal_is_told_for_what_it_is() {
    let tar = Tape::default().file("a", b"x").end();
    for (bytes, says) in [
        (&b""[..], "it is empty"),
        (&gzip(&tar)[..], "packed by gzip and not encrypted"),
        (b"\x8c\x0d\x04\x09\x03\x08", "gpg"),
        (b"-----BEGIN PGP MESSAGE-----\n\n", "gpg"),
        (&tar[..], "not encrypted by age"),
    ] {
        let damage = verified(bytes, ANY).unwrap_err();
        assert_eq!(damage.reason, Flaw::NotAnArchive);
        assert!(damage.why.contains(says), "{damage:?}");
    }
    for inside in [&b""[..], b"a text that somebody has encrypted", &[7; 2000]] {
        assert_eq!(
            verified(&seal(inside), ANY).unwrap_err().reason,
            match inside.len() {
                0 | 2000 => Flaw::NotAnArchive,
                _ => Flaw::Truncated,
            }
        );
    }
    let endless = [b"age-encryption.org/v1\n".to_vec(), b"-> X25519 abc\nabc\n".repeat(40_000)].concat();
    assert_eq!(verified(&endless, ANY).unwrap_err().why, "its header does not end");
}

#[test]
fn an_armored_archive_reads_and_garbage_behind_it_is_found() {
    let tar = Tape::default().file("a", b"x").end();
    let armored = age::encrypt_and_armor(&IDENTITY.to_public(), &gzip(&tar)).unwrap();
    let found = verified(armored.as_bytes(), ANY).unwrap();
    assert_eq!(found.bytes, armored.len() as u64);
    assert_eq!(found.sha256[..], Sha256::digest(&armored)[..]);
    assert_eq!(verified(format!("{armored}x").as_bytes(), ANY).unwrap_err().reason, Flaw::Altered);
    let cut = &armored.as_bytes()[..armored.len() - 40];
    assert!(verified(cut, ANY).is_err());
}
