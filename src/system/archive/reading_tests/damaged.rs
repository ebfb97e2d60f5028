//! Archives that were good once.

use std::io::Read;

use super::*;

/// A good archive of three blocks of age, of what does not pack, so that every region of it counts.
fn tape() -> Tape {
    tape_of(160_000)
}

fn tape_of(bytes: u64) -> Tape {
    let noise: Vec<u8> = (0..bytes / 32).flat_map(|n| Sha256::digest(n.to_le_bytes()).to_vec()).collect();
    Tape::default()
        .folder("d")
        .file("d/noise", &noise)
        .file(".env", b"KEY=1\n")
        .symlink("l", ".env")
        .hard_link("e", ".env")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    // As `zstd` writes it: with the checksum of the content.
    let mut packer = ::zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    packer.include_checksum(true).unwrap();
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// The archive as each packer makes it.
fn sealed() -> Vec<(&'static str, Vec<u8>)> {
    let tar = tape().manifest(|_| {}).end();
    vec![("tar", seal(&tar)), ("gzip", seal(&gzip(&tar))), ("zstd", seal(&zstd(&tar)))]
}

#[test]
fn a_good_archive_is_called_good_and_counted() {
    let ground = Ground::new();
    for (name, sealed) in sealed() {
        let mut paths = Vec::new();
        let ticked = std::sync::atomic::AtomicU64::new(0);
        let tick = |bytes| {
            ticked.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        };
        let stop = Cancel::default();
        let terms = Terms { tick: &tick, ..terms(&stop, ANY) };
        let found = verify(&*sealed, &terms, &mut |entry| paths.push(entry.path.clone())).unwrap();
        assert_eq!(paths, [&b"d"[..], b"d/noise", b".env", b"l", b"e"], "{name}");
        assert_eq!(found.bytes, sealed.len() as u64, "{name}");
        assert_eq!(ticked.into_inner(), found.bytes, "{name}");
        assert_eq!(found.sha256[..], Sha256::digest(&sealed)[..], "{name}");
        let contents = &found.contents;
        assert_eq!((contents.files, contents.directories, contents.links), (3, 1, 1), "{name}");
        assert_eq!(contents.bytes, 160_006, "{name}");
        assert!(found.manifest, "{name}");
        let tight = Limits::of(contents);
        assert_eq!(
            ground.extract(&sealed, tight).as_ref(),
            Ok(&found),
            "{name}: unpacking tells the same, within its own limits"
        );
        assert!(!ground.stage().join(manifest::FOLDER).exists(), "the manifest is not written out");
    }
}

#[test]
fn backup_case_08_a_cut_archive_is_never_good_wherever_it_is_cut() {
    let ground = Ground::new();
    for (name, sealed) in sealed() {
        let every = (0..sealed.len()).step_by(64 << 10);
        let near_the_end = (1..=600).map(|back| sealed.len() - back).step_by(7);
        for cut in every.chain(near_the_end).chain(0..200) {
            let damage = verified(&sealed[..cut], ANY).expect_err(name);
            assert!(
                matches!(damage.reason, Flaw::Truncated | Flaw::Altered | Flaw::NotAnArchive),
                "{name} cut at {cut}: {damage:?}"
            );
        }
        assert!(ground.extract(&sealed[..sealed.len() - 1], ANY).is_err());
        assert!(ground.extract(&sealed[..128 << 10], ANY).is_err());
    }
}

#[test]
fn backup_case_08_what_was_cut_before_it_was_sealed_is_found_too() {
    // A pipe whose producer died: age has sealed the half of it properly.
    let tar = tape_of(8000).manifest(|_| {}).end();
    let (gzip, zstd) = (gzip(&tar), zstd(&tar));
    for cut in (0..tar.len()).step_by(509).chain((tar.len() - 1024..tar.len()).step_by(31)) {
        let reason = verified(&seal(&tar[..cut]), ANY).unwrap_err().reason;
        assert!(matches!(reason, Flaw::Truncated | Flaw::NotAnArchive), "tar cut at {cut}: {reason:?}");
    }
    for (name, packed) in [("gzip", gzip), ("zstd", zstd)] {
        for cut in (3..packed.len()).step_by(509).chain(packed.len() - 30..packed.len()) {
            let reason = verified(&seal(&packed[..cut]), ANY).unwrap_err().reason;
            assert!(matches!(reason, Flaw::Truncated | Flaw::NotAnArchive), "{name} cut at {cut}: {reason:?}");
        }
    }
}

#[test]
fn backup_case_09_a_flipped_bit_is_found_wherever_it_is() {
    for (name, mut sealed) in sealed() {
        let places = (0..400).chain((400..sealed.len()).step_by(2999)).chain(sealed.len() - 50..sealed.len());
        for at in places {
            sealed[at] ^= 1 << (at % 8);
            verified(&sealed, ANY).expect_err(name);
            sealed[at] ^= 1 << (at % 8);
        }
        verified(&sealed, ANY).expect(name);
    }
}

#[test]
fn backup_case_09_a_bit_that_was_flipped_before_it_was_sealed_is_found_by_gzip_zstd_or_the_manifest() {
    let tar = tape_of(8000).manifest(|_| {}).end();
    let content_end = tar.len() - 1024;
    for at in (0..content_end).step_by(61) {
        let mut tar = tar.clone();
        tar[at] ^= 1;
        // In the blanks between a body and the next block it changes nothing.
        if let Ok(found) = verified(&seal(&tar), ANY) {
            let whole = verified(&seal(&tape_of(8000).manifest(|_| {}).end()), ANY).unwrap();
            assert_eq!(found.contents, whole.contents, "flipped at {at}");
            assert_eq!(found.content, whole.content, "flipped at {at}");
        }
    }
    for packed in [gzip(&tar), zstd(&tar)] {
        for at in (0..packed.len()).step_by(61).chain(packed.len() - 8..packed.len()) {
            let mut packed = packed.clone();
            packed[at] ^= 0x10;
            // The header of gzip has a time and a system in it, which nothing depends on.
            let harmless = packed.starts_with(&[0x1f, 0x8b]) && (4..10).contains(&at);
            assert!(verified(&seal(&packed), ANY).is_err() || harmless, "flipped at {at}");
        }
    }
}

#[test]
fn backup_case_10_damage_past_the_end_marker_is_found() {
    let tar = tape().manifest(|_| {}).end();
    let packed = gzip(&tar);
    let good = seal(&packed);
    let mut wrong_crc = packed.clone();
    let crc = wrong_crc.len() - 8;
    wrong_crc[crc] ^= 1;
    let mut wrong_length = packed.clone();
    let length = wrong_length.len() - 1;
    wrong_length[length] ^= 1;
    let hidden = [&tar[..], &Tape::default().file("hidden", b"x").end()].concat();
    for (name, sealed) in [
        ("more after the end of the file", [&good[..], b"x"].concat()),
        ("zeros after the end of the file", [&good[..], &[0; 70_000]].concat()),
        ("the file twice", [&good[..], &good].concat()),
        ("more after gzip's trailer", seal(&[&packed[..], b"garbage"].concat())),
        ("zeros after gzip's trailer", seal(&[&packed[..], &[0; 512]].concat())),
        ("wrong checksum in gzip's trailer", seal(&wrong_crc)),
        ("wrong length in gzip's trailer", seal(&wrong_length)),
        ("another member of gzip", seal(&[packed.clone(), gzip(b"more")].concat())),
        ("another archive behind this one", seal(&gzip(&hidden))),
        ("another archive behind this one, in a member of its own", seal(&[packed.clone(), gzip(&tar)].concat())),
        ("a single byte after the end marker", seal(&[&tar[..], b"\0\0\0x"].concat())),
        ("more after zstd's frame", seal(&[zstd(&tar), b"garbage".to_vec()].concat())),
        ("another frame of zstd", seal(&[zstd(&tar), zstd(b"more")].concat())),
        ("half an end marker", seal(&tar[..tar.len() - 512])),
        ("half an end marker and more", seal(&[&tar[..tar.len() - 512], &[1; 512]].concat())),
    ] {
        let damage = verified(&sealed, ANY).expect_err(name);
        assert!(matches!(damage.reason, Flaw::Altered | Flaw::Truncated), "{name}: {damage:?}");
        assert!(Ground::new().extract(&sealed, ANY).is_err(), "{name}");
    }
    // What is not damage: blanks after the end marker, and a stream that is cut into members.
    verified(&seal(&[&tar[..], &[0; 9 * 512]].concat()), ANY).unwrap();
    let (front, back) = tar.split_at(100_000);
    verified(&seal(&[gzip(front), gzip(back)].concat()), ANY).unwrap();
}

#[test]
fn a_manifest_that_does_not_fit_names_the_first_path_that_differs() {
    let edit = |number: usize, from: &'static str, to: &'static str| {
        move |lines: &mut Vec<String>| {
            let edited = lines[number].replacen(from, to, 1);
            assert_ne!(edited, lines[number]);
            lines[number] = edited;
        }
    };
    type Change = Box<dyn Fn(&mut Vec<String>)>;
    let cases: [(Change, &str); 12] = [
        (Box::new(edit(2, r#""sha256":""#, r#""sha256":"0"#)), "line 3 of the manifest"),
        (Box::new(edit(3, r#""size":6"#, r#""size":7"#)), "`.env` is not what the manifest says"),
        (Box::new(edit(3, r#""mode":"0640""#, r#""mode":"0644""#)), "`.env` is not"),
        (Box::new(edit(3, r#""uid":1000"#, r#""uid":0"#)), "`.env` is not"),
        (Box::new(edit(4, r#""target":".env""#, r#""target":"env""#)), "`l` is not"),
        (Box::new(edit(1, r#""path":"d""#, r#""path":"c""#)), "`c` is not"),
        (Box::new(|lines| drop(lines.pop())), "5 entries, and its manifest 4"),
        (Box::new(|lines| lines.push(lines[1].clone())), "`d` is in the manifest and not in the archive"),
        (Box::new(|lines| lines.swap(3, 4)), "`l` is not"),
        (Box::new(|lines| drop(lines.remove(0))), "line 1 of the manifest"),
        (Box::new(edit(0, r#""schema":1"#, r#""schema":2"#)), "schema 2"),
        (Box::new(|lines| lines[1] = "x".repeat(70_000)), "line 2 of the manifest: it is too long"),
    ];
    for (change, says) in cases {
        let damage = verified(&seal(&tape().manifest(change).end()), ANY).expect_err(says);
        assert_eq!(damage.reason, Flaw::Manifest, "{damage:?}");
        assert!(damage.why.contains(says), "{says}: {damage:?}");
    }
}

#[test]
fn what_the_manifest_alone_knows_is_told() {
    let tape = tape().manifest(|lines| {
        lines[2] = lines[2].replace('}', r#","flags":["changed"]}"#);
        lines[3] = lines[3].replace('}', r#","flags":["damaged"]}"#);
    });
    let found = verified(&seal(&tape.end()), ANY).unwrap();
    assert_eq!((found.contents.changed, found.contents.damaged), (1, 1));
    assert_eq!(found.notes[1].path, b".env");
}

#[test]
fn a_source_that_fails_is_told_as_such_and_a_signal_ends_the_reading() {
    struct Broken(usize, Vec<u8>);
    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0 >= 100_000 {
                return Err(std::io::Error::other("the stick was pulled"));
            }
            let some = (&self.1[self.0..]).read(buffer)?;
            self.0 += some;
            Ok(some)
        }
    }
    let sealed = sealed().remove(1).1;
    let stop = Cancel::default();
    let damage = verify(Broken(0, sealed.clone()), &terms(&stop, ANY), &mut |_| {}).unwrap_err();
    assert_eq!(damage.reason, Flaw::System);
    assert!(damage.why.contains("the stick was pulled"), "{damage:?}");
    stop.raise(15);
    assert_eq!(verify(&*sealed, &terms(&stop, ANY), &mut |_| {}).unwrap_err().reason, Flaw::Stopped);
}
