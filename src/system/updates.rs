//! What the package manager of this machine knows of updates: read, never installed.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::{Context, file, process::Command};
use crate::rules::host_updates::{Packages, Stranger, apt, dnf};

/// Looks at the machine whose files are under `root`; its programs are the ones on PATH.
///
/// # Errors
///
/// The machine has no package manager that is known here.
pub async fn look(root: &Path, within: Duration, context: &Context) -> Result<Packages, Stranger> {
    let release = Release::of(root);
    let system = release.name.clone();
    let (security, age, refresh, install) = if release.is(&["debian", "ubuntu"]) {
        (of_apt(within, context).await, apt_age(root, context), "apt-get update", "apt-get dist-upgrade")
    } else if release.is(&["rhel", "fedora", "centos", "amzn"]) {
        (of_dnf(within, context).await, dnf_age(root, context), "dnf makecache", "dnf upgrade --security")
    } else {
        return Err(Stranger(system));
    };
    Ok(Packages { system, security, age, reboot: reboot(root), refresh, install })
}

/// Which system it is (os-release(5)).
struct Release {
    name: String,
    ids: Vec<String>,
}

impl Release {
    fn of(root: &Path) -> Self {
        let places = ["etc/os-release", "usr/lib/os-release"];
        let text =
            places.iter().find_map(|place| file::read_text(&root.join(place), 64 << 10).ok()).unwrap_or_default();
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            let words = line.and_then(|line| shell_words::split(line).ok()).unwrap_or_default();
            words.join(" ")
        };
        let ids = format!("{} {}", value("ID"), value("ID_LIKE"));
        let name = [value("PRETTY_NAME"), value("ID"), "a system that tells no name".to_owned()];
        Self {
            name: name.into_iter().find(|name| !name.is_empty()).unwrap_or_default(),
            ids: ids.split_whitespace().map(str::to_ascii_lowercase).collect(),
        }
    }

    fn is(&self, known: &[&str]) -> bool {
        self.ids.iter().any(|id| known.contains(&id.as_str()))
    }
}

/// A rehearsal of the upgrade: needs no root and takes no lock (apt-get(8), `-s`). The one that may install further packages,
/// for a new kernel is one.
async fn of_apt(within: Duration, context: &Context) -> Result<Vec<String>, String> {
    let command = Command::new("apt-get")
        .args(["-s", "-q", "-o", "APT::Get::Show-User-Simulation-Note=false", "dist-upgrade"])
        .env("LC_ALL", "C");
    Ok(apt(&run(command, within, context).await?))
}

/// From the metadata that is there: nothing is fetched (dnf(8), `--cacheonly`). An ordinary user has another cache than root.
async fn of_dnf(within: Duration, context: &Context) -> Result<Vec<String>, String> {
    let command =
        Command::new("dnf").args(["-q", "--cacheonly", "updateinfo", "list", "--security"]).env("LC_ALL", "C");
    Ok(dnf(&run(command, within, context).await?))
}

async fn run(command: Command, within: Duration, context: &Context) -> Result<String, String> {
    let shown = command.to_string();
    let output =
        context.runner.run(command.timeout(within)).await.map_err(|failure| format!("`{shown}`: {failure}"))?;
    match output.success() && !output.truncated {
        true => Ok(output.text()),
        false => Err(format!("`{shown}` {}: {}", output.ending(), output.complaint())),
    }
}

/// When apt's lists were fetched last. The lists themselves have the server's time. The folder has ours of the last one that
/// was new, and security lists are signed anew every day; the stamps have ours of the last time that all were fetched. What
/// arrives comes through `partial`, but so does what fails: its time says nothing.
fn apt_age(root: &Path, context: &Context) -> Option<SignedDuration> {
    let lists = root.join("var/lib/apt/lists");
    let has_lists = fs::read_dir(&lists).is_ok_and(|mut entries| {
        entries.any(|entry| {
            entry.is_ok_and(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                name.ends_with("Release") || name.contains("_Packages")
            })
        })
    });
    if !has_lists {
        return None;
    }
    let stamps = ["update-success-stamp", "update-stamp"].map(|name| root.join("var/lib/apt/periodic").join(name));
    newest(&[vec![lists], stamps.into()].concat(), context)
}

/// When dnf's metadata was fetched last: of dnf 4 and of dnf 5.
fn dnf_age(root: &Path, context: &Context) -> Option<SignedDuration> {
    let mut stamps = Vec::new();
    for folder in ["var/cache/dnf", "var/cache/libdnf5"] {
        let Ok(entries) = fs::read_dir(root.join(folder)) else { continue };
        for entry in entries.flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            match folder {
                "var/cache/dnf" if name.ends_with(".solv") || name == "last_makecache" => stamps.push(path),
                // A folder a repository, with the metadata in one of its own.
                _ if path.is_dir() => stamps.extend([path.join("repodata/repomd.xml"), path.join("solv")]),
                _ => {}
            }
        }
    }
    newest(&stamps, context)
}

/// The age of the newest of these files; `None` where none is there.
fn newest(paths: &[PathBuf], context: &Context) -> Option<SignedDuration> {
    let changed = |path: &PathBuf| Timestamp::try_from(fs::metadata(path).ok()?.modified().ok()?).ok();
    let last = paths.iter().filter_map(changed).max()?;
    // A clock that was put back is no reason to believe in the future.
    Some(context.clock.now().duration_since(last).max(SignedDuration::ZERO))
}

/// Why a reboot waits: Debian's and Ubuntu's flag with the packages that asked for it (`/run/reboot-required`), and a kernel
/// that was installed after the start of the one that runs.
fn reboot(root: &Path) -> Vec<String> {
    let mut reasons = Vec::new();
    if root.join("run/reboot-required").exists() {
        let packages = file::read_text(&root.join("run/reboot-required.pkgs"), 64 << 10).unwrap_or_default();
        reasons.extend(packages.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
        if reasons.is_empty() {
            reasons.push("a package asks for it".to_owned());
        }
    }
    reasons.extend(newer_kernel(root));
    reasons.sort_unstable();
    reasons.dedup();
    reasons
}

/// A kernel in `/boot` that came after the start. Where the running one is not there (a container, a kernel from elsewhere)
/// nothing is said.
fn newer_kernel(root: &Path) -> Option<String> {
    let running = file::read_text(&root.join("proc/sys/kernel/osrelease"), 4096).ok()?;
    let start = file::read_text(&root.join("proc/stat"), 4 << 20).ok()?;
    let start = start.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<i64>().ok())?;
    let start = Timestamp::from_second(start).ok()?;
    let own = format!("vmlinuz-{}", running.trim());
    let boot = root.join("boot");
    fs::metadata(boot.join(&own)).ok()?;
    let others = fs::read_dir(&boot).ok()?.flatten().filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let came = Timestamp::try_from(created(&entry.path())?).ok()?;
        let newer = name.starts_with("vmlinuz-") && name != own && !name.contains("rescue") && came > start;
        newer.then_some((came, name))
    });
    others
        .max()
        .map(|(_, name)| format!("{} is installed, and {} runs", name.trim_start_matches("vmlinuz-"), running.trim()))
}

/// When a file came to where it is: packages bring the time at which a file was built, and the system notes its own.
fn created(path: &Path) -> Option<std::time::SystemTime> {
    use std::os::unix::fs::MetadataExt;
    let seconds = u64::try_from(fs::metadata(path).ok()?.ctime()).ok()?;
    Some(std::time::UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "files of a machine of one's own")]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::*;
    use crate::system::{clock::Fixed, process::Scripted};

    /// A machine with these files; the clock is ours.
    struct Machine {
        folder: tempfile::TempDir,
        context: Context,
    }

    impl Machine {
        fn new(release: &str, programs: Scripted) -> Self {
            let mut context = Context::real(BTreeMap::new(), "/".into());
            context.runner = Arc::new(programs);
            let machine = Self { folder: tempfile::tempdir().unwrap(), context };
            machine.file("etc/os-release", release);
            machine
        }

        fn file(&self, path: &str, text: &str) {
            let path = self.folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        async fn look(&self) -> Result<Packages, Stranger> {
            look(self.folder.path(), Duration::from_secs(5), &self.context).await
        }
    }

    const DEBIAN: &str = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n";
    const ROCKY: &str = "PRETTY_NAME=\"Rocky Linux 9.6\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n";

    #[tokio::test]
    async fn debian_is_asked_by_a_rehearsal_and_lists_that_were_never_fetched_have_no_age() {
        let line = "Inst libssl3 [1] (2 Debian-Security:12/stable-security [amd64])\n";
        let machine = Machine::new(DEBIAN, Scripted::default().on("apt-get -s", 0, line, ""));
        let packages = machine.look().await.unwrap();
        assert_eq!((packages.security, packages.age), (Ok(vec!["libssl3".to_owned()]), None));
        assert!(packages.reboot.is_empty());
        machine.file("var/lib/apt/lists/deb.example_dists_bookworm_InRelease", "x");
        // A fetch that failed leaves its trace there.
        machine.file("var/lib/apt/lists/partial/x", "");
        machine.file("run/reboot-required", "*** System restart required ***\n");
        machine.file("run/reboot-required.pkgs", "linux-image-6.1.0-40-amd64\nlibc6\nlibc6\n");
        let packages = machine.look().await.unwrap();
        assert!(packages.age.is_some_and(|age| age < SignedDuration::from_mins(5)), "{packages:?}");
        assert_eq!(packages.reboot, ["libc6", "linux-image-6.1.0-40-amd64"]);
        let later = Context {
            clock: Arc::new(Fixed(machine.context.clock.now() + SignedDuration::from_hours(100))),
            ..machine.context.clone()
        };
        let packages = look(machine.folder.path(), Duration::from_secs(5), &later).await.unwrap();
        assert_eq!(packages.age.unwrap().as_hours(), 100);
    }

    #[tokio::test]
    async fn the_rhel_family_is_asked_for_advisories_and_a_refusal_is_told() {
        // No dnf of Debian speaks of advisories: its answers are written down here.
        let line = "RHSA-2026:1 Important/Sec. openssl-libs-1:3.0.7-27.el9.x86_64\n";
        let machine = Machine::new(ROCKY, Scripted::default().on("dnf -q --cacheonly updateinfo", 0, line, ""));
        machine.file("var/cache/dnf/baseos.solv", "");
        let packages = machine.look().await.unwrap();
        assert_eq!(packages.security, Ok(vec!["openssl-libs".to_owned()]));
        assert!(packages.age.is_some() && packages.refresh == "dnf makecache");
        let refuses = Scripted::default().on("dnf", 1, "", "Error: Cache-only enabled but no cache for 'baseos'");
        let packages = Machine::new(ROCKY, refuses).look().await.unwrap();
        assert!(packages.security.is_err_and(|why| why.contains("no cache for 'baseos'")));
        let alpine = Machine::new("PRETTY_NAME=\"Alpine Linux v3.22\"\nID=alpine\n", Scripted::default());
        assert_eq!(alpine.look().await, Err(Stranger("Alpine Linux v3.22".into())));
    }

    #[tokio::test]
    async fn a_kernel_that_came_after_the_start_waits_for_a_reboot() {
        let machine = Machine::new(DEBIAN, Scripted::default().on("apt-get", 0, "", ""));
        machine.file("proc/sys/kernel/osrelease", "6.1.0-39-amd64\n");
        machine.file("proc/stat", "cpu 1 2 3\nbtime 1000000000\n");
        machine.file("boot/vmlinuz-6.1.0-39-amd64", "");
        assert!(machine.look().await.unwrap().reboot.is_empty());
        machine.file("boot/vmlinuz-6.1.0-40-amd64", "");
        machine.file("boot/vmlinuz-0-rescue-abc", "");
        assert_eq!(machine.look().await.unwrap().reboot, ["6.1.0-40-amd64 is installed, and 6.1.0-39-amd64 runs"]);
        // Started after it came.
        machine.file("proc/stat", "btime 4000000000\n");
        assert!(machine.look().await.unwrap().reboot.is_empty());
    }
}
