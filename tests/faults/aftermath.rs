//! What must hold after whatever has happened.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::scene::{FOLDER, Place, Scene, names};

/// The archives that `backup list` calls good: destination and id.
pub type Good = BTreeSet<(String, String)>;

impl Scene {
    /// The archives that are called good.
    pub fn good(&self, place: Place) -> Good {
        let run = self.run(place, &["list", "--format", "json"]);
        let report = run.expect_code(0).json();
        let rows = report["result"]["archives"].as_array().expect("rows").iter();
        rows.filter(|row| row["good"] == true).map(|row| pair(&row["destination"], &row["id"])).collect()
    }

    /// Fails unless each of these archives is proved to its last byte, and one of them by Debian's `age` and `tar`.
    pub fn expect_verified(&self, place: Place, good: &Good) {
        let run = self.run(place, &["verify", "--all", "--identity", "key.txt", "--format", "json"]);
        let report = run.json();
        let findings = report["findings"].as_array().expect("findings").iter();
        let proved: Good = findings
            .filter(|finding| finding["status"] == "pass")
            .map(|finding| pair(&finding["data"]["destination"], &finding["data"]["archive"]))
            .collect();
        assert!(good.is_subset(&proved), "called good, and not proved: {:?}: {run}", good.difference(&proved));
        assert!(!good.is_empty(), "no archive is good: {run}");
        let (destination, id) = good.last().expect("one");
        let listed =
            open_by_hand(&self.read(destination.starts_with("s3:"), &format!("{id}.tar.gz.age")), &self.at(""));
        let manifest = ".mainstay/manifest.jsonl\n";
        assert!(listed.ends_with(manifest) && listed.contains("data/large\n"), "{id}: {listed}");
    }

    /// Fails unless nothing half-done is left anywhere: what is there is whole archives and the marker.
    pub fn expect_clean(&self, place: Place) {
        for bucket in [false, true] {
            if bucket && !place.has_bucket() || !bucket && !place.has_folder() {
                continue;
            }
            let mut archives: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for name in self.names(bucket).into_iter().filter(|name| name != ".mainstay-dest.json") {
                let stem = name.split('.').next().unwrap_or_default();
                assert!(stem.starts_with("prime-app-"), "{name} is left");
                archives.entry(stem.to_owned()).or_default().push(name[stem.len()..].to_owned());
            }
            for (stem, mut parts) in archives {
                parts.sort();
                assert_eq!(parts, [".json", ".json.minisig", ".tar.gz.age"], "{stem}");
            }
        }
        if place.has_bucket() {
            assert_eq!(self.moto.uploads(), [""; 0], "uploads that never ended");
        }
        expect_no_temporary(&self.at("state"));
    }
}

/// Fails where a temporary file is left in the state folder.
fn expect_no_temporary(folder: &Path) {
    for name in names(folder) {
        assert!(!name.starts_with('.'), "{name} is left in {}", folder.display());
        if folder.join(&name).is_dir() {
            expect_no_temporary(&folder.join(name));
        }
    }
}

fn pair(destination: &Value, id: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    // The folder is told by its whole path.
    let destination = text(destination);
    let destination = if destination.ends_with(FOLDER) { FOLDER.to_owned() } else { destination };
    (destination, text(id))
}

/// What is in an archive, by `age` and `tar` alone.
fn open_by_hand(archive: &[u8], folder: &Path) -> String {
    let mut child = Command::new("bash")
        .args(["-c", "set -o pipefail; age -d -i key.txt | tar tz"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut stdin = child.stdin.take().expect("a pipe");
    let bytes = archive.to_vec();
    // The list comes while the archive goes in. Where `age` ends early, its complaint says more than the broken pipe.
    let feeding = std::thread::spawn(move || drop(stdin.write_all(&bytes)));
    let output = child.wait_with_output().expect("a child of ours");
    feeding.join().expect("a writer");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaint.is_empty(), "age | tar: {complaint}");
    String::from_utf8(output.stdout).expect("text")
}
