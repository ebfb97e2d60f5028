//! Whose `X-Forwarded-Proto` gunicorn believes.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{
    observation::Observation,
    options::Version,
    setting::{Name, Reading, Source},
};
use crate::report::Finding;

const ID: &str = "gunicorn.trust";

/// What gunicorn does with the other headers, for `data.notes`.
const IGNORED: &str = "gunicorn reads the scheme only (X-Forwarded-Proto: https, exactly so); X-Forwarded-Host, X-Forwarded-Port \
    and X-Forwarded-For are the application's own business (ProxyFix, USE_X_FORWARDED_HOST)";

/// What makes a hidden list seen.
pub(super) const REVEAL: &str =
    "give --forwarded-allow-ips on gunicorn's command line: it wins over every other source";

/// Judges `forwarded_allow_ips`: against what is expected, and against the address nginx comes from, when known.
pub fn judge(observation: &Observation, expected: Option<&str>, peer: Option<IpAddr>, subject: &str) -> Finding {
    let (list, source) = match observation.settings.reading(Name::ForwardedAllowIps) {
        Reading::Known(super::setting::Value::List(list), source) => (list, source),
        Reading::Known(value, _) => {
            return Finding::unknown(ID, subject, format!("forwarded_allow_ips is {value}, which is no list"))
                .fix(REVEAL);
        }
        Reading::Unknown(reason) => {
            return Finding::unknown(ID, subject, "whose headers gunicorn believes is not known")
                .cause(format!("forwarded_allow_ips: {reason}"))
                .fix(REVEAL);
        }
    };
    let value = list.join(",");
    let finding = verdict(observation, list, source, expected, peer, subject);
    let mut notes = vec![IGNORED.to_owned()];
    if all_unix(observation) {
        notes.push("connections through a unix socket are always believed".to_owned());
    }
    if source == &Source::Default && expected.is_none() {
        notes.push("this is gunicorn's own default".to_owned());
    }
    finding
        .observed(format!("{} ({source})", if value.is_empty() { "nobody" } else { &value }))
        .data("value", value)
        .data("source", source.to_string())
        .data("peer", peer.map(|peer| peer.to_string()))
        .data("notes", notes)
}

fn verdict(
    observation: &Observation,
    list: &[String],
    source: &Source,
    expected: Option<&str>,
    peer: Option<IpAddr>,
    subject: &str,
) -> Finding {
    let wanted = expected.unwrap_or("*");
    if let Some(quoted) = list.iter().find(|entry| entry.contains(['"', '\''])) {
        return Finding::fail(ID, subject, format!("the quotes are part of the value {quoted}, so nobody is trusted"))
            .expected(wanted)
            .cause(format!("no shell took the quotes off ({source}): releases before 23 run with a useless value, later ones refuse to start"))
            .fix(format!("write it without quotes in the exec form: [\"--forwarded-allow-ips={wanted}\"]"))
            .data("reason", "quotes");
    }
    if let Some(wrong) = list.iter().find(|entry| !accepts(entry, Version(u16::MAX, 0, 0))) {
        return Finding::fail(
            ID,
            subject,
            format!("`{wrong}` in forwarded_allow_ips is neither an address nor a network"),
        )
        .expected(wanted)
        .cause(format!(
            "{source}: a name or a network with host bits set matches no peer; release 23 and later refuse to start"
        ))
        .fix("list addresses or networks, for example 172.18.0.0/16")
        .data("reason", "not-an-address");
    }
    if let Some(expected) = expected
        && !same(list, expected)
    {
        let finding = Finding::fail(ID, subject, format!("gunicorn does not run with forwarded_allow_ips {expected}"))
            .expected(expected)
            .cause(format!("{source} sets it to {}", if list.is_empty() { "nothing".into() } else { list.join(",") }))
            .data("reason", "different");
        return finding.fix(match source {
            Source::Argv => format!("change --forwarded-allow-ips on gunicorn's command line to '{expected}'"),
            Source::CommandArguments => format!("change --forwarded-allow-ips in GUNICORN_CMD_ARGS to '{expected}'"),
            Source::File(path, line) => {
                format!("change forwarded_allow_ips in {path}, line {line}: the file wins over the environment")
            }
            Source::Variable(name) => format!("change {name} to {expected}"),
            Source::Control | Source::Default => format!("start gunicorn with --forwarded-allow-ips='{expected}'"),
        });
    }
    if all_unix(observation) {
        return Finding::pass(ID, subject, "gunicorn listens on a unix socket, whose peers are always believed");
    }
    match peer {
        _ if list.iter().any(|entry| entry == "*") => {
            Finding::pass(ID, subject, "gunicorn believes X-Forwarded-Proto of every peer")
        }
        Some(peer) if trusts(list, peer) => {
            Finding::pass(ID, subject, format!("gunicorn believes X-Forwarded-Proto of nginx at {peer}"))
        }
        Some(peer) => Finding::fail(ID, subject, format!("gunicorn does not believe nginx at {peer}: it sees plain http"))
            .expected(format!("a list that holds {peer}"))
            .cause(format!("{source} trusts {} only", if list.is_empty() { "nobody".into() } else { list.join(",") }))
            .fix(match observation.network.as_ref().and_then(|network| network.subnet_of(peer)) {
                Some(subnet) => format!("start gunicorn with --forwarded-allow-ips={subnet} (a network needs release 24.1 or later, before that {peer})"),
                None => format!("start gunicorn with --forwarded-allow-ips={peer}"),
            })
            .data("reason", "peer"),
        None if expected.is_some() => Finding::pass(ID, subject, "forwarded_allow_ips is as configured"),
        None => Finding::skip(
            ID,
            subject,
            format!("gunicorn believes {}; nothing else is expected, and the address nginx comes from is not known",
                if list.is_empty() { "nobody".into() } else { list.join(",") }),
        ),
    }
}

/// Whether this release takes the entry; before 23 every text went.
pub(super) fn accepts(entry: &str, version: Version) -> bool {
    if entry == "*" || version < Version(23, 0, 0) {
        return true;
    }
    // Python reads `fe80::1%eth0` too.
    let (plain, scope) = entry.split_once('%').map_or((entry, None), |(plain, scope)| (plain, Some(scope)));
    if plain.parse::<IpAddr>().is_ok_and(|address| scope.is_none_or(|scope| address.is_ipv6() && !scope.is_empty())) {
        return true;
    }
    version >= Version(24, 1, 0) && network(entry).is_some()
}

/// Whether gunicorn believes this peer.
pub(super) fn trusts(list: &[String], peer: IpAddr) -> bool {
    list.iter().any(|entry| {
        entry == "*"
            || entry.parse::<IpAddr>().is_ok_and(|address| address == peer)
            || network(entry).is_some_and(|network| network.contains(&peer))
    })
}

/// Whether gunicorn believes everybody.
pub(super) fn is_open(list: &[String]) -> bool {
    list.iter().any(|entry| entry == "*" || network(entry).is_some_and(|network| network.prefix_len() == 0))
}

/// Every address that gunicorn listens on is a unix socket.
pub(super) fn all_unix(observation: &Observation) -> bool {
    observation
        .settings
        .list(Name::Bind)
        .is_some_and(|list| !list.is_empty() && list.iter().all(|address| address.starts_with("unix:")))
}

/// A network as Python's strict `ip_network` takes it: a prefix length or a netmask, no host bits.
fn network(entry: &str) -> Option<IpNet> {
    let (address, length) = entry.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let network = match length.parse::<IpAddr>() {
        Ok(mask) => IpNet::with_netmask(address, mask).ok()?,
        Err(_) if length.bytes().all(|byte| byte.is_ascii_digit()) => IpNet::new(address, length.parse().ok()?).ok()?,
        Err(_) => return None,
    };
    (network.addr() == network.network()).then_some(network)
}

fn same(list: &[String], expected: &str) -> bool {
    let mut wanted: Vec<&str> = expected.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
    let mut have: Vec<&str> = list.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    wanted.dedup();
    have.sort_unstable();
    have.dedup();
    wanted == have
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::Status,
        rules::gunicorn::observation::sample::{observation, on_network},
    };

    fn peer(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn judge(seen: &Observation, expected: Option<&str>, peer: Option<IpAddr>, subject: &str) -> Finding {
        let finding = super::judge(seen, expected, peer, subject);
        crate::report::assert_one_voice(&finding);
        finding
    }

    #[test]
    fn case_42_star_is_as_configured() {
        let finding = judge(&observation(&["--forwarded", "*", "app:app"]), Some("*"), None, "prime");
        assert_eq!((finding.status, finding.observed.as_deref()), (Status::Pass, Some("* (argv)")));
    }

    #[test]
    fn case_44_the_file_that_beats_the_environment_is_named() {
        let mut seen = observation(&["app:app"]);
        seen.settings = crate::rules::gunicorn::observation::sample::settings(
            &["app:app"],
            &[("FORWARDED_ALLOW_IPS", "*")],
            Some("forwarded_allow_ips = '10.0.0.0/8'"),
        );
        let finding = judge(&seen, Some("*"), None, "prime");
        assert_eq!(finding.status, Status::Fail);
        assert_eq!(finding.observed.as_deref(), Some("10.0.0.0/8 (gunicorn.conf.py:1)"));
        assert!(finding.fix.unwrap().contains("gunicorn.conf.py, line 1"));
    }

    #[test]
    fn case_49_quotes_that_no_shell_took_off() {
        let finding = judge(&observation(&["--forwarded-allow-ips=\"*\"", "app:app"]), Some("*"), None, "prime");
        assert_eq!((finding.status, finding.data["reason"].as_str()), (Status::Fail, Some("quotes")));
    }

    #[test]
    fn the_peer_decides_when_it_is_known() {
        let seen = on_network(observation(&["--forwarded-allow-ips=172.18.0.0/16", "app:app"]), "172.18.0.2", 16);
        assert_eq!(judge(&seen, None, peer("172.18.0.3"), "x").status, Status::Pass);
        assert_eq!(judge(&seen, None, peer("10.0.0.3"), "x").status, Status::Fail);
        assert_eq!(judge(&seen, None, None, "x").status, Status::Skip);
        let narrow = on_network(observation(&["app:app"]), "172.18.0.2", 16);
        let finding = judge(&narrow, None, peer("172.18.0.3"), "x");
        assert_eq!(finding.status, Status::Fail);
        assert!(finding.fix.unwrap().contains("172.18.0.0/16"));
        let socket = observation(&["-b", "unix:/run/x.sock", "app:app"]);
        assert_eq!(judge(&socket, None, peer("172.18.0.3"), "x").status, Status::Pass);
    }

    #[test]
    fn what_python_takes_as_a_network() {
        for (entry, taken) in [
            ("10.0.0.0/8", true),
            ("10.0.0.0/255.0.0.0", true),
            ("10.0.0.1/8", false),
            ("fd00::/8", true),
            ("10.0.0.1", true),
            ("web", false),
            ("10.0.0.0/33", false),
            ("10.0.0.0/+8", false),
            ("010.0.0.1", false),
            ("", false),
        ] {
            assert_eq!(accepts(entry, Version(27, 0, 0)), taken, "{entry}");
        }
        assert!(!accepts("10.0.0.0/8", Version(23, 0, 0)));
        assert!(accepts("web", Version(20, 1, 0)));
    }
}
