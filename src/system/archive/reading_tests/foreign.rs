//! Archives that others have made, unpacked as Debian's `tar` unpacks them.

use super::*;

/// Runs a script of the shell in a folder.
pub(super) fn shell(folder: &Path, script: &str) -> bool {
    #[expect(clippy::disallowed_methods, reason = "Debian's programs judge ours in this test")]
    let output = std::process::Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .env("KEY", IDENTITY.to_public().to_string())
        .current_dir(folder)
        .output()
        .expect("bash");
    if !output.status.success() {
        println!("{script}: {}", String::from_utf8_lossy(&output.stderr));
    }
    output.status.success()
}

/// A tree with what can be awkward about trees.
pub(super) const TREE: &str = r#"
umask 022; mkdir -p tree/config/deep tree/empty tree/readonly
printf 'SECRET=1\n' > tree/.env; chmod 600 tree/.env
printf '' > tree/nothing
head -c 700000 /dev/urandom > tree/config/noise; chmod 640 tree/config/noise
printf x > "tree/config/a name with  blanks"; printf y > $'tree/line\nend'; printf z > $'tree/\xff\xe9'
long=$(printf 'n%.0s' {1..200}); mkdir -p tree/$long/$long; printf long > tree/$long/$long/file
ln -s ../.env tree/config/link; ln -s /nowhere tree/dangling; ln tree/.env tree/config/hard
ln -s "$long/$long/file" tree/far
printf r > tree/readonly/file; chmod 400 tree/readonly/file
truncate -s 3M tree/holes; printf data | dd of=tree/holes bs=1 seek=1048576 conv=notrunc status=none; printf end >> tree/holes
touch -d '2001-02-03 04:05:06.123456789' tree/.env; touch -h -d '1965-01-01 00:00:00.5' tree/config/noise
chmod 711 tree/config/deep; chmod 555 tree/readonly; touch -d '2010-01-01' tree/empty tree/config/deep tree/config tree/readonly
"#;

#[test]
fn archives_made_by_hand_come_back_byte_and_mode_exact() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    assert!(shell(folder, TREE));
    for (name, make) in [
        ("gzip", "tar c -C tree . | gzip -1 | age -r $KEY > sealed"),
        ("zstd", "tar c -C tree . | zstd -q -T0 | age -r $KEY > sealed"),
        ("bare tar", "tar c -C tree . | age -r $KEY > sealed"),
        ("armored", "tar c -C tree . | gzip -1 | age -a -r $KEY > sealed"),
        ("pigz", "tar c -C tree . | pigz -1 | age -r $KEY > sealed"),
        ("pax", "tar c --format=pax -C tree . | gzip -1 | age -r $KEY > sealed"),
        ("GNU, sparse", "tar cS --format=gnu -C tree . | gzip -1 | age -r $KEY > sealed"),
        ("pax, sparse 1.0", "tar cS --format=pax -C tree . | gzip -1 | age -r $KEY > sealed"),
        ("pax, sparse 0.1", "tar cS --format=pax --sparse-version=0.1 -C tree . | gzip -1 | age -r $KEY > sealed"),
        ("pax, sparse 0.0", "tar cS --format=pax --sparse-version=0.0 -C tree . | gzip -1 | age -r $KEY > sealed"),
        ("names without ./", "(cd tree; tar c * .env) | gzip -1 | age -r $KEY > sealed"),
        ("folders last", "(cd tree; find . -depth -print0 | tar c --null --no-recursion -T -) | age -r $KEY > sealed"),
        ("bsdtar", "touch -d 1999-01-01 tree/config/noise; bsdtar -c -f - -C tree . | gzip -1 | age -r $KEY > sealed"),
        ("bsdtar, pax", "bsdtar -c --format=pax -f - -C tree . | gzip -1 | age -r $KEY > sealed"),
        (
            "Python",
            "python3 -c 'import sys,tarfile; t=tarfile.open(fileobj=sys.stdout.buffer,mode=\"w|gz\"); t.add(\"tree\",\".\"); t.close()' | age -r $KEY > sealed",
        ),
    ] {
        assert!(shell(folder, make), "{name}");
        // GNU tar spoils the time of a folder when a hard link into it comes late, as bsdtar writes them; bsdtar in turn takes
        // half a second after -2 for -2.5, hence its `touch`.
        let tar = if name.starts_with("bsdtar") { "bsdtar -xp" } else { "tar xp" };
        let unpacked = "age -d -i key sealed > plain; rm -rf theirs; mkdir theirs; \
            case $(head -c 2 plain | od -An -tx1) in ' 1f 8b') z=-z;; ' 28 b5') z=--zstd;; *) z=;; esac";
        let unpacked = format!("{unpacked}; {tar} $z -f plain -C theirs");
        fs::write(folder.join("key"), secrecy::ExposeSecret::expose_secret(&IDENTITY.to_string())).unwrap();
        assert!(shell(folder, &unpacked), "{name}");

        let sealed = fs::read(folder.join("sealed")).unwrap();
        let ground = Ground::new();
        let mut staged = Vec::new();
        let found =
            ground.extract_with(&sealed, ANY, &plain_options(), &mut |s| staged.push(s.entry.clone())).expect(name);
        let strip = |mut picture: BTreeMap<PathBuf, Vec<u8>>| {
            // The place itself: a stage stays as it is.
            picture.remove(Path::new(""));
            picture
        };
        let (ours, theirs) = (strip(picture(&ground.stage())), strip(picture(&folder.join("theirs"))));
        for (path, line) in &theirs {
            assert_eq!(
                ours.get(path).map(|l| l.escape_ascii().to_string()),
                Some(line.escape_ascii().to_string()),
                "{name}: {path:?}"
            );
        }
        assert_eq!(ours.len(), theirs.len(), "{name}");
        assert!(!found.manifest);

        let mut seen = Vec::new();
        let again =
            verify(&*sealed, &terms(&Cancel::default(), Limits::of(&found.contents)), &mut |e| seen.push(e.clone()));
        assert_eq!(again.as_ref(), Ok(&found), "{name}: verify tells the same");
        assert_eq!(seen, staged, "{name}");
        if name.contains("sparse") {
            let blocks = fs::metadata(ground.stage().join("holes")).unwrap().blocks();
            assert!(blocks * 512 < 1 << 20, "{name}: the holes are filled, {blocks} blocks");
        }
    }
}

#[test]
fn headers_of_before_posix_are_read() {
    let place = tempfile::tempdir().unwrap();
    assert!(shell(
        place.path(),
        "mkdir -p t/d; printf x > t/d/f; ln -s f t/d/l; tar c --format=v7 -C t . | age -r $KEY > sealed"
    ));
    let ground = Ground::new();
    ground.extract(&fs::read(place.path().join("sealed")).unwrap(), ANY).unwrap();
    assert_eq!(fs::read(ground.stage().join("d/l")).unwrap(), b"x");
}

#[test]
fn only_what_is_selected_comes_back_and_all_of_it_is_proved() {
    let ground = Ground::new();
    let tape = Tape::default().folder("d").file("d/a", b"1").file("d/b", b"2").file("c", b"3").hard_link("e", "c");
    let sealed = seal(&tape.manifest(|_| {}).end());
    let options = Options { select: &|path| path == b"d/b", ..plain_options() };
    let found = ground.extract_with(&sealed, ANY, &options, &mut |_| {}).unwrap();
    assert_eq!(found.contents.files, 4, "the counts are those of the archive");
    let names: Vec<_> = picture(&ground.stage()).into_keys().collect();
    assert_eq!(names, ["", "d", "d/b"].map(PathBuf::from));
    let options = Options { select: &|path| path == b"e", ..plain_options() };
    let damage = ground.extract_with(&sealed, ANY, &options, &mut |_| {}).unwrap_err();
    assert_eq!((damage.reason, &*damage.fix), (Flaw::System, "include `c` too"));
}

#[test]
fn backup_case_32_owners_are_given_by_name_then_by_number_and_only_when_asked() {
    use super::super::Accounts;
    let test = "backup_case_32_owners_are_given_by_name_then_by_number_and_only_when_asked";
    let ground = Ground::new();
    let tape = Tape::default()
        .pax(&[("uname", b"ann"), ("gname", b"web")])
        .file("named", b"x")
        .file("numbered", b"x")
        .pax(&[("uname", b"ann")])
        .symlink("link", "named")
        .pax(&[("uname", b"ann")])
        .folder("folder");
    let sealed = seal(&tape.end());
    let owner = |name: &str| {
        let meta = fs::symlink_metadata(ground.stage().join(name)).unwrap();
        (meta.uid(), meta.gid())
    };
    let me = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    ground.extract(&sealed, ANY).unwrap();
    assert_eq!(owner("named"), me);
    if me.0 != 0 {
        return skip(test, "only root can give files away");
    }
    let accounts = Accounts::parse("ann:x:4242:1::/:\n", "web:x:4343:\n");
    let options = Options { owner: Owner::Former(accounts), ..plain_options() };
    let mut told = Vec::new();
    ground.extract_with(&sealed, ANY, &options, &mut |staged| told.push((staged.uid, staged.gid))).unwrap();
    let expected = [(4242, 4343), (1000, 1000), (4242, 1000), (4242, 1000)];
    assert_eq!(told, expected);
    assert_eq!(["named", "numbered", "link", "folder"].map(owner), expected);
    assert_eq!(fs::metadata(ground.stage().join("named")).unwrap().mode() & 0o7777, 0o640);
}

#[test]
fn backup_case_35_a_file_is_closed_to_others_while_it_is_written() {
    use std::io::Read;

    /// Gives the last part of an archive only after the stage was looked at.
    struct Slow<'a> {
        rest: &'a [u8],
        look_at: Option<usize>,
        path: PathBuf,
        seen: &'a std::sync::Mutex<Vec<u32>>,
    }
    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.look_at.take_if(|left| self.rest.len() <= *left).is_some() {
                // The file appears once enough of it has come through.
                let file = (0..1000).find_map(|_| {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                    fs::metadata(&self.path).ok().filter(|meta| meta.len() > 0)
                });
                self.seen.lock().unwrap().extend(file.map(|meta| meta.mode() & 0o7777));
            }
            self.rest.read(buffer)
        }
    }
    let ground = Ground::new();
    let sealed = seal(&Tape::default().add(b'0', "wide", "", &vec![7; 8 << 20], 0o666).end());
    let stage = Stage::make(&ground.stage()).unwrap();
    let seen = std::sync::Mutex::new(Vec::new());
    let slow = Slow { rest: &sealed, look_at: Some(1 << 20), path: ground.stage().join("wide"), seen: &seen };
    extract(slow, &terms(&Cancel::default(), ANY), &stage, &plain_options(), &mut |_| {}).unwrap();
    assert_eq!(*seen.lock().unwrap(), [0o600], "while it is written");
    assert_eq!(fs::metadata(ground.stage().join("wide")).unwrap().mode() & 0o7777, 0o666, "when it is whole");
    assert_eq!(fs::metadata(ground.stage()).unwrap().mode() & 0o7777, 0o700);
    stage.sync().unwrap();
}

#[test]
fn a_folder_that_is_closed_to_us_can_be_gone_back_to() {
    let ground = Ground::new();
    // As tar writes it when names are given one by one: a folder, something else, and the folder again.
    let tape =
        Tape::default().add(b'5', "shut", "", b"", 0o300).file("other", b"x").file("shut/file", b"y").folder("z");
    let tape = tape.add(b'5', "shut/in", "", b"", 0).file("y", b"").file("shut/in/file", b"");
    ground.extract(&seal(&tape.end()), ANY).unwrap();
    let meta = |name: &str| {
        let meta = fs::symlink_metadata(ground.stage().join(name)).unwrap();
        (meta.mode() & 0o7777, meta.mtime())
    };
    assert_eq!(meta("shut"), (0o300, 0o14_524_770_000));
    assert_eq!(meta("shut/in"), (0, 0o14_524_770_000));
}

#[test]
fn on_a_full_disk_it_says_so() {
    let place = tempfile::tempdir().unwrap();
    if !shell(place.path(), "mkdir disk; mount -t tmpfs -o size=1m tmpfs disk") {
        return skip("on_a_full_disk_it_says_so", "cannot mount");
    }
    let sealed = seal(&Tape::default().file("large", &vec![1; 2 << 20]).end());
    let stage = Stage::make(&place.path().join("disk/stage")).unwrap();
    let damage = extract(&*sealed, &terms(&Cancel::default(), ANY), &stage, &plain_options(), &mut |_| {}).unwrap_err();
    drop(stage);
    assert!(shell(place.path(), "umount disk"));
    assert_eq!(damage.reason, Flaw::System);
    assert!(damage.fix.starts_with("free some space"), "{damage:?}");
}
