//! `http.host`: no side of the site repeats a foreign `Host` header.

use futures_util::future::BoxFuture;
use url::Url;

use super::{
    Check, HttpSide, Scope, Site, http_redirect,
    http_status::unreachable,
    web::{self, Hops},
};
use crate::{
    report::{Finding, Status},
    rules::{
        host::{FOREIGN, judge},
        http::{Answer, HttpFailure},
    },
    system::http::Request,
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

    fn run<'a>(&'a self, scope: &'a Scope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let site = scope.site;
            let plain = http_redirect::start(site).ok();
            // Both at once, beside what other checks ask: a slow site has one deadline and not one for each request.
            let (plain, own) = tokio::join!(
                async {
                    match plain {
                        Some(url) => Some(web::ask_first(scope, foreign(url)).await),
                        None => None,
                    }
                },
                web::ask_first(scope, foreign(site.url.clone())),
            );
            let mut findings = Vec::new();
            // Where nobody answers on port 80 there is nobody who could repeat anything; http.redirect judges that.
            let listens = match &plain {
                Some(Err(_)) => scope.hops().await.is_some_and(Hops::is_alive),
                Some(Ok(_)) => true,
                None => false,
            };
            if let Some(answer) = plain.filter(|_| listens) {
                findings.push(of_side(site, "http", &answer));
            }
            let root = if own.is_ok() { None } else { unreachable(scope).await };
            findings.push(match root {
                Some(root) => Finding::unknown(ID, &site.name, "there is no answer to look at").because_of(&root),
                None => of_side(site, site.url.scheme(), &own),
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
