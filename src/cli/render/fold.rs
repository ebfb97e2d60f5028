//! One line for findings of a site that say the same: symptoms of one root, and checks that do not apply.

use super::because_of;
use crate::report::{Finding, Status};

/// One line of a site's group: a finding, or several that say the same.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// Never empty.
    pub findings: Vec<&'a Finding>,
    /// Whether they stand below the finding that explains them.
    pub below_root: bool,
}

impl Row<'_> {
    /// The ids in front, and what there is to say of all of them.
    pub fn text(&self) -> String {
        let mut ids: Vec<&str> = self.findings.iter().map(|finding| finding.id).collect();
        ids.dedup();
        let mut said: Vec<&str> = Vec::new();
        for finding in &self.findings {
            if !said.contains(&finding.summary.as_str()) {
                said.push(&finding.summary);
            }
        }
        let text = format!("{}: {}", ids.join(", "), said.join("; "));
        match self.findings.first().and_then(|finding| because_of(finding)).filter(|_| self.below_root) {
            Some(root) => format!("{text} (because of {root})"),
            None => text,
        }
    }
}

/// The rows of findings in reading order; each finding that can be said with an earlier one moves up to it.
pub(super) fn rows<'a>(ordered: Vec<(&'a Finding, bool)>) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> = Vec::with_capacity(ordered.len());
    for (finding, below_root) in ordered {
        let known = rows.iter_mut().find(|row| {
            row.below_root == below_root && row.findings.iter().all(|other| say_the_same(other, finding, below_root))
        });
        match known {
            Some(row) => row.findings.push(finding),
            None => rows.push(Row { findings: vec![finding], below_root }),
        }
    }
    rows
}

/// What could not be looked at has no evidence of its own, only its root; a failure keeps its own words.
fn say_the_same(one: &Finding, other: &Finding, below_root: bool) -> bool {
    if one.status != other.status || one.data.contains_key("notes") || other.data.contains_key("notes") {
        return false;
    }
    match one.status {
        Status::Skip => one.summary == other.summary,
        Status::Unknown if below_root => because_of(one) == because_of(other),
        _ => below_root && because_of(one) == because_of(other) && one.summary == other.summary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(ordered: Vec<(&Finding, bool)>) -> Vec<String> {
        rows(ordered).iter().map(Row::text).collect()
    }

    #[test]
    fn symptoms_of_one_root_that_could_not_be_looked_at_share_a_line() {
        let root = Finding::fail("tls.chain", "s", "refused");
        let blind = |id, text: &str| Finding::unknown(id, "s", text).because_of(&root);
        let (name, key) = (blind("tls.name", "no certificate"), blind("tls.key", "no certificate"));
        let protocols = blind("tls.protocols", "no handshake");
        let rest = Finding::unknown("http.host", "s", "no answer").because_of(&Finding::fail("http.status", "s", "x"));
        let all = vec![(&root, false), (&name, true), (&key, true), (&protocols, true), (&rest, true)];
        assert_eq!(
            texts(all),
            [
                "tls.chain: refused",
                "tls.name, tls.key, tls.protocols: no certificate; no handshake (because of tls.chain)",
                "http.host: no answer (because of http.status)"
            ]
        );
    }

    #[test]
    fn failures_with_words_of_their_own_stay_apart() {
        let root = Finding::fail("nginx.headers", "s", "drops one");
        let oauth = Finding::fail("oauth.redirect", "s", "redirect_uri is http").because_of(&root);
        let hop = Finding::fail("http.redirect", "s", "leads to http").because_of(&root);
        assert_eq!(rows(vec![(&root, false), (&oauth, true), (&hop, true)]).len(), 3);
        let same = Finding::unknown("tls.key", "s", "x");
        assert_eq!(rows(vec![(&same, false), (&same, false)]).len(), 2, "no root: each is one of its own");
    }

    #[test]
    fn skips_with_one_reason_share_a_line_unless_a_note_is_beside() {
        let skip = |id| Finding::skip(id, "s", "no such section");
        let (one, two) = (skip("gunicorn.trust"), skip("gunicorn.settings"));
        let noted = skip("nginx.fresh").data("notes", serde_json::json!(["look"]));
        let other = Finding::skip("oauth.redirect", "s", "another reason");
        let all = vec![(&one, false), (&noted, false), (&other, false), (&two, false)];
        assert_eq!(
            texts(all),
            [
                "gunicorn.trust, gunicorn.settings: no such section",
                "nginx.fresh: no such section",
                "oauth.redirect: another reason"
            ]
        );
    }
}
