//! Which protocol versions a server offers, and which it should.

use serde_json::{Map, Value};

use super::TlsVersion;
use crate::report::Finding;

/// What a server would speak, version by version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Offers {
    /// RFC 2246.
    pub tls10: Offer,
    /// RFC 4346.
    pub tls11: Offer,
    /// RFC 5246.
    pub tls12: Offer,
    /// RFC 8446.
    pub tls13: Offer,
}

/// Whether a server would speak one version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Offer {
    /// It refuses, in these words.
    No(String),
    /// It could not be found out.
    Unknown(String),
    /// It accepts.
    Yes {
        /// The cipher suite that it chose.
        cipher: String,
    },
}

impl Offers {
    /// Each version with what is known of it, oldest first.
    pub fn each(&self) -> [(TlsVersion, &Offer); 4] {
        [
            (TlsVersion::Tls10, &self.tls10),
            (TlsVersion::Tls11, &self.tls11),
            (TlsVersion::Tls12, &self.tls12),
            (TlsVersion::Tls13, &self.tls13),
        ]
    }

    /// The versions that are offered.
    pub fn offered(&self) -> Vec<TlsVersion> {
        self.each()
            .iter()
            .filter(|(_, offer)| matches!(offer, Offer::Yes { .. }))
            .map(|(version, _)| *version)
            .collect()
    }

    /// Whether nothing at all is known.
    pub fn is_blank(&self) -> bool {
        self.each().iter().all(|(_, offer)| matches!(offer, Offer::Unknown(_)))
    }
}

/// Judges `tls.protocols`.
pub fn protocols(subject: &str, offers: &Offers, least: TlsVersion) -> Finding {
    let offered = offers.offered();
    let old: Vec<TlsVersion> = offered.iter().copied().filter(|version| *version < least).collect();
    let unknown: Vec<String> = offers
        .each()
        .iter()
        .filter_map(|(version, offer)| match offer {
            Offer::Unknown(why) => Some(format!("TLS {}: {why}", version.number())),
            Offer::No(_) | Offer::Yes { .. } => None,
        })
        .collect();
    let finding = if !old.is_empty() {
        Finding::fail("tls.protocols", subject, format!("{} offered, which is too old", listed(&old)))
            .fix(format!("in nginx: `ssl_protocols {};`, then reload", nginx(least)))
            .data("reason", "old-tls")
    } else if !unknown.is_empty() {
        Finding::unknown("tls.protocols", subject, "could not find out every protocol version that is offered")
            .cause(unknown.join("; "))
            .fix("try again later: a firewall may hold back several connections in a row")
            .data("reason", "incomplete")
    } else if offered.is_empty() {
        Finding::fail("tls.protocols", subject, format!("no TLS version from {} on is offered", least.number()))
            .fix(format!("in nginx: `ssl_protocols {};`, then reload", nginx(least)))
            .data("reason", "no-version")
    } else {
        Finding::pass("tls.protocols", subject, format!("{} offered, nothing older", listed(&offered)))
    };
    let table: Map<String, Value> = offers
        .each()
        .iter()
        .map(|(version, offer)| {
            let offered = match offer {
                Offer::No(_) => Value::Bool(false),
                Offer::Unknown(_) => Value::Null,
                Offer::Yes { .. } => Value::Bool(true),
            };
            (version.number().to_owned(), offered)
        })
        .collect();
    let observed: Vec<String> = offers.each().iter().map(|(version, offer)| describe(*version, offer)).collect();
    finding
        .expected(format!("TLS {} or newer only", least.number()))
        .observed(observed.join("; "))
        .data("offered", table)
        .data("min_version", least.number())
}

fn describe(version: TlsVersion, offer: &Offer) -> String {
    let number = version.number();
    match offer {
        Offer::No(why) => format!("TLS {number} no ({why})"),
        Offer::Unknown(why) => format!("TLS {number} unknown ({why})"),
        Offer::Yes { cipher } => format!("TLS {number} yes ({cipher})"),
    }
}

/// "TLS 1.0 and 1.1 are".
fn listed(versions: &[TlsVersion]) -> String {
    match versions {
        [] => "no TLS version is".to_owned(),
        [one] => format!("TLS {} is", one.number()),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(|version| version.number()).collect();
            format!("TLS {} and {} are", first.join(", "), last.number())
        }
    }
}

fn nginx(least: TlsVersion) -> &'static str {
    if least == TlsVersion::Tls13 { "TLSv1.3" } else { "TLSv1.2 TLSv1.3" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Status;

    fn yes() -> Offer {
        Offer::Yes { cipher: "X".into() }
    }

    fn no() -> Offer {
        Offer::No("alert `protocol_version`".into())
    }

    fn unknown() -> Offer {
        Offer::Unknown("no answer".into())
    }

    #[test]
    fn versions_are_judged_against_the_least() {
        use Status::{Fail, Pass, Unknown};
        use TlsVersion::{Tls10, Tls12, Tls13};
        let table = [
            ([no(), no(), yes(), yes()], Tls12, Pass),
            ([no(), no(), yes(), no()], Tls12, Pass),
            ([no(), yes(), yes(), yes()], Tls12, Fail),
            ([yes(), unknown(), yes(), yes()], Tls12, Fail),
            ([unknown(), unknown(), yes(), yes()], Tls12, Unknown),
            ([unknown(), no(), no(), yes()], Tls12, Unknown),
            ([no(), no(), yes(), yes()], Tls13, Fail),
            ([yes(), yes(), yes(), yes()], Tls10, Pass),
            ([no(), no(), no(), no()], Tls12, Fail),
        ];
        for ([tls10, tls11, tls12, tls13], least, status) in table {
            let offers = Offers { tls10, tls11, tls12, tls13 };
            let finding = protocols("prime", &offers, least);
            assert_eq!(finding.status, status, "{offers:?}");
        }
    }

    #[test]
    fn data_tells_yes_no_and_unknown_apart() {
        let offers = Offers { tls10: no(), tls11: unknown(), tls12: yes(), tls13: yes() };
        let finding = protocols("prime", &offers, TlsVersion::Tls12);
        assert_eq!(finding.data["offered"], serde_json::json!({"1.0": false, "1.1": null, "1.2": true, "1.3": true}));
    }
}
