//! Whether the certificate that is served is the one in the file: what a hand-run renewal gets wrong most often.

use jiff::Timestamp;

use crate::{
    report::{Finding, Status},
    rules::{
        fresh::certificate_path,
        nginx::{Config, Directive, Place},
    },
};

/// The certificate of a server, as far as it is compared.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Leaf {
    /// Its SHA-256 fingerprint.
    pub sha256: [u8; 32],
    /// When its validity begins.
    pub from: Timestamp,
    /// When its validity ends.
    pub until: Timestamp,
}

/// A certificate file that the answering server names; the first certificate in it is the server's own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OnDisk {
    /// Its path where nginx runs.
    pub path: String,
    /// Its first certificate, or why it cannot be read.
    pub leaf: Result<Leaf, String>,
}

/// What was served at one address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Served {
    /// The address with its port.
    pub address: String,
    /// The server's own certificate, or why none came.
    pub leaf: Result<Leaf, String>,
}

/// The certificate files of the block in which `at` names one: a server may have several, one a kind of key. `None` for
/// one that is no file or whose path is only known when a connection comes.
pub fn certificate_files(config: &Config, at: &Place) -> Vec<Option<String>> {
    let mut blocks: Vec<&[Directive]> = vec![&config.top];
    while let Some(block) = blocks.pop() {
        let named = || block.iter().filter(|directive| directive.name == "ssl_certificate");
        if named().any(|directive| directive.at == *at) {
            return named().map(|directive| certificate_path(config, directive.arg())).collect();
        }
        blocks.extend(block.iter().map(Directive::children));
    }
    Vec::new()
}

/// How what an address serves stands to the files. The order is the order in which findings are told.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Match {
    Same,
    Renewed,
    Older,
    Another,
    Unseen,
}

/// Judges `tls.served`: one finding where all addresses agree, else one for each way in which they differ. A server may
/// have several files (one a kind of key); serving any of them is right.
pub fn judge(subject: &str, files: &[OnDisk], served: &[Served], reload: &str) -> Vec<Finding> {
    let known: Vec<(&str, &Leaf)> =
        files.iter().filter_map(|file| Some((file.path.as_str(), file.leaf.as_ref().ok()?))).collect();
    if known.is_empty() {
        let why = files.iter().find_map(|file| Some(format!("`{}`: {}", file.path, file.leaf.as_ref().err()?)));
        let why = why.unwrap_or_else(|| "the server names no certificate file".to_owned());
        let finding = Finding::unknown("tls.served", subject, "the certificate file cannot be read")
            .cause(why)
            .fix("let mainstay read the file: run it with sudo, or correct `ssl_certificate`")
            .data("reason", "unreadable");
        return vec![finding];
    }
    if served.is_empty() {
        return vec![unseen(subject, &[], &known)];
    }
    let mut matched: Vec<(Match, &Served)> = served.iter().map(|served| (compare(served, &known), served)).collect();
    matched.sort_by_key(|(kind, _)| *kind);
    let groups = matched.chunk_by(|(one, _), (other, _)| one == other);
    groups
        .map(|group| {
            let addresses: Vec<&Served> = group.iter().map(|(_, served)| *served).collect();
            let finding = match group[0].0 {
                Match::Unseen => unseen(subject, &addresses, &known),
                kind => seen(subject, kind, &addresses, &known, reload),
            };
            finding.data("addresses", addresses.iter().map(|served| served.address.clone()).collect::<Vec<_>>())
        })
        .collect()
}

fn compare(served: &Served, known: &[(&str, &Leaf)]) -> Match {
    let Ok(leaf) = &served.leaf else { return Match::Unseen };
    if known.iter().any(|(_, file)| file.sha256 == leaf.sha256) {
        Match::Same
    } else if known.iter().any(|(_, file)| file.from > leaf.from) {
        Match::Renewed
    } else if known.iter().all(|(_, file)| file.from < leaf.from) {
        Match::Older
    } else {
        Match::Another
    }
}

fn seen(subject: &str, kind: Match, addresses: &[&Served], known: &[(&str, &Leaf)], reload: &str) -> Finding {
    let (path, file) = known.iter().max_by_key(|(_, leaf)| leaf.from).copied().unwrap_or(known[0]);
    let at = addresses.iter().map(|served| served.address.as_str()).collect::<Vec<_>>().join(", ");
    let leaf = addresses.iter().find_map(|served| served.leaf.as_ref().ok()).unwrap_or(file);
    let (status, summary, reason) = match kind {
        Match::Same => (Status::Pass, format!("serves the certificate of `{path}`"), "same"),
        Match::Renewed => {
            (Status::Fail, format!("renewed, not reloaded: `{path}` is newer than what is served"), "not-reloaded")
        }
        Match::Older => (Status::Fail, format!("serves a newer certificate than `{path}` holds"), "older-file"),
        Match::Another | Match::Unseen => {
            (Status::Fail, format!("serves another certificate than `{path}` holds"), "other-certificate")
        }
    };
    let finding = Finding::new("tls.served", subject, status, summary)
        .expected(format!("the certificate of `{path}`: {}", describe(file)))
        .observed(format!("{at}: {}", describe(leaf)))
        .data("served_sha256", hex(&leaf.sha256))
        .data("file_sha256", hex(&file.sha256))
        .data("file", path)
        .data("reason", reason);
    match kind {
        Match::Same => finding,
        Match::Renewed => finding.cause("nginx reads certificates when it starts or is reloaded").fix(reload),
        Match::Older | Match::Another | Match::Unseen => finding
            .cause("another machine or container answers this address, or the folder that is mounted is not the one that is renewed")
            .fix(format!("compare where the address leads with where nginx runs, and what is mounted at `{path}`")),
    }
}

fn unseen(subject: &str, addresses: &[&Served], known: &[(&str, &Leaf)]) -> Finding {
    let why =
        addresses.iter().filter_map(|served| Some(format!("{}: {}", served.address, served.leaf.as_ref().err()?)));
    let why = why.collect::<Vec<_>>().join("; ");
    Finding::unknown("tls.served", subject, "no certificate came to compare with the file")
        .expected(format!("the certificate of `{}`: {}", known[0].0, describe(known[0].1)))
        .observed(if why.is_empty() { "no address".to_owned() } else { why })
        .fix("make the address answer first; the other tls findings say what is wrong with it")
        .data("reason", "not-served")
}

fn describe(leaf: &Leaf) -> String {
    let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    format!("SHA-256 {}…, valid {} to {}", &hex(&leaf.sha256)[..16], day(leaf.from), day(leaf.until))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_answering_block_are_found() {
        let dump = "# configuration file /etc/nginx/nginx.conf:\nevents {}\nhttp {\n  server { ssl_certificate other.pem; }\n\
                    \x20 server {\n    ssl_certificate certs/ec.pem;\n    ssl_certificate /x/rsa.pem;\n    \
                    ssl_certificate $name.pem;\n  }\n}\n\n";
        let config = crate::rules::nginx::parse_dump(dump).unwrap();
        let at = Place { file: "/etc/nginx/nginx.conf".into(), line: 6 };
        let path = |path: &str| Some(path.to_owned());
        assert_eq!(certificate_files(&config, &at), [path("/etc/nginx/certs/ec.pem"), path("/x/rsa.pem"), None]);
        assert!(certificate_files(&config, &Place { line: 4, ..at }).is_empty());
        let all = crate::rules::fresh::certificates(&config);
        assert_eq!(all, ["/etc/nginx/certs/ec.pem", "/etc/nginx/other.pem", "/x/rsa.pem"]);
    }

    fn leaf(number: u8, from: &str) -> Leaf {
        let from: Timestamp = format!("{from}T00:00:00Z").parse().unwrap();
        Leaf { sha256: [number; 32], from, until: from + jiff::SignedDuration::from_hours(90 * 24) }
    }

    fn disk(leaf: Leaf) -> OnDisk {
        OnDisk { path: "/etc/letsencrypt/live/a/fullchain.pem".into(), leaf: Ok(leaf) }
    }

    fn at(address: &str, leaf: Leaf) -> Served {
        Served { address: address.into(), leaf: Ok(leaf) }
    }

    fn verdicts(files: &[OnDisk], served: &[Served]) -> Vec<(Status, String)> {
        let findings = judge("prime", files, served, "run `docker exec web nginx -s reload`");
        findings.iter().for_each(crate::report::assert_one_voice);
        assert!(findings.iter().all(|finding| finding.status == Status::Pass || finding.fix.is_some()));
        let reason = |finding: &Finding| finding.data["reason"].as_str().unwrap().to_owned();
        findings.iter().map(|finding| (finding.status, reason(finding))).collect()
    }

    fn verdict(status: Status, reason: &str) -> (Status, String) {
        (status, reason.to_owned())
    }

    #[test]
    fn case_23_a_newer_file_is_renewed_and_not_reloaded() {
        let (old, new) = (leaf(1, "2026-08-01"), leaf(2, "2026-10-01"));
        let findings = judge("prime", &[disk(new.clone())], &[at("192.0.2.1:443", old.clone())], "reload it");
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].status, Status::Fail);
        assert!(findings[0].summary.starts_with("renewed, not reloaded"));
        assert_eq!(findings[0].fix.as_deref(), Some("reload it"));
        assert_eq!(verdicts(&[disk(old)], &[at("192.0.2.1:443", new)]), [verdict(Status::Fail, "older-file")]);
    }

    #[test]
    fn the_same_certificate_passes_also_where_there_are_two_files() {
        let (ecdsa, rsa) = (leaf(1, "2026-10-01"), leaf(2, "2026-10-02"));
        let files = [disk(ecdsa.clone()), disk(rsa)];
        assert_eq!(verdicts(&files, &[at("a", ecdsa.clone()), at("b", ecdsa)]), [verdict(Status::Pass, "same")]);
    }

    #[test]
    fn addresses_that_differ_are_told_apart() {
        let (old, new) = (leaf(1, "2026-08-01"), leaf(2, "2026-10-01"));
        let dead = Served { address: "[2001:db8::1]:443".into(), leaf: Err("connection refused".into()) };
        let served = [dead, at("192.0.2.1:443", old), at("192.0.2.2:443", new.clone())];
        let expected = [
            verdict(Status::Pass, "same"),
            verdict(Status::Fail, "not-reloaded"),
            verdict(Status::Unknown, "not-served"),
        ];
        assert_eq!(verdicts(&[disk(new)], &served), expected);
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let unreadable = OnDisk { path: "/x".into(), leaf: Err("permission denied".into()) };
        let served = [at("a", leaf(1, "2026-08-01"))];
        assert_eq!(verdicts(&[unreadable], &served), [verdict(Status::Unknown, "unreadable")]);
        assert_eq!(verdicts(&[], &served), [verdict(Status::Unknown, "unreadable")]);
        assert_eq!(verdicts(&[disk(leaf(1, "2026-08-01"))], &[]), [verdict(Status::Unknown, "not-served")]);
        let same_day = leaf(9, "2026-08-01");
        assert_eq!(verdicts(&[disk(same_day)], &served), [verdict(Status::Fail, "other-certificate")]);
    }
}
