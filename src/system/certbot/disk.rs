//! Reads lineages from the disk, never from `certbot certificates`: its labels change between versions, and it needs
//! certbot's lock.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::fs::{MetadataExt, symlink},
    path::{Path, PathBuf},
};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{
    error::{Error, Kind, Result},
    rules::{
        certificate::{AltName, Certificate},
        renewal::{Conf, Item, Lineage, Link, Validity, Version},
    },
    system::file,
};

/// A lineage with its renewal configuration.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The configuration's path.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// What it says, or what is wrong with it.
    pub conf: std::result::Result<Conf, String>,
    /// The files.
    pub lineage: Lineage,
    /// Who may read the key.
    pub modes: Option<Modes>,
}

/// Owner, group and mode of a private key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Modes {
    /// The user.
    pub owner: u32,
    /// The group.
    pub group: u32,
    /// The bits.
    pub mode: u32,
}

/// A renewal configuration, a certificate or a key is smaller.
const LIMIT: u64 = 1 << 20;

/// The names of all lineages: those that have a renewal configuration.
///
/// # Errors
///
/// The folder cannot be read; one that does not exist holds none.
pub fn names(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory.join("renewal")) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter_map(|name| name.strip_suffix(".conf").map(str::to_owned)).collect();
    names.sort();
    Ok(names)
}

/// The lineage of this name; `None` where there is no trace of it.
///
/// # Errors
///
/// The folder cannot be looked into.
pub fn read(directory: &Path, name: &str) -> Result<Option<Stored>> {
    let trouble = |path: &Path, error: &io::Error| {
        Error::new(Kind::Failed, format!("read `{}`", path.display()))
            .because(file::why(error))
            .hint("run with sudo: certbot's folder belongs to root")
    };
    // Asked first: in a folder that may not be entered, nothing seems to be there.
    match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(trouble(directory, &error)),
        Ok(_) => {}
    }
    let (path, live) = (directory.join(format!("renewal/{name}.conf")), directory.join("live").join(name));
    let text = match file::read_text(&path, LIMIT) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(trouble(&path, &error)),
    };
    let archive = directory.join("archive").join(name);
    for folder in [&archive, &live] {
        if let Err(error) = fs::read_dir(folder)
            && error.kind() == io::ErrorKind::PermissionDenied
        {
            return Err(trouble(folder, &error));
        }
    }
    if text.is_none() && !archive.exists() && !live.exists() {
        return Ok(None);
    }
    let conf = match &text {
        Some(text) => Conf::parse(text),
        None => Err("it is not there".to_owned()),
    };
    let lineage = lineage(&archive, &live);
    let modes = fs::metadata(live.join("privkey.pem")).ok();
    let modes = modes.map(|found| Modes { owner: found.uid(), group: found.gid(), mode: found.mode() & 0o7777 });
    Ok(Some(Stored { path, text: text.unwrap_or_default(), conf, lineage, modes }))
}

/// Lets the four links of a lineage lead to this version. Each is replaced in one step; copies that stood there are gone.
///
/// # Errors
///
/// A link cannot be made.
pub fn relink(directory: &Path, name: &str, number: u32) -> Result<()> {
    let live = directory.join("live").join(name);
    let link = |item: Item| -> io::Result<()> {
        let stem = item.stem();
        let (path, fresh) = (live.join(format!("{stem}.pem")), live.join(format!(".{stem}.pem.mainstay")));
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Relative, as certbot makes them: the folder may be mounted elsewhere in a container.
        symlink(format!("../../archive/{name}/{stem}{number}.pem"), &fresh)?;
        fs::rename(&fresh, &path)
    };
    let done = fs::create_dir_all(&live).and_then(|()| Item::ALL.into_iter().try_for_each(link));
    done.map_err(|error| {
        Error::new(Kind::Failed, format!("link `{}` to version {number}", live.display()))
            .because(file::why(&error))
            .hint("run with sudo; the version is in the archive all the same")
    })
}

fn lineage(archive: &Path, live: &Path) -> Lineage {
    let mut numbers = BTreeSet::new();
    for entry in fs::read_dir(archive).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number = Item::ALL.iter().find_map(|item| {
            let number = name.to_str()?.strip_prefix(item.stem())?.strip_suffix(".pem")?;
            number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse::<u32>().ok())?
        });
        numbers.extend(number);
    }
    let versions: Vec<Version> = numbers.into_iter().map(|number| version(archive, number)).collect();
    let live = Item::ALL.iter().map(|item| (*item, link(archive, live, *item))).collect();
    Lineage { archive: archive.to_owned(), versions, live }
}

fn version(archive: &Path, number: u32) -> Version {
    let mut version = Version { number, ..Version::default() };
    let mut contents: BTreeMap<Item, Vec<u8>> = BTreeMap::new();
    for item in Item::ALL {
        // An empty file is what a full disk leaves.
        let content = file::read(&archive.join(format!("{}{number}.pem", item.stem())), LIMIT);
        match content.map(|content| content.trim_ascii().to_vec()) {
            Ok(content) if !content.is_empty() => {
                version.files.insert(item, Sha256::digest(&content).into());
                contents.insert(item, content);
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => version.closed.push(item),
            _ => {}
        }
    }
    let first = |item| CertificateDer::pem_slice_iter(contents.get(&item)?).next()?.ok();
    if let Some(der) = first(Item::Fullchain)
        && let Ok(certificate) = Certificate::parse(&der)
    {
        version.leaf = Some(certificate.sha256);
        version.validity = Some(Validity { from: certificate.not_before, until: certificate.not_after });
        let names = certificate.names.iter().filter_map(|name| match name {
            AltName::Dns(name) => Some(name.to_ascii_lowercase()),
            AltName::Ip(address) => Some(address.to_string()),
            AltName::Other(_) => None,
        });
        version.names = names.collect();
        version.matches = contents.get(&Item::Privkey).and_then(|key| belongs(key, &der));
        version.der = der.to_vec();
    }
    version
}

/// Whether a private key is the certificate's; `None` for a kind of key that is not known here.
fn belongs(key: &[u8], der: &[u8]) -> Option<bool> {
    let Ok(key) = PrivateKeyDer::from_pem_slice(key) else { return Some(false) };
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).ok()?;
    let public = key.public_key()?;
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(public.as_ref() == certificate.public_key().raw)
}

fn link(archive: &Path, live: &Path, item: Item) -> Link {
    let path = live.join(format!("{}.pem", item.stem()));
    let found = match fs::symlink_metadata(&path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Link::Missing,
        Err(error) => return unseen(&error),
    };
    if !found.is_symlink() {
        return match file::read(&path, LIMIT) {
            Ok(content) => Link::Copy { sha256: Sha256::digest(content.trim_ascii()).into() },
            Err(error) => unseen(&error),
        };
    }
    let written = fs::read_link(&path).unwrap_or_default();
    let target = match fs::canonicalize(&path) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Link::Dangling(written),
        Err(error) => return unseen(&error),
    };
    let inside =
        fs::canonicalize(archive).ok().and_then(|archive| target.strip_prefix(archive).ok().map(Path::to_owned));
    let number =
        inside.and_then(|inside| inside.to_str()?.strip_prefix(item.stem())?.strip_suffix(".pem")?.parse().ok());
    number.map_or(Link::Outside(written), Link::To)
}

/// A right that this user lacks is no fault of the lineage.
fn unseen(error: &io::Error) -> Link {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Link::Forbidden,
        _ => Link::Unreadable(file::why(error)),
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! Lineages on a disk, as certbot leaves them.
    #![expect(clippy::disallowed_methods, reason = "a test writes files of a place of its own")]

    use std::os::unix::fs::PermissionsExt;

    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

    use super::*;
    use crate::system::tls::testing::{Authority, between, leaf};

    /// Adds version `number` to a lineage, valid from and until these days, and links to it.
    pub(crate) fn issue(directory: &Path, name: &str, number: u32, names: &[&str], dates: (&str, &str)) -> Authority {
        let authority = Authority::new("T Root");
        add(&authority, directory, name, number, names, dates);
        relink(directory, name, number).unwrap();
        let path = directory.join("renewal");
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join(format!("{name}.conf")), conf(directory, name)).unwrap();
        authority
    }

    /// The same by an authority that is there, without links.
    pub(crate) fn add(
        authority: &Authority,
        directory: &Path,
        name: &str,
        number: u32,
        names: &[&str],
        dates: (&str, &str),
    ) {
        let archive = directory.join("archive").join(name);
        fs::create_dir_all(&archive).unwrap();
        let mut params = leaf(names);
        between(&mut params, dates);
        let issued = authority.issue_with(params);
        let pem = |der: &[u8]| {
            use base64::Engine;
            let text = base64::engine::general_purpose::STANDARD.encode(der);
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
        };
        let (cert, chain) = (pem(&issued.der), pem(&authority.der()));
        let both = format!("{cert}{chain}");
        for (item, text) in
            [("cert", &cert), ("chain", &chain), ("fullchain", &both), ("privkey", &issued.key.serialize_pem())]
        {
            fs::write(archive.join(format!("{item}{number}.pem")), text).unwrap();
        }
    }

    /// Takes the right to read the key of this version from everybody but root.
    pub(crate) fn close_key(directory: &Path, name: &str, number: u32) -> PathBuf {
        let key = directory.join("archive").join(name).join(format!("privkey{number}.pem"));
        fs::set_permissions(&key, fs::Permissions::from_mode(0o000)).unwrap();
        key
    }

    /// Does this as who is not root. Rights are those of a thread, so the other tests keep theirs.
    pub(crate) fn without_rights<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let work = scope.spawn(|| {
                let mut sets = capabilities(None).unwrap();
                sets.effective.remove(CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH);
                set_capabilities(None, sets).unwrap();
                work()
            });
            work.join().unwrap()
        })
    }

    /// A renewal configuration as certbot 2.1 writes it.
    pub(crate) fn conf(directory: &Path, name: &str) -> String {
        let (live, archive) = (directory.join("live").join(name), directory.join("archive").join(name));
        let file = |stem: &str| format!("{stem} = {}/{stem}.pem\n", live.display());
        format!(
            "version = 2.1.0\narchive_dir = {}\n{}{}{}{}\n[renewalparams]\naccount = 0123\nauthenticator = standalone\nserver = https://127.0.0.1:1/dir\nkey_type = ecdsa\n",
            archive.display(),
            file("cert"),
            file("privkey"),
            file("chain"),
            file("fullchain"),
        )
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test writes files of a place of its own")]

    use super::{testing::*, *};
    use crate::rules::renewal::Fault;

    const DATES: (&str, &str) = ("2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z");

    fn stored(directory: &Path) -> Stored {
        read(directory, "a.test").unwrap().unwrap()
    }

    #[test]
    fn a_sound_lineage_is_read_whole() {
        let place = tempfile::tempdir().unwrap();
        assert!(read(place.path(), "a.test").unwrap().is_none());
        issue(place.path(), "a.test", 1, &["a.test", "b.test"], DATES);
        let stored = stored(place.path());
        assert!(stored.conf.is_ok(), "{:?}", stored.conf);
        assert_eq!(stored.lineage.faults(), []);
        let linked = stored.lineage.linked().unwrap();
        assert_eq!(
            (linked.number, linked.matches, linked.names.as_slice()),
            (1, Some(true), &["a.test".to_owned(), "b.test".to_owned()][..])
        );
        assert_eq!(names(place.path()).unwrap(), ["a.test"]);
    }

    #[test]
    fn renew_case_07_and_08_copies_and_links_of_another_mount_are_seen_and_relinked() {
        let place = tempfile::tempdir().unwrap();
        issue(place.path(), "a.test", 1, &["a.test"], DATES);
        let (live, archive) = (place.path().join("live/a.test"), place.path().join("archive/a.test"));
        for item in Item::ALL {
            fs::remove_file(live.join(format!("{}.pem", item.stem()))).unwrap();
            fs::copy(archive.join(format!("{}1.pem", item.stem())), live.join(format!("{}.pem", item.stem()))).unwrap();
        }
        assert_eq!(stored(place.path()).lineage.faults(), [Fault::Copies(Some(1))]);
        relink(place.path(), "a.test", 1).unwrap();
        assert_eq!(stored(place.path()).lineage.faults(), []);

        fs::remove_file(live.join("cert.pem")).unwrap();
        symlink("/certs/archive/a.test/cert1.pem", live.join("cert.pem")).unwrap();
        let faults = stored(place.path()).lineage.faults();
        assert_eq!(faults, [Fault::Dangling(Item::Cert, "/certs/archive/a.test/cert1.pem".into())]);
        // An absolute link of this mount is as good as certbot's own.
        fs::remove_file(live.join("cert.pem")).unwrap();
        symlink(archive.join("cert1.pem"), live.join("cert.pem")).unwrap();
        assert_eq!(stored(place.path()).lineage.faults(), []);
    }

    #[test]
    fn renew_case_56_a_key_that_this_user_may_not_read_is_told_apart_from_one_that_is_gone() {
        let place = tempfile::tempdir().unwrap();
        issue(place.path(), "a.test", 1, &["a.test"], DATES);
        let key = close_key(place.path(), "a.test", 1);
        let seen = || without_rights(|| stored(place.path()).lineage);
        let closed = seen();
        assert_eq!(closed.faults(), [Fault::Forbidden("archive/…/privkey1.pem".into())]);
        assert!(closed.current().unwrap().validity.is_some());
        fs::remove_file(&key).unwrap();
        assert_eq!(seen().faults()[0], Fault::Nothing);
    }

    #[test]
    fn renew_case_09_and_10_a_kill_between_files_and_between_links_is_seen() {
        let place = tempfile::tempdir().unwrap();
        let authority = issue(place.path(), "a.test", 1, &["a.test"], DATES);
        fs::write(place.path().join("archive/a.test/privkey2.pem"), "half").unwrap();
        assert_eq!(stored(place.path()).lineage.faults(), [], "a half-written version does not count");
        add(&authority, place.path(), "a.test", 2, &["a.test"], DATES);
        let live = place.path().join("live/a.test");
        fs::remove_file(live.join("privkey.pem")).unwrap();
        symlink("../../archive/a.test/privkey2.pem", live.join("privkey.pem")).unwrap();
        let broken = stored(place.path());
        assert_eq!(broken.lineage.faults(), [Fault::Mixed(vec![1, 2])]);
        relink(place.path(), "a.test", broken.lineage.newest().unwrap().number).unwrap();
        assert_eq!(stored(place.path()).lineage.linked().unwrap().number, 2);

        fs::copy(place.path().join("archive/a.test/privkey1.pem"), place.path().join("archive/a.test/privkey2.pem"))
            .unwrap();
        assert_eq!(stored(place.path()).lineage.faults(), [Fault::Key(2)]);
    }
}
