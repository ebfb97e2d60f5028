//! `host.disk`: room on the filesystems that the jobs use, in bytes and in inodes.

use super::units::tell_size;
use crate::report::{Finding, Status};

/// The id of the public contract.
pub const ID: &str = "host.disk";

/// One filesystem with what is kept there.
#[derive(Clone, Debug, PartialEq)]
pub struct Volume {
    /// Where it is mounted.
    pub mount: String,
    /// Its room, as an ordinary user has it: what is kept for root is no room.
    pub bytes: Amount,
    /// Its inodes; `None` where it makes as many as are wanted (btrfs, vfat).
    pub inodes: Option<Amount>,
    /// Whether nothing can be written to it.
    pub read_only: bool,
    /// What is kept there.
    pub uses: Vec<Use>,
}

/// How much there is of something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Amount {
    /// What is left.
    pub free: u64,
    /// What there is altogether.
    pub total: u64,
}

/// Something that is kept on a filesystem.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Use {
    /// What, in words: `the state`, `backup app`.
    pub what: String,
    /// Where.
    pub path: String,
    /// Whether a job writes there.
    pub writes: bool,
}

/// What was seen of all of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Disks {
    /// The filesystems.
    pub volumes: Vec<Volume>,
    /// What could not be looked at, and why.
    pub unseen: Vec<(Use, String)>,
}

/// How little room is too little: shares from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Room {
    /// With less than this somebody should look.
    pub warn: f64,
    /// With less than this it is wrong.
    pub fail: f64,
}

impl Amount {
    /// What is left, from 0 to 1; nothing of nothing is nothing.
    #[expect(clippy::cast_precision_loss, reason = "a share is no exact number")]
    pub fn share(self) -> f64 {
        if self.total == 0 { 0.0 } else { self.free as f64 / self.total as f64 }
    }
}

/// One finding for each filesystem, and one for each path that could not be looked at.
pub fn judge(subject: &str, disks: &Disks, room: Room) -> Vec<Finding> {
    let mut findings: Vec<Finding> = disks.volumes.iter().map(|volume| one(subject, volume, room)).collect();
    for (used, why) in &disks.unseen {
        let finding = Finding::unknown(ID, subject, format!("`{}` ({}) cannot be looked at", used.path, used.what));
        findings.push(
            finding
                .cause(why.clone())
                .fix(format!("look with `df -h {}`; a network filesystem whose server is away hangs", used.path))
                .data("reason", "unseen")
                .data("path", used.path.clone()),
        );
    }
    if findings.is_empty() {
        findings.push(Finding::skip(ID, subject, "no job uses a folder of this machine"));
    }
    findings
}

fn one(subject: &str, volume: &Volume, room: Room) -> Finding {
    let Volume { mount, bytes, inodes, read_only, uses } = volume;
    let by_bytes = level(bytes.share(), room);
    let by_inodes = inodes.map_or(Status::Pass, |inodes| level(inodes.share(), room));
    let bytes_told =
        format!("{} free, {} of {}", percent(bytes.share()), tell_size(bytes.free), tell_size(bytes.total));
    let inodes_told = inodes.map(|inodes| format!("{} of the inodes free, {}", percent(inodes.share()), inodes.free));
    let writer = uses.iter().find(|used| used.writes).filter(|_| *read_only);
    let (status, reason, summary) = if let Some(writer) = writer {
        (Status::Fail, Some("read-only"), format!("`{mount}` can only be read, and {} is written there", writer.what))
    } else if by_inodes > by_bytes {
        let told = inodes_told.clone().unwrap_or_default();
        (by_inodes, Some("inodes"), format!("`{mount}` runs out of inodes: {told}"))
    } else if by_bytes == Status::Pass {
        (Status::Pass, None, format!("`{mount}` has room: {bytes_told}"))
    } else {
        (by_bytes, Some("full"), format!("`{mount}` runs full: {bytes_told}"))
    };
    let finding = Finding::new(ID, subject, status, summary);
    let finding = match reason {
        None => finding,
        Some("read-only") => finding
            .expected("a filesystem that can be written to")
            .fix(format!("see `dmesg` for errors of the disk, then mount it anew: `mount -o remount,rw {mount}`")),
        Some("inodes") => finding
            .expected(format!("at least {} of the inodes free", percent(room.warn)))
            .fix(format!("find the folder with the most files: `du --inodes -x {mount} | sort -n | tail`")),
        Some(_) => finding.expected(format!("at least {} free", percent(room.warn))).fix(format!(
            "find what is large: `du -xh {mount} | sort -h | tail`; remove it, or enlarge the filesystem"
        )),
    };
    let finding = match reason {
        Some(reason) => finding.data("reason", reason),
        None => finding,
    };
    let used: Vec<String> = uses.iter().map(|used| format!("{}: {}", used.what, used.path)).collect();
    let finding = finding
        .data("mount", mount.clone())
        .data("bytes", serde_json::json!({ "free": bytes.free, "total": bytes.total }))
        .data("used_by", used);
    match inodes {
        Some(inodes) => finding.data("inodes", serde_json::json!({ "free": inodes.free, "total": inodes.total })),
        None => finding,
    }
}

fn level(share: f64, room: Room) -> Status {
    match share {
        share if share < room.fail => Status::Fail,
        share if share < room.warn => Status::Warn,
        _ => Status::Pass,
    }
}

/// A share as a person reads it, never rounded up: what is left is not to look like more.
fn percent(share: f64) -> String {
    match share * 100.0 {
        part if part > 0.0 && part < 10.0 => format!("{:.1}%", (part * 10.0).floor() / 10.0),
        part => format!("{:.0}%", part.floor()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::assert_one_voice;

    fn volume(free: u64, inodes: Option<u64>) -> Volume {
        let used = Use { what: "the state".into(), path: "/var/lib/mainstay".into(), writes: true };
        Volume {
            mount: "/".into(),
            bytes: Amount { free, total: 1000 << 30 },
            inodes: inodes.map(|free| Amount { free, total: 1000 }),
            read_only: false,
            uses: vec![used],
        }
    }

    fn judged(volumes: Vec<Volume>) -> Vec<Finding> {
        let findings = judge("host", &Disks { volumes, unseen: Vec::new() }, Room { warn: 0.10, fail: 0.05 });
        findings.iter().for_each(assert_one_voice);
        findings
    }

    #[test]
    fn bytes_and_inodes_are_judged_by_the_worse_of_the_two() {
        let full = volume(0, Some(500)).bytes.total;
        for (free, inodes, status, reason) in [
            (full / 2, Some(500), Status::Pass, ""),
            (full / 2, None, Status::Pass, ""),
            (full / 10, Some(500), Status::Pass, ""),
            (full / 10 - 1, Some(500), Status::Warn, "full"),
            (full / 20, Some(500), Status::Warn, "full"),
            (full / 20 - 1, Some(500), Status::Fail, "full"),
            (0, None, Status::Fail, "full"),
            (full / 2, Some(99), Status::Warn, "inodes"),
            (full / 2, Some(0), Status::Fail, "inodes"),
            (full / 10 - 1, Some(0), Status::Fail, "inodes"),
            (0, Some(99), Status::Fail, "full"),
        ] {
            let findings = judged(vec![volume(free, inodes)]);
            let told = findings[0].data.get("reason").and_then(|reason| reason.as_str()).unwrap_or_default();
            assert_eq!((findings[0].status, told), (status, reason), "{free} {inodes:?}: {findings:?}");
        }
    }

    #[test]
    fn what_is_left_never_looks_like_more() {
        assert_eq!(
            [0.0, 0.0009, 0.0499, 0.0999, 0.1, 0.999, 1.0].map(percent),
            ["0%", "0.0%", "4.9%", "9.9%", "10%", "99%", "100%"]
        );
        let findings = judged(vec![volume(49 << 30, Some(500))]);
        assert_eq!(findings[0].summary, "`/` runs full: 4.9% free, 49.0 GiB of 1000.0 GiB");
    }

    #[test]
    fn a_filesystem_that_turned_read_only_is_wrong_only_where_something_is_written() {
        let broken = Volume { read_only: true, ..volume(900 << 30, None) };
        assert_eq!(judged(vec![broken.clone()])[0].data["reason"], "read-only");
        let mut read = broken;
        read.uses[0].writes = false;
        assert_eq!(judged(vec![read])[0].status, Status::Pass);
    }

    #[test]
    fn what_cannot_be_seen_is_unknown_and_nothing_is_a_skip() {
        assert_eq!(judged(Vec::new())[0].status, Status::Skip);
        let used = Use { what: "backup app".into(), path: "/mnt/nas".into(), writes: true };
        let disks =
            Disks { volumes: vec![volume(900 << 30, None)], unseen: vec![(used, "no answer within 5 s".into())] };
        let findings = judge("host", &disks, Room { warn: 0.10, fail: 0.05 });
        findings.iter().for_each(assert_one_voice);
        assert_eq!(findings.iter().map(|finding| finding.status).collect::<Vec<_>>(), [Status::Pass, Status::Unknown]);
    }
}
