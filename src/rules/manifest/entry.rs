//! One line of a manifest.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// One thing in an archive.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// From the root of the backup, without a slash at either end; bytes as the file system has them.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky: 0 to 0o7777.
    pub mode: u32,
    /// The owner's number.
    pub uid: u64,
    /// The group's number.
    pub gid: u64,
    /// The owner's name, where the machine knows one.
    pub user: Option<String>,
    /// The group's name, where the machine knows one.
    pub group: Option<String>,
    /// When the content last changed.
    pub mtime: Mtime,
    /// What was odd when it was read.
    pub flags: Flags,
}

/// What an entry is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A folder.
    Directory,
    /// A regular file.
    File {
        /// Its length in bytes.
        size: u64,
        /// The SHA-256 of its content as it is in the archive.
        sha256: [u8; 32],
    },
    /// Another name of a file that comes earlier in the archive.
    HardLink {
        /// That file's path, from the root of the backup.
        target: Vec<u8>,
    },
    /// A symbolic link.
    Symlink {
        /// Where it leads, as it is written in it.
        target: Vec<u8>,
    },
}

/// A time with its sign: files of before 1970 exist.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Mtime {
    /// Whole seconds since 1970, rounded down.
    pub seconds: i64,
    /// Nanoseconds after that: 0 to 999,999,999.
    pub nanos: u32,
}

/// What was odd when an entry was read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Flags {
    /// It changed while it was read: what is stored may be a mixture.
    pub changed: bool,
    /// It shrank while it was read: the end is filled up with zeros.
    pub damaged: bool,
}

/// Why a line is no entry: a fragment after "line N of the manifest: ".
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wrong(pub String);

impl Entry {
    /// The line, without its end.
    pub fn to_line(&self) -> String {
        let mut line = Map::new();
        put_bytes(&mut line, "path", &self.path);
        line.insert("type".into(), self.kind.word().into());
        match &self.kind {
            Kind::Directory => {}
            Kind::File { size, sha256 } => {
                line.insert("size".into(), (*size).into());
                line.insert("sha256".into(), hex(sha256).into());
            }
            Kind::HardLink { target } | Kind::Symlink { target } => put_bytes(&mut line, "target", target),
        }
        line.insert("mode".into(), format!("{:04o}", self.mode).into());
        line.insert("uid".into(), self.uid.into());
        line.insert("gid".into(), self.gid.into());
        for (key, name) in [("user", &self.user), ("group", &self.group)] {
            if let Some(name) = name {
                line.insert(key.into(), name.as_str().into());
            }
        }
        line.insert("mtime".into(), self.mtime.to_text().into());
        let flags: Vec<_> = self.flags.words().collect();
        if !flags.is_empty() {
            line.insert("flags".into(), json!(flags));
        }
        Value::Object(line).to_string()
    }

    /// Reads a line.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn from_line(line: &str) -> Result<Self, Wrong> {
        let wrong = |why: &str| Wrong(why.to_owned());
        let value: Value = serde_json::from_str(line).map_err(|error| Wrong(error.to_string()))?;
        let map = value.as_object().ok_or_else(|| wrong("it is not a JSON object"))?;
        let number = |key: &str| {
            map.get(key).and_then(Value::as_u64).ok_or_else(|| Wrong(format!("`{key}` is not a whole number")))
        };
        let text =
            |key: &str| map.get(key).and_then(Value::as_str).ok_or_else(|| Wrong(format!("`{key}` is not a text")));
        let kind = match text("type")? {
            "directory" => Kind::Directory,
            "file" => Kind::File { size: number("size")?, sha256: digest(text("sha256")?)? },
            "hardlink" => Kind::HardLink { target: bytes(map, "target")? },
            "symlink" => Kind::Symlink { target: bytes(map, "target")? },
            _ => return Err(wrong("`type` is none of directory, file, hardlink, symlink")),
        };
        let mode = u32::from_str_radix(text("mode")?, 8).ok().filter(|mode| *mode <= 0o7777);
        let flag = |word: &str| {
            map.get("flags").and_then(Value::as_array).is_some_and(|flags| flags.iter().any(|flag| flag == word))
        };
        Ok(Self {
            path: bytes(map, "path")?,
            kind,
            mode: mode.ok_or_else(|| wrong("`mode` is not four octal digits"))?,
            uid: number("uid")?,
            gid: number("gid")?,
            user: map.get("user").and_then(Value::as_str).map(str::to_owned),
            group: map.get("group").and_then(Value::as_str).map(str::to_owned),
            mtime: Mtime::from_text(text("mtime")?).ok_or_else(|| wrong("`mtime` is not a number of seconds"))?,
            flags: Flags { changed: flag("changed"), damaged: flag("damaged") },
        })
    }

    /// The content's length; 0 for what has none of its own.
    pub fn size(&self) -> u64 {
        if let Kind::File { size, .. } = self.kind { size } else { 0 }
    }

    /// Adds what a restore brings back of the entry to a digest: everything but the flags and the owner's names.
    ///
    /// Reader and manifest feed one digest each; where they end alike, the archive holds what the manifest says.
    pub fn digest_into(&self, digest: &mut Sha256) {
        self.content_into(digest);
        for number in [self.uid, self.gid, self.mtime.seconds.cast_unsigned(), self.mtime.nanos.into()] {
            digest.update(number.to_be_bytes());
        }
    }

    /// Adds path, kind, mode and content to a digest: what `--if-changed` compares.
    pub fn content_into(&self, digest: &mut Sha256) {
        let mut part = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        };
        part(&self.path);
        part(self.kind.word().as_bytes());
        match &self.kind {
            Kind::Directory => {}
            Kind::File { size, sha256 } => {
                part(&size.to_be_bytes());
                part(sha256);
            }
            Kind::HardLink { target } | Kind::Symlink { target } => part(target),
        }
        part(&self.mode.to_be_bytes());
    }
}

impl Kind {
    /// The word of the manifest.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::File { .. } => "file",
            Self::HardLink { .. } => "hardlink",
            Self::Symlink { .. } => "symlink",
        }
    }
}

impl Flags {
    fn words(self) -> impl Iterator<Item = &'static str> {
        [("changed", self.changed), ("damaged", self.damaged)].into_iter().filter(|(_, set)| *set).map(|(word, _)| word)
    }
}

impl Mtime {
    /// Seconds with as many decimals as it has, as PAX writes them: `1700000000.25`, `-0.5`.
    pub fn to_text(self) -> String {
        let total = i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanos);
        let (whole, fraction) = (total.unsigned_abs() / 1_000_000_000, total.unsigned_abs() % 1_000_000_000);
        let sign = if total < 0 { "-" } else { "" };
        let text = format!("{sign}{whole}.{fraction:09}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// Reads seconds with decimals; more than nine of them are cut.
    pub fn from_text(text: &str) -> Option<Self> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !plain(whole) || !plain(fraction) {
            return None;
        }
        let nanos: i128 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
        let total = whole.parse::<i128>().ok()?.checked_mul(1_000_000_000)? + nanos;
        let total = if negative { -total } else { total };
        Some(Self {
            seconds: total.div_euclid(1_000_000_000).try_into().ok()?,
            nanos: total.rem_euclid(1_000_000_000).try_into().ok()?,
        })
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest(text: &str) -> Result<[u8; 32], Wrong> {
    let wrong = || Wrong("`sha256` is not 64 hexadecimal digits".into());
    let bytes: Option<Vec<u8>> = text
        .as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    let plain = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    bytes.filter(|_| plain).ok_or_else(wrong)?.try_into().map_err(|_| wrong())
}

fn put_bytes(map: &mut Map<String, Value>, key: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => drop(map.insert(key.into(), text.into())),
        Err(_) => {
            map.insert(key.into(), String::from_utf8_lossy(bytes).into_owned().into());
            map.insert(format!("{key}_b64"), BASE64_STANDARD.encode(bytes).into());
        }
    }
}

fn bytes(map: &Map<String, Value>, key: &str) -> Result<Vec<u8>, Wrong> {
    let encoded = format!("{key}_b64");
    if let Some(value) = map.get(&encoded) {
        let text = value.as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
        return text.ok_or_else(|| Wrong(format!("`{encoded}` is not base64")));
    }
    let text = map.get(key).and_then(Value::as_str);
    text.map(|text| text.as_bytes().to_vec()).ok_or_else(|| Wrong(format!("`{key}` is not a text")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(path: &[u8], kind: Kind) -> Entry {
        Entry {
            path: path.to_vec(),
            kind,
            mode: 0o600,
            uid: 0,
            gid: 1000,
            user: Some("root".into()),
            group: None,
            mtime: Mtime { seconds: 1_700_000_000, nanos: 250_000_000 },
            flags: Flags::default(),
        }
    }

    #[test]
    fn a_line_reads_as_a_person_would_want_it() {
        let line = entry(b".env", Kind::File { size: 3, sha256: [0xab; 32] }).to_line();
        let sum = "ab".repeat(32);
        assert_eq!(
            line,
            format!(
                r#"{{"path":".env","type":"file","size":3,"sha256":"{sum}","mode":"0600","uid":0,"gid":1000,"user":"root","mtime":"1700000000.25"}}"#
            )
        );
    }

    #[test]
    fn backup_case_46_names_that_are_not_utf_8_keep_their_bytes() {
        let odd = entry(b"a\xff\nb", Kind::Symlink { target: b"\xe9".to_vec() });
        let line = odd.to_line();
        assert!(!line.contains('\n') && line.contains("path_b64") && line.contains("target_b64"), "{line}");
        assert_eq!(Entry::from_line(&line), Ok(odd));
    }

    #[test]
    fn what_is_no_entry_says_why() {
        let good = entry(b".env", Kind::File { size: 3, sha256: [0; 32] }).to_line();
        for (from, to, why) in [
            (r#""type":"file""#, r#""type":"device""#, "`type`"),
            (r#""size":3"#, r#""size":-3"#, "`size`"),
            (r#""mode":"0600""#, r#""mode":"77777""#, "`mode`"),
            (r#""mtime":"1700000000.25""#, r#""mtime":"now""#, "`mtime`"),
            (r#""sha256":"00"#, r#""sha256":"0""#, ""),
            (r#""sha256":"00"#, r#""sha256":"+0"#, "`sha256`"),
        ] {
            let error = Entry::from_line(&good.replacen(from, to, 1)).unwrap_err();
            assert!(error.0.contains(why), "{to}: {error:?}");
        }
    }

    #[test]
    fn times_before_1970_are_written_with_their_sign() {
        for (seconds, nanos, text) in
            [(-1, 500_000_000, "-0.5"), (-315_619_200, 0, "-315619200"), (0, 0, "0"), (0, 1, "0.000000001")]
        {
            let time = Mtime { seconds, nanos };
            assert_eq!(time.to_text(), text);
            assert_eq!(Mtime::from_text(text), Some(time));
        }
        for wrong in ["", ".5", "1.x", "--1", "1e3", "99999999999999999999999"] {
            assert_eq!(Mtime::from_text(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_entry_is_read_back(
            path in proptest::collection::vec(any::<u8>(), 1..40),
            target in proptest::collection::vec(any::<u8>(), 1..40),
            which in 0..4,
            size: u64, sha256: [u8; 32], mode in 0_u32..0o10000, seconds in -10_000_000_000_i64..10_000_000_000,
            nanos in 0_u32..1_000_000_000, changed: bool, damaged: bool,
        ) {
            let kind = match which {
                0 => Kind::Directory,
                1 => Kind::File { size, sha256 },
                2 => Kind::HardLink { target },
                _ => Kind::Symlink { target },
            };
            let flags = Flags { changed, damaged };
            let entry = Entry { mode, mtime: Mtime { seconds, nanos }, flags, ..entry(&path, kind) };
            prop_assert_eq!(Entry::from_line(&entry.to_line()), Ok(entry));
        }

        #[test]
        fn no_line_ends_the_reader(line in ".{0,200}") {
            let _ = Entry::from_line(&line);
        }
    }
}
