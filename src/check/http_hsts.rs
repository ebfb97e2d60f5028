//! `http.hsts`: browsers that were here once refuse plain HTTP.

use futures_util::future::BoxFuture;

use super::{
    Check, Scope, Site,
    http_status::{judge_visit, unreachable},
    tls_chain,
    visit::{Visit, fold},
    web,
};
use crate::{
    report::{Finding, Status},
    rules::{certificate, hsts},
};

/// `http.hsts`.
pub struct HttpHsts;

impl Check for HttpHsts {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "Strict-Transport-Security keeps browsers on https"
    }

    fn needs(&self) -> &'static str {
        "an https URL"
    }

    fn applies(&self, site: &Site) -> Result<(), String> {
        if site.url.scheme() != "https" {
            return Err("the site's address is not https, and over plain HTTP the header is ignored".to_owned());
        }
        site.hsts.map(|_| ()).ok_or_else(|| "`hsts = \"off\"`".to_owned())
    }

    fn run<'a>(&'a self, scope: &'a Scope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let missing = scope.site.hsts.unwrap_or(Status::Warn);
            let Ok(visits) = scope.visits().await else {
                let finding = Finding::unknown(ID, &scope.site.name, "no address to look at");
                return vec![match unreachable(scope).await {
                    Some(root) => finding.because_of(&root),
                    None => finding,
                }];
            };
            let mut judged = Vec::with_capacity(visits.len());
            for visit in visits {
                judged.push((visit.address, judge(scope, visit, missing).await));
            }
            fold(judged)
        })
    }

    fn by_hand(&self, site: &Site) -> String {
        format!(
            "{} | grep -i '^strict-transport-security'",
            web::curl(site, &site.url, &["-o", "/dev/null", "-D", "-"])
        )
    }
}

const ID: &str = "http.hsts";

async fn judge(scope: &Scope<'_>, visit: &Visit, missing: Status) -> Finding {
    let name = &scope.site.name;
    let Ok(answer) = &visit.answer else {
        return Finding::unknown(ID, name, "there is no answer to look at").because_of(&judge_visit(scope.site, visit));
    };
    let finding = hsts::judge(name, answer, missing);
    if answer.status >= 500 && answer.header("strict-transport-security").is_none() {
        // nginx leaves out what is added without `always`, so an error says nothing about the healthy site.
        return Finding { status: Status::Unknown, ..finding }.because_of(&judge_visit(scope.site, visit));
    }
    if finding.status == Status::Fail || visit.is_trusted() {
        return finding;
    }
    let Some(tls) = &visit.tls else { return finding };
    // RFC 6797, 8.1: browsers note the policy only over a connection without any certificate error.
    let policy = &scope.site.tls;
    let faults = [
        Some(tls_chain::judge(scope, visit).await),
        certificate::name(name, tls),
        certificate::validity(name, tls, policy.warn, policy.fail, visit.server_time()),
    ];
    let ignored = Finding {
        status: Status::Unknown,
        summary: "browsers ignore the header as long as the certificate is not right".to_owned(),
        ..finding
    };
    match faults.iter().flatten().find(|fault| fault.status == Status::Fail) {
        Some(root) => ignored.because_of(root),
        None => ignored,
    }
}
