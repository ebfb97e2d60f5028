//! `http.host`: no side of the site repeats a foreign `Host` header.

use futures_util::future::BoxFuture;
use url::Url;

use super::{Check, HttpSide, Scope, Site, http_redirect, http_status::unreachable, web};
use crate::{
    report::{Finding, Status},
    rules::{
        host::{FOREIGN, judge},
        http::{Answer, HttpFailure},
    },
    system::http::{Limits, Request},
};

/// `http.host`.
pub struct HttpHost;

impl Check for HttpHost {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "a foreign Host header is not repeated in the answer"
    }

    fn needs(&self) -> &'static str {
        "a URL"
    }

    fn applies(&self, _site: &Site) -> Result<(), String> {
        Ok(())
    }

    fn run<'a>(&'a self, scope: &'a Scope<'a>) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let site = scope.site;
            let mut findings = Vec::new();
            // Where nothing listens on port 80 there is nothing that could repeat anything.
            let listens = match scope.hops().await {
                Some(hops) => hops.living(),
                None => None,
            };
            if let (Some(address), Ok(url)) = (listens, http_redirect::start(site)) {
                let answer = web::ask(scope, foreign(url), address, Limits::within(site.timeout)).await;
                findings.push(of_side(site, "http", &answer));
            }
            findings.push(match unreachable(scope).await {
                Some(root) => Finding::unknown(ID, &site.name, "there is no answer to look at").because_of(&root),
                None => {
                    let answer = web::ask_any(scope, foreign(site.url.clone()), Limits::within(site.timeout)).await;
                    of_side(site, site.url.scheme(), &answer)
                }
            });
            join(site, findings)
        })
    }

    fn by_hand(&self, site: &Site) -> String {
        let url = match &site.http {
            HttpSide::Redirects(url) => url,
            HttpSide::Closed | HttpSide::Unsaid(_) => &site.url,
        };
        format!("{} | grep {FOREIGN}", web::curl(site, url, &["-D", "-", "-H", &format!("Host: {FOREIGN}")]))
    }
}

const ID: &str = "http.host";

fn foreign(url: Url) -> Request {
    Request::get(url).with_host(FOREIGN)
}

/// A server that hangs up or answers in another language repeats nothing; nginx's `return 444` does just that.
fn of_side(site: &Site, side: &str, answer: &Result<Answer, HttpFailure>) -> Finding {
    match answer {
        Ok(answer) => judge(&site.name, side, answer),
        Err(HttpFailure::Closed | HttpFailure::NoTls(_) | HttpFailure::NotHttp(_) | HttpFailure::Other(_)) => {
            Finding::pass(ID, &site.name, format!("{side} gives a foreign Host no answer")).data("side", side)
        }
        Err(failure) => Finding::unknown(ID, &site.name, format!("{side} does not answer a foreign Host: {failure}"))
            .observed(failure.to_string())
            .fix("try again; then look at the web server's error log")
            .data("side", side)
            .data("reason", failure.reason()),
    }
}

/// One pass for both sides, otherwise each for itself.
fn join(site: &Site, findings: Vec<Finding>) -> Vec<Finding> {
    if findings.len() < 2 || findings.iter().any(|finding| finding.status != Status::Pass) {
        return findings;
    }
    let sides: Vec<_> = findings.iter().filter_map(|finding| finding.data.get("side").cloned()).collect();
    vec![Finding::pass(ID, &site.name, "neither side repeats a foreign Host").data("sides", sides)]
}
