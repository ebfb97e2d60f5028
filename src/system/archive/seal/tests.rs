#![expect(clippy::disallowed_methods, reason = "tests make their keys with the programs that everybody has")]

use std::{fs, io::Read, process::Command};

use age::secrecy::ExposeSecret;

use super::*;

const GO: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

fn key() -> (String, age::x25519::Identity) {
    let identity = age::x25519::Identity::generate();
    (identity.to_public().to_string(), identity)
}

fn sealed(seal: &Seal) -> (Vec<u8>, Option<RunKey>) {
    let mut out = Vec::new();
    let (mut stream, key) = seal.begin(&mut out).unwrap();
    stream.write_all(b"secret").unwrap();
    stream.finish().unwrap();
    (out, key)
}

fn opened(bytes: &[u8], identity: &dyn Identity) -> String {
    let mut text = String::new();
    let decryptor = age::Decryptor::new(bytes).unwrap();
    decryptor.decrypt(std::iter::once(identity)).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// What an age file says of whom it is for.
fn stanzas(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let lines = text.lines().take_while(|line| !line.starts_with("---")).filter_map(|line| line.strip_prefix("-> "));
    lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn every_sort_of_key_opens_what_is_sealed_for_it() {
    let place = tempfile::tempdir().unwrap();
    let mut keys = vec![];
    for kind in ["ed25519", "rsa"] {
        let file = place.path().join(kind);
        let mut make = Command::new("ssh-keygen");
        make.args(["-q", "-t", kind, "-N", "", "-C", "somebody@host", "-f"]).arg(&file);
        assert!(make.status().unwrap().success());
        keys.push(fs::read_to_string(file.with_extension("pub")).unwrap());
    }
    let (public, identity) = key();
    let lines = format!("# the office\n\n{public}\n");
    let seal = Seal::recipients(&keys, Some((Path::new("recipients.txt"), &lines))).unwrap();
    let (bytes, run) = sealed(&seal);
    fs::write(place.path().join("x.age"), &bytes).unwrap();
    fs::write(place.path().join("age"), identity.to_string().expose_secret()).unwrap();
    for name in ["ed25519", "rsa", "age"] {
        let output = Command::new("age").args(["-d", "-i", name, "x.age"]).current_dir(place.path()).output().unwrap();
        assert_eq!(output.stdout, b"secret", "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(opened(&bytes, run.unwrap().identity()), "secret");
    for (name, fingerprint) in ["ed25519", "rsa"].iter().zip(seal.fingerprints()) {
        let listed = Command::new("ssh-keygen").args(["-l", "-f", name]).current_dir(place.path()).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let digest = listed.split(' ').nth(1).unwrap();
        assert_eq!(*fingerprint, format!("ssh-{name} {digest}"));
    }
    assert_eq!(seal.fingerprints()[2], public);
    assert_eq!(seal.warnings(), Vec::<String>::new());
}

#[test]
fn every_wrong_key_is_told_with_its_place_and_no_private_one_is_shown() {
    let private = key().1.to_string().expose_secret().to_owned();
    let broken = GO.replace("ql3z", "ql4z");
    let keys = [GO.to_owned(), broken, private.clone(), "ssh-ed25519 AAAA".into(), "me".into()];
    let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBIdWEVJmsZZr6ZnsvJ0sFqyVvpx6CSEF1TMHEOQKNE0oRPzzGoPXMBRFSmTDtm1+dtRLQLgxgWoVlnjdvxLvqVc= x";
    let file = format!("# ours\n{ecdsa}\n");
    let error = Seal::recipients(&keys, Some((Path::new("keys.txt"), &file))).unwrap_err();
    assert_eq!(error.kind, Kind::Config);
    let expected = [
        ("`recipients`, entry 2", "letter is wrong"),
        ("`recipients`, entry 3", "private key"),
        ("`recipients`, entry 4", "not a whole SSH"),
        ("`recipients`, entry 5", "neither"),
        ("`keys.txt`, line 2", "cannot encrypt to `ecdsa"),
    ];
    assert_eq!(error.why.len(), expected.len(), "{error:#?}");
    for (why, (place, what)) in error.why.iter().zip(expected) {
        assert!(why.starts_with(place) && why.contains(what), "{why}");
    }
    assert!(!format!("{error:?}").contains(&private[20..]));
}

#[test]
fn nobody_is_no_recipient_and_one_alone_is_a_risk() {
    let error = Seal::recipients(&[], Some((Path::new("empty"), "# nobody yet\n"))).unwrap_err();
    assert!(error.hints[0].contains("keygen"), "{error:?}");
    let twice = Seal::recipients(&[GO.into(), GO.into()], None).unwrap();
    assert_eq!(twice.fingerprints(), [GO]);
    assert!(twice.warnings()[0].contains("only one key"));
}

#[test]
fn a_plugin_that_is_not_installed_is_named() {
    let yubikey = "age1yubikey1q2w7u3vpya839jxxuq8g0sedh3d740d4xvn639sqhr95ejj8vu3hyfumptt";
    let error = Seal::recipients(&[yubikey.into()], None).unwrap_err();
    assert!(error.to_string().contains("age-plugin-yubikey"), "{error}");
}

#[test]
fn backup_case_54_the_runs_key_is_added_only_where_it_may_be() {
    let seal = Seal::recipients(&[GO.into()], None).unwrap();
    assert_eq!(stanzas(&sealed(&seal).0).iter().filter(|kind| *kind == "X25519").count(), 2);

    let mut seal = Seal::passphrase("correct horse".into());
    let Lock::Passphrase { work, .. } = &mut seal.lock else { unreachable!("it was made of a passphrase") };
    *work = 2;
    let (bytes, run) = sealed(&seal);
    assert_eq!(stanzas(&bytes), ["scrypt"]);
    assert_eq!(opened(&bytes, run.unwrap().identity()), "secret", "the passphrase itself is at hand");
    assert_eq!(seal.fingerprints(), ["passphrase"]);
    assert_eq!(seal.warnings(), Vec::<String>::new());

    // Recipients with labels take nobody in beside them.
    struct Safe(age::x25519::Recipient);
    impl age::Recipient for Safe {
        fn wrap_file_key(
            &self,
            key: &age_core::format::FileKey,
        ) -> Result<(Vec<age_core::format::Stanza>, std::collections::HashSet<String>), EncryptError> {
            let (stanzas, _) = self.0.wrap_file_key(key)?;
            Ok((stanzas, std::iter::once("postquantum".to_owned()).collect()))
        }
    }
    let (_, identity) = key();
    let lock = Lock::Recipients(vec![Box::new(Safe(identity.to_public()))]);
    let (bytes, run) = sealed(&Seal { lock, fingerprints: vec!["safe".into()] });
    assert!(run.is_none());
    assert_eq!(opened(&bytes, &identity), "secret");
    let lock = Lock::Recipients(vec![Box::new(Safe(identity.to_public())), Box::new(identity.to_public())]);
    let error = Seal { lock, fingerprints: Vec::new() }.begin(Vec::new()).err().unwrap();
    assert!(error.hints[0].contains("does not mix"), "{error:?}");
}

#[test]
fn what_is_not_finished_does_not_open() {
    let (public, identity) = key();
    let seal = Seal::recipients(&[public], None).unwrap();
    let mut out = Vec::new();
    let (mut stream, _) = seal.begin(&mut out).unwrap();
    stream.write_all(&[0; 200_000]).unwrap();
    drop(stream);
    let mut reader = age::Decryptor::new(&out[..]).unwrap().decrypt(std::iter::once(&identity as _)).unwrap();
    assert!(reader.read_to_end(&mut Vec::new()).is_err());
}
