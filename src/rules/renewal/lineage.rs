//! A lineage of certbot on the disk: `archive/NAME/` with its numbered files, `live/NAME/` with links to one number.
//!
//! A copied volume has copies for links, a kill leaves links of two numbers or a number with less than four files, and
//! `certonly` for fewer names makes `NAME-0001` beside NAME. certbot itself takes each of these in silence or stops for all
//! lineages, so they are looked for before anything is renewed, started or reloaded.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use super::Validity;

/// One of the four files.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Item {
    /// The certificate alone.
    Cert,
    /// Its issuers.
    Chain,
    /// Both, which servers read.
    Fullchain,
    /// The private key.
    Privkey,
}

/// What is on the disk.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Lineage {
    /// The folder with the numbered files.
    pub archive: PathBuf,
    /// The numbers, ascending.
    pub versions: Vec<Version>,
    /// `live/NAME/ITEM.pem`, each.
    pub live: BTreeMap<Item, Link>,
}

/// One number.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Version {
    /// It.
    pub number: u32,
    /// SHA-256 of the files that are there and can be read.
    pub files: BTreeMap<Item, [u8; 32]>,
    /// SHA-256 of the leaf, by which what is served is compared.
    pub leaf: Option<[u8; 32]>,
    /// From when until when it is valid.
    pub validity: Option<Validity>,
    /// The names it is for.
    pub names: Vec<String>,
    /// Whether key and certificate belong together; `None` where that cannot be told.
    pub matches: Option<bool>,
    /// The leaf itself, in DER.
    pub der: Vec<u8>,
    /// The files that are there and that this user may not read: mostly the key, which is root's.
    pub closed: Vec<Item>,
}

/// What stands under a name of `live/`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Link {
    /// A file, where a link should be.
    Copy {
        /// SHA-256 of its content.
        sha256: [u8; 32],
    },
    /// A link that leads to nothing.
    Dangling(PathBuf),
    /// This user may not look at it.
    Forbidden,
    /// Nothing.
    Missing,
    /// A link out of the archive of this lineage.
    Outside(PathBuf),
    /// A link to this number.
    To(u32),
    /// It cannot be read.
    Unreadable(String),
}

/// What is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Copies instead of links; all of this number, where there is one.
    Copies(Option<u32>),
    /// Links that lead to nothing, with the first.
    Dangling(Item, PathBuf),
    /// A file that this user may not read, by its path from certbot's folder: whether all is whole cannot be told.
    Forbidden(String),
    /// A key that does not fit the certificate.
    Key(u32),
    /// Links of several numbers.
    Mixed(Vec<u32>),
    /// Files that are missing in `live/`.
    Missing(Vec<Item>),
    /// No number is complete.
    Nothing,
    /// Complete, but a newer complete number is not linked to: number linked, newest number.
    NotNewest(u32, u32),
    /// A link that leads out of the archive.
    Outside(Item, PathBuf),
    /// It cannot be read.
    Unreadable(String),
}

impl Item {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Cert, Self::Chain, Self::Fullchain, Self::Privkey];

    /// The beginning of its file's name.
    pub fn stem(self) -> &'static str {
        match self {
            Self::Cert => "cert",
            Self::Chain => "chain",
            Self::Fullchain => "fullchain",
            Self::Privkey => "privkey",
        }
    }
}

impl Version {
    /// Whether all four files are there and the key is not another certificate's.
    pub fn is_complete(&self) -> bool {
        Item::ALL.iter().all(|item| self.files.contains_key(item)) && self.matches != Some(false) && self.leaf.is_some()
    }
}

impl Lineage {
    /// The highest number with all four files; half-written ones do not count.
    pub fn newest(&self) -> Option<&Version> {
        self.versions.iter().rev().find(|version| version.is_complete())
    }

    /// The complete number before this one.
    pub fn before(&self, number: u32) -> Option<&Version> {
        self.versions.iter().rev().find(|version| version.number < number && version.is_complete())
    }

    /// The number that all four links lead to.
    pub fn linked(&self) -> Option<&Version> {
        let Some(Link::To(number)) = self.live.get(&Item::Cert) else { return None };
        let all = Item::ALL.iter().all(|item| self.live.get(item) == Some(&Link::To(*number)));
        self.versions.iter().find(|version| version.number == *number).filter(|_| all)
    }

    /// The number that stands in `live/`, as links or as copies.
    pub fn current(&self) -> Option<&Version> {
        self.linked().or_else(|| match self.faults().first() {
            Some(Fault::Copies(Some(number))) => self.versions.iter().find(|version| version.number == *number),
            _ => None,
        })
    }

    /// What is wrong, the worst first; empty where a server can be started on it and certbot can renew it.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let of = |wanted: fn(&Link) -> bool| self.live.iter().filter(move |(_, link)| wanted(link));
        if let Some((item, Link::Unreadable(why))) = of(|link| matches!(link, Link::Unreadable(_))).next() {
            return vec![Fault::Unreadable(format!("{}.pem: {why}", item.stem()))];
        }
        if let Some((item, _)) = of(|link| *link == Link::Forbidden).next() {
            return vec![Fault::Forbidden(format!("live/…/{}.pem", item.stem()))];
        }
        // Of a version that is newer than the newest that is known to be whole, since that one may be whole too.
        let newer = self.versions.iter().rev().take_while(|version| !version.is_complete());
        let closed = newer.filter_map(|version| Some((version.number, version.closed.first()?))).next();
        if let Some((number, item)) = closed {
            faults.push(Fault::Forbidden(format!("archive/…/{}{number}.pem", item.stem())));
        } else if self.newest().is_none() {
            faults.push(Fault::Nothing);
        }
        if let Some((item, Link::Dangling(target))) = of(|link| matches!(link, Link::Dangling(_))).next() {
            faults.push(Fault::Dangling(*item, target.clone()));
        }
        let missing: Vec<Item> = of(|link| matches!(link, Link::Missing)).map(|(item, _)| *item).collect();
        if !missing.is_empty() {
            faults.push(Fault::Missing(missing));
        }
        if let Some((item, Link::Outside(target))) = of(|link| matches!(link, Link::Outside(_))).next() {
            faults.push(Fault::Outside(*item, target.clone()));
        }
        if of(|link| matches!(link, Link::Copy { .. })).next().is_some() {
            faults.push(Fault::Copies(self.copied()));
        }
        let mut numbers: Vec<u32> = self
            .live
            .values()
            .filter_map(|link| if let Link::To(number) = link { Some(*number) } else { None })
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        match numbers[..] {
            [number] if faults.is_empty() => {
                let linked = self.versions.iter().find(|version| version.number == number);
                if linked.is_some_and(|version| version.matches == Some(false)) {
                    faults.push(Fault::Key(number));
                }
                if let Some(newest) = self.newest().filter(|newest| newest.number > number) {
                    faults.push(Fault::NotNewest(number, newest.number));
                }
            }
            [_, _, ..] => faults.push(Fault::Mixed(numbers)),
            _ => {}
        }
        faults
    }

    /// The number that the copies in `live/` are the same as.
    fn copied(&self) -> Option<u32> {
        let same = |version: &&Version| {
            Item::ALL.iter().all(|item| match self.live.get(item) {
                Some(Link::Copy { sha256 }) => version.files.get(item) == Some(sha256),
                Some(Link::To(number)) => *number == version.number,
                _ => false,
            })
        };
        self.versions.iter().rev().find(same).map(|version| version.number)
    }
}

impl Fault {
    /// The word for `data.reason`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Copies(_) => "copies",
            Self::Dangling(..) => "dangling",
            Self::Forbidden(_) => "forbidden",
            Self::Key(_) => "key-mismatch",
            Self::Mixed(_) => "mixed-versions",
            Self::Missing(_) => "missing-link",
            Self::Nothing => "no-version",
            Self::NotNewest(..) => "not-newest",
            Self::Outside(..) => "outside",
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// Whether `--repair` mends it.
    pub fn is_mendable(&self) -> bool {
        !matches!(self, Self::Forbidden(_) | Self::Nothing | Self::Unreadable(_) | Self::Copies(None))
    }

    /// Whether nothing is known to be wrong: this user may not look.
    pub fn is_doubt(&self) -> bool {
        matches!(self, Self::Forbidden(_))
    }

    /// What to do about one that `--repair` does not mend.
    pub fn by_hand(&self) -> &'static str {
        match self {
            Self::Forbidden(_) => "run with sudo: certbot's keys belong to root",
            _ => "bring certbot's folder back from a backup, or compare the files by hand; nothing is renewed on it",
        }
    }

    /// Whether a server reads a sound pair of key and certificate all the same.
    pub fn is_harmless(&self) -> bool {
        matches!(self, Self::NotNewest(..))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Copies(Some(number)) => write!(f, "live/ holds copies of version {number}, not links to it"),
            Self::Copies(None) => f.write_str("live/ holds copies that are the same as no version of the archive"),
            Self::Dangling(item, target) => {
                write!(f, "live/…/{}.pem leads to `{}`, which is not there", item.stem(), target.display())
            }
            Self::Forbidden(file) => write!(f, "this user may not read {file}"),
            Self::Key(number) => write!(f, "the key of version {number} does not fit its certificate"),
            Self::Mixed(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                write!(f, "the links lead to several versions: {}", numbers.join(", "))
            }
            Self::Missing(items) => {
                let items: Vec<&str> = items.iter().map(|item| item.stem()).collect();
                write!(f, "live/ lacks {}", items.join(", "))
            }
            Self::Nothing => f.write_str("the archive holds no version with all four files"),
            Self::NotNewest(linked, newest) => {
                write!(f, "the links lead to version {linked}, and version {newest} is complete")
            }
            Self::Outside(item, target) => {
                write!(f, "live/…/{}.pem leads to `{}`, out of the archive", item.stem(), target.display())
            }
            Self::Unreadable(why) => f.write_str(why),
        }
    }
}

/// The lineages beside `name` that certbot made for a subset of its names: `NAME-0001`, `NAME-0002`.
pub fn twins<'a>(name: &str, others: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let suffix = |other: &str| other.strip_prefix(name)?.strip_prefix('-').map(str::to_owned);
    let is_twin =
        |other: &&str| suffix(other).is_some_and(|rest| rest.len() == 4 && rest.bytes().all(|b| b.is_ascii_digit()));
    others.into_iter().filter(is_twin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u32) -> Version {
        let byte = u8::try_from(number).unwrap();
        let files = Item::ALL.iter().enumerate().map(|(at, item)| (*item, [byte * 10 + u8::try_from(at).unwrap(); 32]));
        Version { number, files: files.collect(), leaf: Some([byte; 32]), matches: Some(true), ..Version::default() }
    }

    fn lineage(versions: Vec<Version>, link: Link) -> Lineage {
        let live = Item::ALL.iter().map(|item| (*item, link.clone())).collect();
        Lineage { archive: "/le/archive/a".into(), versions, live }
    }

    fn reasons(lineage: &Lineage) -> Vec<&'static str> {
        lineage.faults().iter().map(Fault::reason).collect()
    }

    #[test]
    fn a_sound_lineage_has_no_fault() {
        let sound = lineage(vec![version(1), version(2)], Link::To(2));
        assert!(sound.faults().is_empty());
        assert_eq!(sound.linked().unwrap().number, 2);
        assert_eq!(sound.before(2).unwrap().number, 1);
    }

    #[test]
    fn renew_case_07_copies_are_told_with_the_version_they_equal() {
        let mut copied = lineage(vec![version(1), version(2)], Link::Missing);
        for (item, sha256) in version(1).files {
            copied.live.insert(item, Link::Copy { sha256 });
        }
        assert_eq!(copied.faults(), [Fault::Copies(Some(1))]);
        assert_eq!(copied.current().unwrap().number, 1);
        copied.live.insert(Item::Cert, Link::Copy { sha256: [99; 32] });
        assert_eq!(copied.faults(), [Fault::Copies(None)]);
        assert!(!copied.faults()[0].is_mendable() && copied.current().is_none());
    }

    #[test]
    fn renew_case_08_dangling_links_of_another_mount_are_told_with_their_target() {
        let target = PathBuf::from("/certs/archive/a/cert1.pem");
        let dangling = lineage(vec![version(1)], Link::Dangling(target.clone()));
        assert_eq!(dangling.faults(), [Fault::Dangling(Item::Cert, target)]);
        assert!(dangling.faults()[0].is_mendable());
        assert_eq!(reasons(&lineage(vec![version(1)], Link::Missing)), ["missing-link"]);
        assert_eq!(reasons(&lineage(vec![version(1)], Link::Outside("/x".into()))), ["outside"]);
    }

    #[test]
    fn renew_case_09_links_of_two_versions_and_a_key_that_does_not_fit_are_told() {
        let mut mixed = lineage(vec![version(1), version(2)], Link::To(2));
        mixed.live.insert(Item::Privkey, Link::To(1));
        assert_eq!(mixed.faults(), [Fault::Mixed(vec![1, 2])]);
        assert_eq!(mixed.newest().unwrap().number, 2, "this is what it is relinked to");
        let mut broken = version(2);
        broken.matches = Some(false);
        let wrong = lineage(vec![version(1), broken], Link::To(2));
        assert_eq!(wrong.faults(), [Fault::Key(2)]);
        assert_eq!(wrong.newest().unwrap().number, 1);
    }

    #[test]
    fn renew_case_10_half_written_versions_do_not_count() {
        let mut half = version(2);
        half.files.retain(|item, _| *item == Item::Privkey);
        half.leaf = None;
        let lineage = lineage(vec![version(1), half], Link::To(1));
        assert!(lineage.faults().is_empty());
        assert_eq!(lineage.newest().unwrap().number, 1);
        let nothing = Lineage { versions: lineage.versions[1..].to_vec(), ..lineage };
        assert_eq!(nothing.faults()[0], Fault::Nothing);
    }

    #[test]
    fn renew_case_56_a_key_that_this_user_may_not_read_is_a_doubt_and_not_a_version_that_is_gone() {
        let closed = |number| {
            let mut version = Version { matches: None, closed: vec![Item::Privkey], ..version(number) };
            version.files.remove(&Item::Privkey);
            version
        };
        let told = Fault::Forbidden("archive/…/privkey2.pem".into());
        let unknown = lineage(vec![closed(1), closed(2)], Link::To(2));
        assert_eq!(unknown.faults(), std::slice::from_ref(&told));
        assert!(told.is_doubt() && !told.is_mendable() && told.by_hand().contains("sudo"));
        assert!(!told.by_hand().contains("backup"));
        assert_eq!(unknown.current().unwrap().number, 2, "when it ends can be told all the same");
        // The key of an older version does not matter, and that of a newer one does: it is not to be linked away from.
        assert_eq!(lineage(vec![closed(1), version(2)], Link::To(2)).faults(), []);
        assert_eq!(lineage(vec![version(1), closed(2)], Link::To(2)).faults(), [told]);
        assert_eq!(reasons(&lineage(vec![version(1)], Link::Forbidden)), ["forbidden"]);
    }

    #[test]
    fn a_complete_version_that_is_not_linked_to_is_told() {
        assert_eq!(lineage(vec![version(1), version(2)], Link::To(1)).faults(), [Fault::NotNewest(1, 2)]);
    }

    #[test]
    fn renew_case_11_twins_are_found_by_their_numbers() {
        let others = ["a.test", "a.test-0001", "a.test-0002", "a.test-01", "a.test-www", "b.test-0001"];
        assert_eq!(twins("a.test", others), ["a.test-0001", "a.test-0002"]);
    }
}
