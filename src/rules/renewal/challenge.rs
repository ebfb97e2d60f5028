//! The path of an HTTP-01 challenge: followed as the authority follows it, and judged before the authority is asked.
//!
//! Let's Encrypt follows up to 10 redirects, to ports 80 and 443 only, and does not check certificates on the way
//! (its page on challenge types).

use std::{fmt, net::IpAddr};

use url::Url;

use crate::{
    report::Finding,
    rules::http::{Answer, HttpFailure},
};

/// Where the authority looks, with a slash at its end.
pub const PATH: &str = "/.well-known/acme-challenge/";

/// What to do after an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Next {
    /// Ask there.
    Follow(Url),
    /// The token came.
    Served,
    /// It did not.
    Missed(Missed),
}

/// Why a token did not come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Missed {
    /// 403: it is there, and nginx may not read it.
    Forbidden(String),
    /// 404: nginx looks elsewhere, or another server answers.
    NotFound(String),
    /// Another answer, with what it was.
    Other(String),
    /// No answer at all.
    NoAnswer(HttpFailure),
    /// A redirect that no authority follows.
    Redirect(String),
}

/// How an address came to be looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Aim {
    /// This machine, whatever the DNS says.
    Local,
    /// An address that the DNS publishes.
    Public,
}

/// One try to fetch the token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Probe {
    /// The name of the certificate.
    pub name: String,
    /// Where it was asked for.
    pub address: IpAddr,
    /// Why there.
    pub aim: Aim,
    /// Whether the address is one of this machine.
    pub is_own: bool,
    /// What came of it.
    pub outcome: Result<(), Missed>,
}

/// What all tries together mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof {
    /// Why webroot would fail, one line each; empty where it is proved.
    pub against: Vec<String>,
    /// What to do about it.
    pub fix: Option<String>,
    /// Whether another machine answers where the authority would ask: no way that begins here helps against that.
    pub is_elsewhere: bool,
    /// What the operator should know although it is proved.
    pub warnings: Vec<Finding>,
}

/// The next step after `hops` redirects; `token` is what must come.
pub fn next(url: &Url, answer: &Answer, token: &str, hops: usize) -> Next {
    let missed = |missed| Next::Missed(missed);
    if answer.is_redirect() {
        let Some(target) = answer.header("location").and_then(|target| url.join(target).ok()) else {
            return missed(Missed::Redirect(format!("{} leads nowhere", answer.status)));
        };
        let (port, scheme) = (target.port_or_known_default(), target.scheme());
        return if hops >= 10 {
            missed(Missed::Redirect("more than 10 redirects".to_owned()))
        } else if !matches!(scheme, "http" | "https") || !matches!(port, Some(80 | 443)) {
            missed(Missed::Redirect(format!("{target}: an authority follows to ports 80 and 443 only")))
        } else {
            Next::Follow(target)
        };
    }
    let path = url.path();
    match answer.status {
        200 if trimmed(&answer.body) == token.as_bytes() => Next::Served,
        200 => missed(Missed::Other(format!("{} answers 200 with something else", shown(url)))),
        403 => missed(Missed::Forbidden(format!("{} answers 403 for {path}", shown(url)))),
        404 => missed(Missed::NotFound(format!("{} answers 404", shown(url)))),
        status => missed(Missed::Other(format!("{} answers {status}", shown(url)))),
    }
}

/// Judges the tries of all names of a certificate.
///
/// Here decides: a network that does not lead its own public address back inside (hairpin) says nothing about what the
/// authority sees. An IPv6 address is another matter, since nothing translates it: where one is published and another server
/// answers there, the authority, which prefers IPv6, gets that answer. Where that server is on another machine, to stop the one
/// here changes nothing; where nobody answers, or this machine itself, standalone may work.
pub fn prove(subject: &str, names: &[String], probes: &[Probe]) -> Proof {
    let mut proof = Proof { against: Vec::new(), fix: None, is_elsewhere: false, warnings: Vec::new() };
    for name in names {
        let of_name: Vec<&Probe> = probes.iter().filter(|probe| probe.name == *name).collect();
        let served = |aim| of_name.iter().any(|probe| probe.aim == aim && probe.outcome.is_ok());
        let missed = |probe: &&&Probe| probe.outcome.is_err();
        let local = served(Aim::Local);
        if !local && !served(Aim::Public) {
            let why = of_name.iter().find_map(|probe| Some((probe, probe.outcome.as_ref().err()?)));
            let (line, fix) = why.map_or_else(
                || (format!("{name}: there is no address to look at"), "publish an address in the DNS".to_owned()),
                |(probe, missed)| (format!("{name} at {}: {missed}", probe.address), missed.fix()),
            );
            proof.against.push(line);
            proof.fix.get_or_insert(fix);
            continue;
        }
        for probe in of_name.iter().filter(|probe| probe.aim == Aim::Public).filter(missed) {
            let Err(why) = &probe.outcome else { continue };
            let elsewhere =
                probe.address.is_ipv6() && !matches!(why, Missed::NoAnswer(failure) if !failure.is_the_sites());
            if elsewhere {
                // Where it could not even connect, the authority goes on to the IPv4 address.
                let is_closed = matches!(why, Missed::NoAnswer(failure) if failure.is_closed_port());
                proof.is_elsewhere |= !probe.is_own && !is_closed;
                proof.against.push(format!("{name} at {}: {why}", probe.address));
                proof.fix.get_or_insert(format!(
                    "let nginx answer on IPv6 too, or take the AAAA record {} of {name} out of the DNS",
                    probe.address
                ));
            } else {
                proof.warnings.push(
                    Finding::warn(ID, subject, format!("{name} is not seen from here at its public address {}", probe.address))
                        .observed(why.to_string())
                        .cause("networks often do not lead their own public address back inside; the authority comes from outside")
                        .fix("make sure that port 80 is open from outside")
                        .data("reason", "hairpin"),
                );
            }
        }
    }
    proof
}

/// What findings about a renewal are called.
const ID: &str = "certificate.renew";

impl Missed {
    /// What to do about it.
    pub fn fix(&self) -> String {
        match self {
            Self::Forbidden(_) => "let the workers of nginx read the webroot: `chmod 755` on each folder of its path",
            Self::NotFound(_) => {
                "point `webroot` of the certificate at the folder that nginx serves /.well-known/acme-challenge/ from"
            }
            Self::Other(_) => "give /.well-known/acme-challenge/ a location of its own in the server on port 80",
            Self::NoAnswer(_) => "see whether the web server runs and port 80 leads to it",
            Self::Redirect(_) => {
                "serve /.well-known/acme-challenge/ without a redirect, or redirect to https on port 443"
            }
        }
        .to_owned()
    }

    /// The word for `data.reason`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Forbidden(_) => "forbidden",
            Self::NotFound(_) => "not-found",
            Self::Other(_) => "other-answer",
            Self::NoAnswer(failure) => failure.reason(),
            Self::Redirect(_) => "redirect",
        }
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden(text) | Self::NotFound(text) | Self::Other(text) | Self::Redirect(text) => {
                f.write_str(text)
            }
            Self::NoAnswer(failure) => failure.fmt(f),
        }
    }
}

fn shown(url: &Url) -> String {
    format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default())
}

/// Without the white space that an editor or a template may add (RFC 8555, 8.3 lets it be ignored at the end).
fn trimmed(body: &[u8]) -> &[u8] {
    body.trim_ascii_end()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn answer(status: u16, location: Option<&str>, body: &str) -> Answer {
        Answer {
            version: "HTTP/1.1",
            status,
            headers: location.map(|value| ("location".to_owned(), value.to_owned())).into_iter().collect(),
            body: body.as_bytes().to_vec(),
            truncated: false,
            broken: None,
            date: None,
            took: Duration::ZERO,
        }
    }

    fn url() -> Url {
        Url::parse("http://a.test/.well-known/acme-challenge/t").unwrap()
    }

    #[test]
    fn renew_case_15_redirects_are_followed_to_ports_80_and_443_up_to_ten() {
        let follow = |location: &str, hops| next(&url(), &answer(301, Some(location), ""), "t", hops);
        let to = |text: &str| Next::Follow(Url::parse(text).unwrap());
        assert_eq!(follow("https://a.test/x", 0), to("https://a.test/x"));
        assert_eq!(follow("/other", 9), to("http://a.test/other"));
        assert!(matches!(follow("https://a.test/x", 10), Next::Missed(Missed::Redirect(_))));
        for wrong in ["https://a.test:8443/", "http://a.test:8080/", "ftp://a.test/"] {
            assert!(matches!(follow(wrong, 0), Next::Missed(Missed::Redirect(_))), "{wrong}");
        }
        assert!(matches!(next(&url(), &answer(302, None, ""), "t", 0), Next::Missed(Missed::Redirect(_))));
    }

    #[test]
    fn renew_case_16_403_is_told_apart_from_404() {
        let said = |status| match next(&url(), &answer(status, None, "t"), "t", 0) {
            Next::Missed(missed) => missed.reason(),
            other => panic!("{other:?}"),
        };
        assert_eq!((said(403), said(404), said(500)), ("forbidden", "not-found", "other-answer"));
        assert_eq!(next(&url(), &answer(200, None, "t\n"), "t", 0), Next::Served);
        assert!(matches!(next(&url(), &answer(200, None, "<html>"), "t", 0), Next::Missed(Missed::Other(_))));
    }

    fn probe(name: &str, address: &str, aim: Aim, outcome: Result<(), Missed>) -> Probe {
        Probe { name: name.into(), address: address.parse().unwrap(), aim, is_own: aim == Aim::Local, outcome }
    }

    fn not_found() -> Result<(), Missed> {
        Err(Missed::NotFound("http://a.test answers 404".into()))
    }

    #[test]
    fn renew_case_12_a_wrong_webroot_is_found_for_each_name_before_the_authority_is_asked() {
        let names = ["a.test".to_owned(), "b.test".to_owned()];
        let probes =
            [probe("a.test", "127.0.0.1", Aim::Local, Ok(())), probe("b.test", "127.0.0.1", Aim::Local, not_found())];
        let proof = prove("prime", &names, &probes);
        assert_eq!(proof.against, ["b.test at 127.0.0.1: http://a.test answers 404"]);
        assert!(proof.fix.unwrap().contains("`webroot`"));
        assert!(!prove("prime", &names[..1], &[]).against.is_empty());
    }

    #[test]
    fn renew_case_13_a_published_ipv6_address_that_leads_elsewhere_blocks_and_one_that_cannot_be_seen_does_not() {
        let names = ["a.test".to_owned()];
        let local = || probe("a.test", "127.0.0.1", Aim::Local, Ok(()));
        let v6 = |outcome| prove("prime", &names, &[local(), probe("a.test", "2001:db8::1", Aim::Public, outcome)]);
        assert!(v6(Ok(())).against.is_empty());
        // Another machine answers: to stop the site would be for nothing.
        let other = v6(not_found());
        assert_eq!((other.against.len(), other.is_elsewhere), (1, true));
        assert!(other.fix.unwrap().contains("AAAA"));
        // nginx listens on IPv4 only, or another server of this machine answers there: certbot itself would answer both.
        let closed = v6(Err(Missed::NoAnswer(HttpFailure::Refused)));
        assert_eq!((closed.against.len(), closed.is_elsewhere), (1, false));
        assert!(v6(Err(Missed::NoAnswer(HttpFailure::NotHttp("SSH-2.0".into())))).is_elsewhere);
        let own = Probe { is_own: true, ..probe("a.test", "2001:db8::1", Aim::Public, not_found()) };
        let own = prove("prime", &names, &[local(), own]);
        assert_eq!((own.against.len(), own.is_elsewhere), (1, false));
        // Where the site has no webroot, nothing tells whose answer it is.
        let both = [
            probe("a.test", "127.0.0.1", Aim::Local, not_found()),
            probe("a.test", "2001:db8::1", Aim::Public, not_found()),
        ];
        assert!(!prove("prime", &names, &both).is_elsewhere);
        let unseen = v6(Err(Missed::NoAnswer(HttpFailure::NoRoute("no IPv6".into()))));
        assert_eq!((unseen.against.len(), unseen.warnings.len()), (0, 1));
    }

    #[test]
    fn renew_case_14_behind_a_router_that_does_not_lead_back_the_local_probe_decides() {
        let names = ["a.test".to_owned()];
        let refused = || Err(Missed::NoAnswer(HttpFailure::Refused));
        let public = |outcome| probe("a.test", "192.0.2.1", Aim::Public, outcome);
        let proof = prove("prime", &names, &[probe("a.test", "127.0.0.1", Aim::Local, Ok(())), public(refused())]);
        assert!(proof.against.is_empty());
        assert_eq!(proof.warnings[0].data["reason"], "hairpin");
        crate::report::assert_one_voice(&proof.warnings[0]);
        // Another machine serves it: what is seen from outside counts too.
        let proof = prove("prime", &names, &[probe("a.test", "127.0.0.1", Aim::Local, refused()), public(Ok(()))]);
        assert_eq!((proof.against.len(), proof.warnings.len()), (0, 0));
    }
}
