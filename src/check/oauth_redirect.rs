//! `oauth.redirect`: the login leads to the provider with a request that it will take. The end-to-end proof that nginx
//! and gunicorn hand on what the application must know.

use futures_util::future::BoxFuture;

use super::{Check, Scope, Site, http_status::unreachable, web};
use crate::{
    report::{Finding, Status},
    rules::oauth::{Expect, Login, judge},
    system::http::{Limits, Request},
};

/// `oauth.redirect`.
pub struct OauthRedirect;

impl Check for OauthRedirect {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "the login leads to the OAuth provider with the right parameters"
    }

    fn needs(&self) -> &'static str {
        "a `[site.NAME.oauth]` section"
    }

    fn applies(&self, site: &Site) -> Result<(), String> {
        site.oauth.as_ref().map(|_| ()).ok_or_else(|| "no `[site.NAME.oauth]` section is configured".to_owned())
    }

    fn run<'a>(&'a self, scope: &'a Scope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let site = scope.site;
            let Some(oauth) = &site.oauth else {
                return vec![Finding::skip(ID, &site.name, "there is no login to try")];
            };
            let ask = || async {
                let request = Request::get(oauth.login.clone());
                Login {
                    asked: oauth.login.clone(),
                    answer: web::ask_any(scope, request, Limits::header_within(site.timeout)).await,
                }
            };
            let first = ask().await;
            // Without a first answer a second one could only cost its deadline.
            let second = if first.answer.is_ok() { ask().await } else { first.clone() };
            let expect = Expect {
                subject: &site.name,
                site: &site.url,
                provider: &oauth.provider,
                redirect_uri: oauth.redirect_uri.as_deref(),
                client_id: oauth.client_id.as_deref(),
            };
            let findings = judge(expect, &first, &second);
            let root = if first.answer.is_err() { unreachable(scope).await } else { None };
            match root {
                Some(root) => findings
                    .into_iter()
                    .map(|finding| Finding { status: Status::Unknown, ..finding }.because_of(&root))
                    .collect(),
                None => findings,
            }
        })
    }

    fn by_hand(&self, site: &Site) -> String {
        let url = site.oauth.as_ref().map_or(&site.url, |oauth| &oauth.login);
        web::curl(site, url, &["-o", "/dev/null", "-D", "-"])
    }
}

const ID: &str = "oauth.redirect";
