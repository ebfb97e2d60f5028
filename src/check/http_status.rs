//! `http.status`: every address answers what it should, and it is this application that answers.

use futures_util::future::BoxFuture;

use super::{
    Check, Scope, Site,
    visit::{Visit, fold},
    web,
};
use crate::{
    report::Finding,
    rules::status::{Expect, judge, judge_failure},
};

/// `http.status`.
pub struct HttpStatus;

impl Check for HttpStatus {
    fn id(&self) -> &'static str {
        "http.status"
    }

    fn title(&self) -> &'static str {
        "every address answers with the expected status and content"
    }

    fn needs(&self) -> &'static str {
        "a URL"
    }

    fn applies(&self, _site: &Site) -> Result<(), String> {
        Ok(())
    }

    fn run<'a>(&'a self, scope: &'a Scope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            match scope.visits().await {
                Ok(visits) => {
                    fold(visits.iter().map(|visit| (visit.address, judge_visit(scope.site, visit))).collect())
                }
                Err(none) => vec![judge_failure(&web::unresolved(none.clone()), expect(scope.site))],
            }
        })
    }

    fn by_hand(&self, site: &Site) -> String {
        match &site.contains {
            Some(text) => {
                format!("{} | grep -F {}", web::curl(site, &site.url, &[]), shell_words::quote(text))
            }
            None => web::curl(site, &site.url, &["-o", "/dev/null", "-w", "%{http_code}\\n"]),
        }
    }
}

/// The finding about the site as a whole when not one address answers: what other checks are "because of" then.
pub(super) async fn unreachable(scope: &Scope<'_>) -> Option<Finding> {
    match scope.visits().await {
        Err(none) => Some(judge_failure(&web::unresolved(none.clone()), expect(scope.site))),
        Ok(visits) if visits.iter().any(|visit| visit.answer.is_ok()) => None,
        Ok(visits) => visits.first().map(|visit| judge_visit(scope.site, visit)),
    }
}

/// The finding about one address.
pub(super) fn judge_visit(site: &Site, visit: &Visit) -> Finding {
    match &visit.answer {
        Ok(answer) => judge(answer, expect(site)),
        Err(failure) => judge_failure(failure, expect(site)),
    }
}

fn expect(site: &Site) -> Expect<'_> {
    Expect { subject: &site.name, status: &site.status, contains: site.contains.as_deref() }
}
