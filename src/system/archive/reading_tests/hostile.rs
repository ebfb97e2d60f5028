//! Archives that somebody made to do harm.

use super::*;

/// A tar with one entry after a harmless one.
fn with(change: impl FnOnce(Tape) -> Tape) -> Vec<u8> {
    change(Tape::default().file("harmless", b"x")).end()
}

/// Name, stream, and what it must be called.
fn corpus() -> Vec<(&'static str, Vec<u8>, Flaw)> {
    use Flaw::{Altered, Bomb, Hostile, Truncated};
    let long = "d/".repeat(45);
    vec![
        ("parent", with(|t| t.file("../outside/canary", b"dead")), Hostile),
        ("parent inside", with(|t| t.folder("a").file("a/../../outside/canary", b"dead")), Hostile),
        ("parent in pax", with(|t| t.pax(&[("path", b"../outside/canary")]).file("fine", b"dead")), Hostile),
        (
            "parent in a long name",
            with(|t| t.add(b'L', "././@LongLink", "", b"../outside/canary\0", 0).file("fine", b"")),
            Hostile,
        ),
        ("parent as a folder", with(|t| t.folder("..")), Hostile),
        (
            "parent as the name of a sparse file",
            with(|t| {
                t.pax(&[("GNU.sparse.name", b"../x"), ("GNU.sparse.size", b"1"), ("GNU.sparse.map", b"0,1")])
                    .file("fine", b"x")
            }),
            Hostile,
        ),
        ("absolute", with(|t| t.file("/tmp/mainstay-canary", b"dead")), Hostile),
        ("absolute link target of a hard link", with(|t| t.hard_link("a", "/etc/passwd")), Hostile),
        ("hard link outside", with(|t| t.hard_link("a", "../outside/canary")), Hostile),
        ("hard link to nothing", with(|t| t.hard_link("a", "no/such/file")), Hostile),
        ("hard link through a link", with(|t| t.symlink("l", "../outside").hard_link("a", "l/canary")), Hostile),
        ("hard link to a folder", with(|t| t.folder("d").hard_link("a", "d")), Hostile),
        ("hard link to itself", with(|t| t.hard_link("a", "a")), Hostile),
        ("file through a link", with(|t| t.symlink("l", "../outside").file("l/canary", b"dead")), Hostile),
        ("file through an absolute link", with(|t| t.symlink("l", "/tmp").file("l/mainstay-canary", b"dead")), Hostile),
        ("folder through a link", with(|t| t.symlink("l", "../outside").folder("l")), Hostile),
        ("folder below a link", with(|t| t.symlink("l", "../outside").folder("l/new")), Hostile),
        ("link through a link", with(|t| t.symlink("l", "..").symlink("l/m", "outside")), Hostile),
        (
            "folder replaced by a link",
            with(|t| t.folder("d").symlink("d", "../outside").file("d/canary", b"dead")),
            Hostile,
        ),
        ("file through a file", with(|t| t.file("harmless/x", b"dead")), Hostile),
        ("place itself as a link", with(|t| t.symlink(".", "../outside")), Hostile),
        ("no name", with(|t| t.file("", b"")), Hostile),
        ("NUL in a name", with(|t| t.pax(&[("path", b"a\0b")]).file("fine", b"")), Hostile),
        ("link without a target", with(|t| t.symlink("l", "")), Hostile),
        ("too deep", with(|t| t.pax(&[("path", "d/".repeat(600).as_bytes())]).folder("fine")), Hostile),
        (
            "pax makes a file smaller",
            with(|t| {
                // A reader that goes by the header passes over the second file, one that goes by pax unpacks it.
                let hidden = Tape::default().file("hidden", b"smuggled").bytes;
                t.pax(&[("size", b"0")]).raw(&Tape::header(b'0', b"a", b"", hidden.len() as u64, 0o644)).body(&hidden)
            }),
            Hostile,
        ),
        (
            "pax makes a file larger",
            with(|t| {
                let hidden = Tape::default().file("hidden", b"smuggled").bytes;
                t.pax(&[("size", hidden.len().to_string().as_bytes())])
                    .raw(&Tape::header(b'0', b"a", b"", 0, 0o644))
                    .body(&hidden)
            }),
            Hostile,
        ),
        (
            "size for all entries",
            with(|t| {
                let body = record("size", b"0");
                t.raw(&Tape::header(b'g', b"g", b"", body.len() as u64, 0)).body(&body).file("a", b"x")
            }),
            Hostile,
        ),
        (
            "path for all entries",
            with(|t| {
                let body = record("path", b"a");
                t.raw(&Tape::header(b'g', b"g", b"", body.len() as u64, 0)).body(&body).file("b", b"x")
            }),
            Hostile,
        ),
        ("two paths in pax", with(|t| t.pax(&[("path", b"a"), ("path", b"b")]).file("c", b"")), Hostile),
        ("two pax headers", with(|t| t.pax(&[("path", b"a")]).pax(&[("path", b"b")]).file("c", b"")), Hostile),
        (
            "two long names",
            with(|t| t.add(b'L', "L", "", b"a\0", 0).add(b'L', "L", "", b"b\0", 0).file("c", b"")),
            Hostile,
        ),
        (
            "a long name and one in pax",
            with(|t| t.add(b'L', "L", "", b"a\0", 0).pax(&[("path", b"b")]).file("c", b"")),
            Hostile,
        ),
        ("folder with a content", with(|t| t.add(b'5', "d", "", b"x", 0o755)), Hostile),
        ("hard link with a content", with(|t| t.add(b'1', "h", "harmless", b"x", 0o644)), Hostile),
        ("link with a content", with(|t| t.add(b'2', "l", "harmless", b"x", 0o777)), Hostile),
        ("unknown type", with(|t| t.add(b'Z', "z", "", b"", 0o644)), Hostile),
        ("rest of another volume", with(|t| t.add(b'M', "z", "", b"", 0o644)), Hostile),
        ("after the manifest", with(|t| t.manifest(|_| {}).file("late", b"")), Hostile),
        ("records that do not end", with(|t| t.add(b'x', "x", "", b"99 path=a\n", 0).file("a", b"")), Altered),
        (
            "negative size",
            with(|t| {
                let mut block = Tape::header(b'0', b"a", b"", 0, 0o644);
                block[124..136].fill(0xff);
                sum(&mut block);
                t.raw(&block)
            }),
            Altered,
        ),
        (
            "size of 2^64 + 5",
            with(|t| {
                let mut block = Tape::header(b'0', b"a", b"", 0, 0o644);
                block[124..136].copy_from_slice(b"\x80\0\0\x01\0\0\0\0\0\0\0\x05");
                sum(&mut block);
                t.raw(&block).body(b"12345")
            }),
            Altered,
        ),
        (
            "size of 2^63",
            with(|t| {
                t.raw(&{
                    let mut block = Tape::header(b'0', b"a", b"", 0, 0o644);
                    block[124..136].copy_from_slice(b"\x80\0\0\0\x80\0\0\0\0\0\0\0");
                    sum(&mut block);
                    block
                })
            }),
            Truncated,
        ),
        ("huge pax header", with(|t| t.raw(&Tape::header(b'x', b"x", b"", 0o77_777_777_777, 0))), Bomb),
        (
            "pieces out of order",
            with(|t| {
                t.pax(&[("GNU.sparse.name", b"s"), ("GNU.sparse.size", b"9"), ("GNU.sparse.map", b"5,1,0,1")])
                    .file("s", b"xy")
            }),
            Altered,
        ),
        (
            "piece past the end",
            with(|t| {
                t.pax(&[("GNU.sparse.name", b"s"), ("GNU.sparse.size", b"9"), ("GNU.sparse.map", b"9,1")])
                    .file("s", b"x")
            }),
            Altered,
        ),
        (
            "map longer than its file",
            with(|t| {
                t.pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.realsize", b"9")])
                    .file("s", b"1048576\n")
            }),
            Altered,
        ),
        (
            "long path in two fields",
            {
                let mut block = Tape::header(b'0', b"../../../outside/canary", b"", 0, 0o644);
                block[345..345 + long.len()].copy_from_slice(long.as_bytes());
                sum(&mut block);
                Tape::default().raw(&block).end()
            },
            Hostile,
        ),
    ]
}

#[test]
fn backup_case_30_no_archive_writes_outside_of_its_stage_and_none_is_called_good() {
    let ground = Ground::new();
    for (name, tar, flaw) in corpus() {
        for sealed in [seal(&tar), seal(&gzip(&tar))] {
            let damage = verified(&sealed, ANY).expect_err(name);
            assert_eq!(damage.reason, flaw, "{name}: {damage}");
            let damage = ground.extract(&sealed, ANY).expect_err(name);
            assert_eq!(damage.reason, flaw, "{name}: {damage}");
            ground.assert_unharmed(name);
            let there = "/tmp/mainstay-canary";
            assert!(!Path::new(there).exists(), "{name} wrote {there}");
        }
    }
}

#[test]
fn a_link_out_of_the_stage_is_a_link_and_nothing_more() {
    let ground = Ground::new();
    let tape = Tape::default().symlink("l", "../outside/canary").symlink("m", "/etc/shadow").file("l", b"replaced");
    ground.extract(&seal(&tape.end()), ANY).unwrap();
    ground.assert_unharmed("links");
    assert_eq!(
        fs::read(ground.stage().join("l")).unwrap(),
        b"replaced",
        "the link itself is replaced, and not followed"
    );
    assert_eq!(fs::read_link(ground.stage().join("m")).unwrap(), Path::new("/etc/shadow"));
}

#[test]
fn the_last_one_of_two_entries_with_one_name_counts() {
    let ground = Ground::new();
    let tape = Tape::default()
        .file("a", b"old")
        .hard_link("b", "a")
        .file("a", b"new")
        .folder("d")
        .folder("d")
        .symlink("a", "b");
    ground.extract(&seal(&tape.file("a", b"newest").end()), ANY).unwrap();
    assert_eq!(fs::read(ground.stage().join("a")).unwrap(), b"newest");
    assert_eq!(fs::read(ground.stage().join("b")).unwrap(), b"old", "the other name keeps what it had");
}

#[test]
fn backup_case_31_setuid_devices_and_capabilities_are_not_brought_back_and_are_told() {
    let tape = || {
        Tape::default()
            .add(b'0', "suid", "", b"x", 0o4755)
            .add(b'5', "shared", "", b"", 0o3770)
            .add(b'3', "tty", "", b"", 0o666)
            .add(b'4', "disk", "", b"", 0o666)
            .add(b'6', "pipe", "", b"", 0o666)
            .pax(&[("SCHILY.xattr.security.capability", b"\x01\0\0\x02=\n")])
            .file("cap", b"x")
    };
    let ground = Ground::new();
    let sealed = seal(&tape().end());
    let mut modes = BTreeMap::new();
    let mut each = |staged: &Staged<'_>| {
        modes.insert(staged.entry.path.clone(), (staged.entry.mode, staged.mode));
    };
    let told = ground.extract_with(&sealed, ANY, &plain_options(), &mut each).unwrap().notes;
    let told: Vec<_> = told.iter().map(|note| (String::from_utf8_lossy(&note.path), &*note.detail)).collect();
    let expected = [
        ("suid", "setuid"),
        ("shared", "setgid, sticky"),
        ("tty", "a device, left out"),
        ("disk", "a device, left out"),
        ("pipe", "a FIFO, left out"),
        ("cap", "file capabilities"),
    ];
    assert_eq!(told, expected.map(|(path, detail)| (path.into(), detail)));
    assert_eq!(modes[&b"suid"[..]], (0o4755, 0o755));
    let mode = |name: &str| fs::symlink_metadata(ground.stage().join(name)).unwrap().mode() & 0o7777;
    assert_eq!((mode("suid"), mode("shared")), (0o755, 0o770));
    assert!(["tty", "disk", "pipe"].iter().all(|name| !ground.stage().join(name).exists()));
    assert_eq!(verified(&sealed, ANY).unwrap().notes.len(), 6, "a check tells the same");

    let options = Options { bits: Bits::Keep, ..plain_options() };
    ground.extract_with(&sealed, ANY, &options, &mut |_| {}).unwrap();
    assert_eq!((mode("suid"), mode("shared")), (0o4755, 0o3770));
}

#[test]
fn backup_case_49_an_archive_that_unpacks_to_more_than_its_limits_is_stopped() {
    let ground = Ground::new();
    let tar = Tape::default().file("a", &vec![0; 8 << 20]).file("b", b"x").end();
    let exact = Limits { unpacked: tar.len() as u64, entries: 2, content: (8 << 20) + 1 };
    let sealed = seal(&gzip(&tar));
    assert!(sealed.len() < 100_000, "it packs well: {}", sealed.len());
    assert_eq!(verified(&sealed, exact).map(|verified| verified.contents.unpacked), Ok(exact.unpacked));
    for limits in [
        Limits { unpacked: exact.unpacked - 1, ..exact },
        Limits { entries: 1, ..exact },
        Limits { content: 8 << 20, ..exact },
    ] {
        assert_eq!(verified(&sealed, limits).unwrap_err().reason, Flaw::Bomb, "{limits:?}");
        assert_eq!(ground.extract(&sealed, limits).unwrap_err().reason, Flaw::Bomb, "{limits:?}");
    }
}

#[test]
fn backup_case_48_holes_come_back_as_holes_and_are_held_to_the_limits() {
    let ground = Ground::new();
    let map = b"2\n4096\n3\n1048576\n2\n".to_vec();
    let mut body = map;
    body.resize(512, 0);
    body.extend(b"abcde");
    let size = 3_u64 << 20;
    let records: [(&str, &[u8]); 4] = [
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"sparse"),
        ("GNU.sparse.realsize", b"3145728"),
    ];
    let tar = Tape::default().pax(&records).file("GNUSparseFile.0/sparse", &body).end();
    let mut expected = vec![0; 3 << 20];
    expected[4096..4099].copy_from_slice(b"abc");
    expected[1 << 20..(1 << 20) + 2].copy_from_slice(b"de");
    let sealed = seal(&tar);
    let limits = Limits { unpacked: tar.len() as u64, entries: 1, content: size };
    let mut seen = None;
    let verified_one =
        verify(&*sealed, &terms(&Cancel::default(), limits), &mut |entry| seen = Some(entry.clone())).unwrap();
    assert_eq!(verified_one.contents.bytes, size);
    assert_eq!(seen.unwrap().kind, Kind::File { size, sha256: Sha256::digest(&expected).into() });
    ground.extract(&sealed, limits).unwrap();
    let path = ground.stage().join("sparse");
    assert!(fs::read(&path).unwrap() == expected);
    let blocks = fs::metadata(&path).unwrap().blocks();
    assert!(blocks * 512 < 1 << 20, "{blocks} blocks: the holes are filled");
    let tight = Limits { content: size - 1, ..limits };
    assert_eq!(verified(&sealed, tight).unwrap_err().reason, Flaw::Bomb);

    // 8 EiB of nothing.
    let huge: [(&str, &[u8]); 3] =
        [("GNU.sparse.name", b"huge"), ("GNU.sparse.size", b"9223372036854775807"), ("GNU.sparse.map", b"0,1")];
    let sealed = seal(&Tape::default().pax(&huge).file("huge", b"x").end());
    assert_eq!(ground.extract(&sealed, limits).unwrap_err().reason, Flaw::Bomb);
}

#[test]
fn backup_case_46_names_of_all_sorts_come_back_as_they_were() {
    use std::os::unix::ffi::OsStrExt as _;
    let ground = Ground::new();
    let long = format!("{}/{}", "l".repeat(200), "m".repeat(255));
    let names: [&[u8]; 5] = [b" leading and trailing ", b"line\nend", b"\xe9\xff", b"-rf", long.as_bytes()];
    let mut tape = Tape::default();
    for name in names {
        tape = tape.pax(&[("path", name), ("mtime", b"-1.5")]).file("short", name);
    }
    let tape = tape.add(b'L', "L", "", &[&vec![b'g'; 180][..], b"\0"].concat(), 0).file("short", b"gnu");
    ground.extract(&seal(&tape.end()), ANY).unwrap();
    let read = |name: &[u8]| fs::read(ground.stage().join(std::ffi::OsStr::from_bytes(name))).unwrap();
    for name in names {
        assert_eq!(read(name), name);
        let meta = fs::metadata(ground.stage().join(std::ffi::OsStr::from_bytes(name))).unwrap();
        assert_eq!((meta.mtime(), meta.mtime_nsec()), (-2, 500_000_000));
    }
    assert_eq!(read(&[b'g'; 180]), b"gnu");
}

#[test]
fn backup_case_46_a_file_of_more_than_8_gib_has_its_size_in_pax_or_in_base_256() {
    // 9 GiB of hole, so that the test is quick; the header cannot say the size of what is stored either.
    let size: u64 = 9 << 30;
    for (header, pax) in [(0, true), (0o77_777_777_777, true), (size, false)] {
        let mut block = Tape::header(b'0', b"large", b"", 0, 0o600);
        if header > 0o77_777_777_777 {
            block[124] = 0x80;
            block[125..136].copy_from_slice(&u128::from(header).to_be_bytes()[5..]);
        } else {
            block[124..136].copy_from_slice(format!("{header:011o}\0").as_bytes());
        }
        sum(&mut block);
        let tape = if pax { Tape::default().pax(&[("size", size.to_string().as_bytes())]) } else { Tape::default() };
        // Not whole: that it asks for the rest shows that the size was understood.
        let sealed = seal(&tape.raw(&block).body(b"x").bytes);
        let tight = Limits { content: size - 1, ..ANY };
        assert_eq!(verified(&sealed, tight).unwrap_err().reason, Flaw::Bomb);
        assert_eq!(verified(&sealed, Limits { content: size, ..ANY }).unwrap_err().reason, Flaw::Truncated);
    }
}
