#![expect(clippy::disallowed_methods, clippy::print_stderr, reason = "tests set their own stage, and minisign judges")]

use std::{fs, os::unix::fs::PermissionsExt, process::Command, sync::Barrier, thread};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::system::Context;

const SIDECAR: &[u8] = b"{\"schema\":1}\n";
const ID: &str = "prime-app-20261123T181500Z-000042";

/// A state folder of its own.
fn stage() -> (TempDir, State) {
    let place = tempfile::tempdir().unwrap();
    let context = Context::real(std::collections::BTreeMap::new(), place.path().to_owned());
    let state = State::find(&context, Some(&place.path().join("state"))).unwrap();
    (place, state)
}

/// Runs minisign in a folder; what it printed where it succeeded. `None`, and a word about it, where there is none.
fn minisign(test: &str, folder: &Path, arguments: &[&str]) -> Option<Result<String, String>> {
    let output = match Command::new("minisign").args(arguments).current_dir(folder).output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("SKIPPED system::signature::tests::{test}: minisign: {error}");
            return None;
        }
    };
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Some(if output.status.success() { Ok(said) } else { Err(said) })
}

#[test]
fn the_key_is_made_once_and_private() {
    let (_place, state) = stage();
    assert_eq!(PublicKey::of_host(&state).unwrap(), None);
    assert!(!state.folder().exists(), "looking leaves no trace");
    // The very first run was killed while it wrote the key.
    state.open().unwrap();
    fs::write(state.folder().join(".signing.key.mainstay-tmp-left"), "half").unwrap();
    let first = Signer::open(&state).unwrap();
    let again = Signer::open(&state).unwrap();
    assert_eq!(first.public(), again.public());
    assert_eq!(PublicKey::of_host(&state).unwrap().as_ref(), Some(first.public()));
    let mode = |name: &str| fs::metadata(state.folder().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("signing.key"), mode("signing.pub")), (0o600, 0o644));
    assert_eq!(fs::read_dir(state.folder()).unwrap().count(), 2, "no draft is left");
    let secret = fs::read_to_string(state.folder().join("signing.key")).unwrap();
    assert!(!format!("{first:?}").contains(secret.lines().nth(1).unwrap()));
    assert!(first.public().to_string().starts_with("RW") && first.public().to_string().len() == 56);
}

#[test]
fn runs_that_make_the_key_at_once_have_the_same() {
    let (_place, state) = stage();
    let start = Barrier::new(8);
    let keys: Vec<String> = thread::scope(|scope| {
        let run = || {
            start.wait();
            let signer = Signer::open(&state).unwrap();
            signer.public().to_string()
        };
        let runs: Vec<_> = (0..8).map(|_| scope.spawn(run)).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
}

#[test]
fn a_damaged_or_lost_key_is_an_error_and_stays_as_it_is() {
    let (_place, state) = stage();
    Signer::open(&state).unwrap();
    let path = state.folder().join("signing.key");
    let right = fs::read_to_string(&path).unwrap();
    let mut flipped = right.clone().into_bytes();
    let at = flipped.len() - 20;
    flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
    for wrong in [flipped, vec![], b"untrusted comment: x\n".to_vec(), right.as_bytes()[..60].to_vec(), vec![0xff; 300]]
    {
        fs::write(&path, &wrong).unwrap();
        let error = Signer::open(&state).unwrap_err();
        assert!(error.hints[0].contains("add the key in"), "{error:?}");
        assert_eq!(fs::read(&path).unwrap(), wrong, "never replaced");
    }
    fs::remove_file(&path).unwrap();
    let error = Signer::open(&state).unwrap_err();
    assert!(error.to_string().contains("it is gone, and only its public half is there"), "{error}");
    assert!(!path.exists());

    fs::write(&path, right).unwrap();
    fs::remove_file(state.folder().join("signing.pub")).unwrap();
    let signer = Signer::open(&state).unwrap();
    assert_eq!(PublicKey::of_host(&state).unwrap().as_ref(), Some(signer.public()), "the public half follows");
}

#[test]
fn halves_that_do_not_belong_together_are_an_error() {
    let (_place, state) = stage();
    let (_other_place, other) = stage();
    Signer::open(&state).unwrap();
    Signer::open(&other).unwrap();
    fs::copy(other.folder().join("signing.pub"), state.folder().join("signing.pub")).unwrap();
    let error = Signer::open(&state).unwrap_err();
    assert!(error.to_string().contains("is not its public half"), "{error}");
    fs::write(state.folder().join("signing.pub"), "x").unwrap();
    assert!(PublicKey::of_host(&state).unwrap_err().hints[0].starts_with("remove it"));
}

#[test]
fn backup_case_13_a_planted_archive_is_a_strangers_and_a_changed_one_is_forged() {
    let (_place, state) = stage();
    let (_other_place, other) = stage();
    let (ours, theirs) = (Signer::open(&state).unwrap(), Signer::open(&other).unwrap());
    let accepted = [ours.public().clone()];
    let signature = ours.sign(SIDECAR, ID).unwrap();
    assert!(signature.contains(&format!("\ntrusted comment: {ID}\n")), "{signature}");

    assert_eq!(verify(SIDECAR, &signature, &accepted), Signature::Signed(ours.public().id()));
    assert_eq!(verify(SIDECAR, &signature, &[]), Signature::Stranger(ours.public().id()));
    let planted = theirs.sign(SIDECAR, ID).unwrap();
    assert_eq!(verify(SIDECAR, &planted, &accepted), Signature::Stranger(theirs.public().id()));
    let both = [theirs.public().clone(), ours.public().clone()];
    assert_eq!(verify(SIDECAR, &planted, &both), Signature::Signed(theirs.public().id()));

    let renamed = signature.replace("000042", "000043");
    for (bytes, text) in [(&b"{\"schema\":1} \n"[..], &signature), (SIDECAR, &renamed)] {
        let said = verify(bytes, text, &accepted);
        assert!(matches!(&said, Signature::Forged(why) if why.contains("did not sign this")), "{said:?}");
    }
    // Another key under our number.
    let mut stolen = STANDARD.decode(planted.lines().nth(1).unwrap()).unwrap();
    stolen[2..10].copy_from_slice(ours.public().0.keynum());
    let stolen = planted.replace(planted.lines().nth(1).unwrap(), &STANDARD.encode(stolen));
    assert!(matches!(verify(SIDECAR, &stolen, &accepted), Signature::Forged(_)));
}

#[test]
fn a_short_signature_of_the_comment_is_forged_and_no_panic() {
    let (_place, state) = stage();
    let ours = Signer::open(&state).unwrap();
    let signature = ours.sign(SIDECAR, ID).unwrap();
    let lines: Vec<&str> = signature.lines().collect();
    for last in ["", "AAAA", lines[1]] {
        let cut = [lines[0], lines[1], lines[2], last].join("\n");
        assert!(matches!(verify(SIDECAR, &cut, &[ours.public().clone()]), Signature::Forged(_)), "{last}");
    }
}

#[test]
fn minisign_checks_our_signatures() {
    let (place, state) = stage();
    let ours = Signer::open(&state).unwrap();
    let folder = place.path();
    fs::write(folder.join("a.json"), SIDECAR).unwrap();
    fs::write(folder.join("a.json.minisig"), ours.sign(SIDECAR, ID).unwrap()).unwrap();
    let key = ours.public().to_string();
    let test = "minisign_checks_our_signatures";
    let Some(said) = minisign(test, folder, &["-V", "-P", &key, "-m", "a.json"]) else { return };
    assert!(said.as_ref().is_ok_and(|said| said.contains(&format!("Trusted comment: {ID}"))), "{said:?}");
    let file = state.folder().join("signing.pub");
    let said = minisign(test, folder, &["-V", "-p", file.to_str().unwrap(), "-m", "a.json"]).unwrap();
    assert!(said.is_ok(), "{said:?}");
    fs::write(folder.join("a.json"), b"{\"schema\":2}\n").unwrap();
    let said = minisign(test, folder, &["-V", "-P", &key, "-m", "a.json"]).unwrap();
    assert!(said.is_err(), "{said:?}");
}

#[test]
fn we_check_the_signatures_of_minisign_and_it_signs_with_our_key() {
    let test = "we_check_the_signatures_of_minisign_and_it_signs_with_our_key";
    let (place, state) = stage();
    let folder = place.path();
    fs::write(folder.join("a.json"), SIDECAR).unwrap();
    let Some(made) = minisign(test, folder, &["-G", "-W", "-p", "their.pub", "-s", "their.key"]) else { return };
    made.unwrap();
    let theirs: PublicKey = fs::read_to_string(folder.join("their.pub")).unwrap().parse().unwrap();
    let signed = |key: &str, legacy: &[&str]| {
        let arguments = [&["-S", "-s", key, "-m", "a.json"], legacy].concat();
        minisign(test, folder, &arguments).unwrap().unwrap();
        fs::read_to_string(folder.join("a.json.minisig")).unwrap()
    };
    let accepted = [theirs.clone()];
    assert_eq!(verify(SIDECAR, &signed("their.key", &[]), &accepted), Signature::Signed(theirs.id()));
    // Before 0.10 minisign did not hash first.
    assert_eq!(verify(SIDECAR, &signed("their.key", &["-l"]), &accepted), Signature::Signed(theirs.id()));
    let ours = Signer::open(&state).unwrap();
    let path = state.folder().join("signing.key");
    let said = verify(SIDECAR, &signed(path.to_str().unwrap(), &[]), &[ours.public().clone()]);
    assert_eq!(said, Signature::Signed(ours.public().id()));
}

#[test]
fn what_is_no_public_key_is_refused() {
    for wrong in ["", "RW", "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p", &STANDARD.encode([7; 42])]
    {
        assert!(wrong.parse::<PublicKey>().is_err(), "{wrong}");
    }
    let key = STANDARD.encode([&b"Ed"[..], &[7; 40]].concat());
    assert_eq!(key.parse::<PublicKey>().unwrap().to_string(), key);
}

proptest! {
    #[test]
    fn no_text_panics(
        lines in prop::collection::vec(prop_oneof!["[A-Za-z0-9+/=]{0,140}", "\\PC{0,30}", Just("AA==".to_owned())], 0..6),
    ) {
        let text = format!("untrusted comment: {}", lines.join("\n"));
        prop_assert!(!matches!(verify(SIDECAR, &text, &[]), Signature::Signed(_)));
        let _ = (text.parse::<PublicKey>(), verify(SIDECAR, &lines.join("\n"), &[]));
    }

    #[test]
    fn no_changed_byte_of_a_signature_is_accepted_as_another_statement(at: prop::sample::Index, byte: u8) {
        let (_place, state) = stage();
        let ours = Signer::open(&state).unwrap();
        let mut bytes = SIDECAR.to_vec();
        let signature = ours.sign(&bytes, ID).unwrap();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        let said = verify(&bytes, &signature, &[ours.public().clone()]);
        prop_assert!(matches!(said, Signature::Forged(_)));
    }
}
