//! `http.redirect`: plain HTTP leads to https, at once, for good, and without losing the path.

use futures_util::future::BoxFuture;
use url::Url;

use super::{
    Check, HttpSide, Scope, Site,
    http_status::unreachable,
    visit::fold,
    web::{self, Hops},
};
use crate::{
    report::{Finding, Status},
    rules::redirect::{Expect, judge, judge_closed},
};

/// `http.redirect`.
pub struct HttpRedirect;

impl Check for HttpRedirect {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "plain HTTP redirects to https, permanently and to the same address"
    }

    fn needs(&self) -> &'static str {
        "an https URL on port 443, or `http`"
    }

    fn applies(&self, site: &Site) -> Result<(), String> {
        start(site).map(|_| ())
    }

    fn run<'a>(&'a self, scope: &'a Scope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let site = scope.site;
            let hops = match scope.hops().await {
                Some(Hops::Walks(walks)) => walks,
                Some(Hops::Unresolved(why)) => {
                    let finding = Finding::unknown(ID, &site.name, why.to_string()).data("reason", why.reason());
                    return vec![because(finding, unreachable(scope).await)];
                }
                None => return vec![Finding::skip(ID, &site.name, "there is no plain HTTP address")],
            };
            let expect = Expect { subject: &site.name, goal: &site.url, closed: site.http_closed };
            let judge = if site.http == HttpSide::Closed { judge_closed } else { judge };
            let findings = fold(hops.iter().map(|(address, walk)| (*address, judge(walk, expect))).collect());
            let nobody = hops.iter().all(|(_, walk)| walk.hops.iter().all(|hop| hop.answer.is_err()));
            if findings.iter().all(|finding| finding.status.is_fine() || (!nobody && finding.status != Status::Unknown))
            {
                return findings;
            }
            // A site that is down as a whole has one trouble, not one for each port.
            let root = unreachable(scope).await;
            findings
                .into_iter()
                .map(|finding| match finding.status {
                    Status::Pass | Status::Skip => finding,
                    Status::Fail | Status::Warn if nobody && root.is_some() => {
                        because(Finding { status: Status::Unknown, ..finding }, root.clone())
                    }
                    Status::Fail | Status::Warn => finding,
                    Status::Unknown => because(finding, root.clone()),
                })
                .collect()
        })
    }

    fn by_hand(&self, site: &Site) -> String {
        let url = start(site).unwrap_or_else(|_| site.url.clone());
        web::curl(site, &url, &["-o", "/dev/null", "-D", "-"])
    }
}

const ID: &str = "http.redirect";

/// Where the walk begins: with a query, so that a lost one shows.
///
/// # Errors
///
/// Why there is no such address.
pub(super) fn start(site: &Site) -> Result<Url, String> {
    match &site.http {
        HttpSide::Redirects(url) => Ok(web::marked(url.clone())),
        HttpSide::Unsaid(reason) => Err(reason.clone()),
        HttpSide::Closed => {
            let mut url = site.url.clone();
            // `https` can become `http`, and a site has a host: neither call can fail.
            let _ = url.set_scheme("http");
            let _ = url.set_port(None);
            Ok(web::marked(url))
        }
    }
}

fn because(finding: Finding, root: Option<Finding>) -> Finding {
    match root {
        Some(root) => finding.because_of(&root),
        None => finding,
    }
}
