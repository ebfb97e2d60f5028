//! Certificates at a glance: those that sites serve, and those that are renewed here.

use serde::Serialize;

use crate::report::{Finding, Status};

/// A certificate, and how much of its life is left.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Certificate {
    /// The site that serves it, or the name of its section.
    pub name: String,
    /// Where it was seen.
    pub source: Source,
    /// The verdict on its end.
    pub status: Status,
    /// Whole days to its end, negative after it; `null` where it could not be seen.
    pub days_left: Option<i64>,
    /// Days from its beginning to its end.
    pub lifetime_days: Option<i64>,
    /// Its end, as an instant.
    pub not_after: Option<String>,
    /// The verdict in words.
    pub summary: String,
}

/// Where a certificate was seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A site serves it.
    Served,
    /// It is in certbot's folder.
    File,
}

impl Source {
    /// In a word or two.
    pub fn word(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::File => "on disk",
        }
    }
}

impl Certificate {
    /// How much of its life is left: 0 to 1.
    pub fn share(&self) -> Option<f64> {
        let (left, life) = (self.days_left?, self.lifetime_days.filter(|days| *days > 0)?);
        // Days of a certificate are far from where a float is not exact.
        #[expect(clippy::cast_precision_loss, reason = "a few thousand days")]
        let share = left.max(0) as f64 / life as f64;
        Some(share.min(1.0))
    }
}

/// Every certificate of these findings, what could not be seen first, then by their ends. A site whose addresses serve
/// several shows the one that ends first.
pub(super) fn all(findings: &[Finding]) -> Vec<Certificate> {
    let mut all: Vec<Certificate> = Vec::new();
    for finding in findings {
        let source = match finding.id {
            "tls.validity" if finding.status != Status::Skip => Source::Served,
            "certificate.due" => Source::File,
            _ => continue,
        };
        let fresh = certificate(finding, source);
        match all.iter_mut().find(|known| known.source == source && known.name == fresh.name) {
            Some(known) if rank(&fresh) < rank(known) => *known = fresh,
            Some(_) => {}
            None => all.push(fresh),
        }
    }
    all.sort_by_key(rank);
    all
}

fn certificate(finding: &Finding, source: Source) -> Certificate {
    let number = |key: &str| finding.data.get(key).and_then(serde_json::Value::as_i64);
    Certificate {
        name: finding.subject.clone(),
        source,
        status: finding.status,
        days_left: number("days_left"),
        lifetime_days: number("lifetime_days"),
        not_after: finding.data.get("not_after").and_then(|end| Some(end.as_str()?.to_owned())),
        summary: finding.summary.clone(),
    }
}

fn rank(certificate: &Certificate) -> i64 {
    certificate.days_left.unwrap_or(i64::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(id: &'static str, subject: &str, left: Option<i64>) -> Finding {
        let finding = Finding::pass(id, subject, "x");
        match left {
            Some(left) => finding.data("days_left", left).data("lifetime_days", 90),
            None => finding,
        }
    }

    #[test]
    fn the_one_that_ends_first_comes_first_and_stands_for_its_site() {
        let mut hidden = finding("tls.validity", "shop", None);
        hidden.status = Status::Unknown;
        let findings = [
            finding("tls.validity", "prime", Some(61)),
            finding("tls.validity", "prime", Some(5)),
            finding("tls.name", "prime", Some(1)),
            finding("certificate.due", "prime", Some(70)),
            hidden,
            Finding::skip("tls.validity", "plain", "no TLS"),
        ];
        let told: Vec<_> = all(&findings)
            .into_iter()
            .map(|certificate| (certificate.name.clone(), certificate.source, certificate.days_left))
            .collect();
        assert_eq!(
            told,
            [
                ("shop".to_owned(), Source::Served, None),
                ("prime".to_owned(), Source::Served, Some(5)),
                ("prime".to_owned(), Source::File, Some(70)),
            ]
        );
    }

    #[test]
    fn a_share_is_between_nothing_and_all() {
        let of = |left| certificate(&finding("tls.validity", "x", left), Source::Served).share();
        assert_eq!((of(Some(45)), of(Some(-3)), of(Some(99)), of(None)), (Some(0.5), Some(0.0), Some(1.0), None));
    }
}
