//! The redirect that starts a login: is it an authorization request that the provider will take, and is it safe?
//!
//! RFC 6749 (4.1.1), RFC 7636, OpenID Connect Core (3.1.2.1) and RFC 9700 say what it must hold. Two independent requests
//! are compared, because a `state` that stays the same protects nobody. Nobody logs in and the provider is never asked.

mod redirect_uri;
mod request;
mod session;
#[cfg(test)]
mod tests;

use url::Url;

pub use request::AuthorizationRequest;

use crate::{
    report::{Finding, Status},
    rules::{
        http::{Answer, HttpFailure},
        location::{self, Location, Shown, redacted},
        redirect,
    },
};

/// An OAuth 2.0 authorization server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Provider {
    /// `https://accounts.google.com/…`, client ids end in `.apps.googleusercontent.com`.
    Google,
    /// An authorization endpoint of one's own.
    Authorize(Url),
}

/// One request to the login address and what came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Login {
    /// What was asked.
    pub asked: Url,
    /// What came.
    pub answer: Result<Answer, HttpFailure>,
}

/// What the login should be like.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    /// What the finding is about.
    pub subject: &'a str,
    /// The address that the public knows.
    pub site: &'a Url,
    /// Where the login must lead.
    pub provider: &'a Provider,
    /// The exact `redirect_uri`, when it is known.
    pub redirect_uri: Option<&'a str>,
    /// The exact `client_id`, when it is known.
    pub client_id: Option<&'a str>,
}

/// Judges two independent logins: one finding for each thing that is wrong, or one `pass`.
pub fn judge(expect: Expect<'_>, first: &Login, second: &Login) -> Vec<Finding> {
    let answer = match &first.answer {
        Err(failure) => return vec![no_answer(expect, first, failure)],
        Ok(answer) if !answer.is_redirect() => return vec![no_redirect(expect, answer)],
        Ok(answer) => answer,
    };
    let location = match location::resolve(&first.asked, answer) {
        Ok(location) => location,
        Err(nowhere) => {
            let (reason, text) = redirect::lost(&nowhere, Some(answer), Shown::Public);
            let finding = wrong(expect, Status::Fail, reason, text).expected(wanted(expect));
            return vec![finding.fix("let the login send exactly one `Location` with the provider's complete address")];
        }
    };
    let request = AuthorizationRequest::of(&location.url);
    let mut judged = Judged::default();
    judged.extend(of_status(expect, answer));
    judged.extend(of_location(expect, &location));
    let strange = of_provider(expect, &location.url);
    // A redirect to another page of the site is no authorization request; its parameters say nothing.
    if strange.is_none() || request.value("client_id").is_some() || request.value("response_type").is_some() {
        judged.extend(strange);
        of_parameters(&mut judged, expect, &request);
        of_second(&mut judged, expect, &request, second);
        session::judge(&mut judged, expect, answer, &request);
    } else {
        judged.extend(strange);
    }
    judged.finish(expect, answer, &location, &request)
}

const ID: &str = "oauth.redirect";
const GOOGLE: &str = "accounts.google.com";

/// Findings and remarks while they are gathered.
#[derive(Default)]
struct Judged {
    findings: Vec<Finding>,
    notes: Vec<String>,
}

impl Judged {
    fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
    }

    fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Every finding with the facts that they share; a `pass` when there is none.
    fn finish(
        mut self,
        expect: Expect<'_>,
        answer: &Answer,
        location: &Location,
        request: &AuthorizationRequest,
    ) -> Vec<Finding> {
        if self.findings.is_empty() {
            let host = location.url.host_str().unwrap_or_default();
            self.findings.push(Finding::pass(ID, expect.subject, format!("the login leads to {host} as it should")));
        }
        let shown = redacted(&location.raw, Shown::Public);
        self.findings
            .into_iter()
            .map(|finding| {
                let mut finding = finding
                    .data("parameters", request.shown())
                    .data("status", answer.status)
                    .data("location", shown.clone())
                    .data("notes", self.notes.clone());
                finding.observed.get_or_insert_with(|| format!("{} with Location: {shown}", answer.status));
                finding
            })
            .collect()
    }
}

/// A finding with the word that tells it apart.
fn wrong(expect: Expect<'_>, status: Status, reason: &str, summary: impl Into<String>) -> Finding {
    Finding::new(ID, expect.subject, status, summary).data("reason", reason)
}

fn no_answer(expect: Expect<'_>, login: &Login, failure: &HttpFailure) -> Finding {
    let path = login.asked.path();
    let status = if failure.is_the_sites() { Status::Fail } else { Status::Unknown };
    wrong(expect, status, failure.reason(), format!("{path} does not answer: {failure}"))
        .expected(wanted(expect))
        .observed(failure.to_string())
        .fix("look at the logs of the web server and the application")
}

fn no_redirect(expect: Expect<'_>, answer: &Answer) -> Finding {
    let (reason, fix) = match answer.status {
        500.. => ("status-5xx", "look at the application's log: a missing client id or secret is the usual cause"),
        404 => ("no-redirect", "set `login` to the path that starts the login, and see that the application has it"),
        _ => ("no-redirect", "see whether this path starts the login: it should redirect to the provider at once"),
    };
    wrong(expect, Status::Fail, reason, format!("the login answers {} and does not redirect", answer.status))
        .expected(wanted(expect))
        .observed(format!("{} {}", answer.version, answer.status))
        .fix(fix)
        .data("status", answer.status)
}

fn of_status(expect: Expect<'_>, answer: &Answer) -> Option<Finding> {
    match answer.status {
        302 | 303 => None,
        307 => Some(
            wrong(expect, Status::Warn, "status", "the login redirects with 307, which repeats the method and body")
                .expected("302 or 303")
                .fix("answer with 302 or 303"),
        ),
        status => Some(
            wrong(
                expect,
                Status::Fail,
                "status-permanent",
                format!("the login redirects with {status}, which is permanent"),
            )
            .expected("302 or 303")
            .cause("browsers keep it, and so send the same state again and again")
            .fix("answer with 302 or 303"),
        ),
    }
}

fn of_location(expect: Expect<'_>, location: &Location) -> Option<Finding> {
    let worst = location.oddities.iter().min()?;
    let status = if worst.is_dangerous() { Status::Fail } else { Status::Warn };
    let words: Vec<&str> = location.oddities.iter().map(|oddity| oddity.words()).collect();
    Some(
        wrong(expect, status, "location-malformed", format!("the Location is malformed: {}", words.join(", ")))
            .expected("an address with every value escaped")
            .fix("escape every parameter value"),
    )
}

/// Whether the redirect leads to the provider exactly: `accounts.google.com.evil.test` and `accounts.google.com@evil.test` do not.
fn of_provider(expect: Expect<'_>, target: &Url) -> Option<Finding> {
    let host = target.host_str().unwrap_or_default();
    let fail = |reason, text: String| Some(wrong(expect, Status::Fail, reason, text).expected(wanted(expect)));
    let (wanted_host, wanted_port) = match expect.provider {
        Provider::Google => (GOOGLE, Some(443)),
        Provider::Authorize(url) => (url.host_str().unwrap_or_default(), url.port_or_known_default()),
    };
    let finding = if host != wanted_host {
        if redirect::is_same_site(target, expect.site) {
            return fail("not-provider", "the login leads to another page of the site, not to the provider".to_owned())
                .map(|finding| finding.fix("set `login` to the address that redirects to the provider"));
        }
        fail("provider-host", format!("the login leads to `{}`, not to `{wanted_host}`", location::printable(host)))
    } else if target.scheme() != "https" {
        fail("provider-http", format!("the login leads to the provider over {}", target.scheme()))
    } else if !target.username().is_empty() || target.password().is_some() {
        fail("provider-userinfo", "the provider's address holds a user name, as disguised addresses do".to_owned())
    } else if target.port_or_known_default() != wanted_port {
        fail("provider-port", format!("the login leads to port {} of the provider", target.port().unwrap_or_default()))
    } else {
        match expect.provider {
            Provider::Authorize(url) if url.path() != target.path() => fail(
                "provider-path",
                format!("the login leads to `{}` of the provider", location::printable(target.path())),
            ),
            _ => None,
        }
    };
    finding.map(|finding| finding.fix("correct the provider's address in the application's configuration"))
}

fn of_parameters(judged: &mut Judged, expect: Expect<'_>, request: &AuthorizationRequest) {
    let twice = request.twice();
    if !twice.is_empty() {
        judged.extend([wrong(
            expect,
            Status::Fail,
            "parameter-twice",
            format!("`{}` comes twice", twice.join("`, `")),
        )
        .expected("every parameter once (RFC 6749, 3.1)")
        .fix("take the second one out of the address that the application builds")]);
    }
    judged.extend(of_client(expect, request));
    if request.is_pushed() {
        judged.extend([wrong(
            expect,
            Status::Unknown,
            "request-object",
            "the parameters are inside `request` or `request_uri`, where only the provider can read them",
        )
        .expected("parameters that can be read")
        .fix("leave this check out with `--skip oauth`: nobody but the provider can make it")]);
        return;
    }
    judged.extend(redirect_uri::judge(expect, request));
    match request.value("response_type") {
        Some("code") => {}
        other => {
            let what = other.map_or("missing".to_owned(), |other| format!("`{}`", location::printable(other)));
            judged.extend([wrong(expect, Status::Fail, "response-type", format!("`response_type` is {what}"))
                .expected("`response_type=code`")
                .cause("tokens in an address end up in histories and logs (RFC 9700, 2.1.2)")
                .fix("let the application use the authorization code flow")]);
        }
    }
    if request.value("scope").is_none_or(|scope| scope.trim().is_empty()) {
        judged.extend([wrong(expect, Status::Fail, "scope-missing", "`scope` is missing or empty")
            .expected("the scopes that the login needs, for example `openid email`")
            .fix("set the scopes in the application's configuration")]);
    }
    of_forgery(judged, expect, request);
}

fn of_client(expect: Expect<'_>, request: &AuthorizationRequest) -> Option<Finding> {
    let fix = "set the client id that the provider shows for this application";
    let Some(client) = request.value("client_id") else {
        return Some(
            wrong(expect, Status::Fail, "client-id-missing", "`client_id` is missing or empty")
                .expected("the client id of the application")
                .cause("the application does not know its client id: its environment may be incomplete")
                .fix(fix),
        );
    };
    let shown = location::printable(client);
    match expect.client_id {
        Some(exact) if exact != client => Some(
            wrong(expect, Status::Fail, "client-id-differs", format!("`client_id` is `{shown}`"))
                .expected(format!("`{exact}`"))
                .fix(fix),
        ),
        None if *expect.provider == Provider::Google && !client.ends_with(".apps.googleusercontent.com") => Some(
            wrong(
                expect,
                Status::Fail,
                "client-id-malformed",
                format!("`client_id` is `{shown}`, which is none of Google's"),
            )
            .expected("a client id that ends in `.apps.googleusercontent.com`")
            .fix(fix),
        ),
        _ => None,
    }
}

/// Whether the answer of the provider can be tied to this browser: `state`, `nonce` or PKCE (RFC 9700, 2.1).
fn of_forgery(judged: &mut Judged, expect: Expect<'_>, request: &AuthorizationRequest) {
    let challenge = request.value("code_challenge");
    if !request.is_protected() {
        judged.extend([wrong(
            expect,
            Status::Fail,
            "no-csrf",
            "there is neither `state` nor `nonce` nor `code_challenge`",
        )
        .expected("a `state` of its own for every login")
        .cause("anybody can make a browser log in with somebody else's account")
        .fix("let the application's OAuth library make a `state`")]);
    }
    match (challenge, request.value("code_challenge_method")) {
        (None, _) => judged.note("no PKCE, which is recommended for every client"),
        (Some(_), Some("S256")) => {}
        (Some(_), method) => {
            let what =
                method.map_or("missing, which means `plain`".to_owned(), |m| format!("`{}`", location::printable(m)));
            judged.extend([wrong(expect, Status::Warn, "pkce-plain", format!("`code_challenge_method` is {what}"))
                .expected("`code_challenge_method=S256`")
                .fix("let the application's OAuth library use S256")]);
        }
    }
    if request.value("state").is_none() && request.is_protected() {
        judged.note("no `state`; another value ties the answer to the browser");
    }
}

/// Whether the second login brought values of its own.
fn of_second(judged: &mut Judged, expect: Expect<'_>, first: &AuthorizationRequest, second: &Login) {
    let other = second.answer.as_ref().ok().filter(|answer| answer.is_redirect());
    let Some(location) = other.and_then(|answer| location::resolve(&second.asked, answer).ok()) else {
        let why = match &second.answer {
            Err(failure) => failure.to_string(),
            Ok(answer) => format!("it answers {}", answer.status),
        };
        let reason = match &second.answer {
            Err(failure) => failure.reason(),
            Ok(answer) if answer.status >= 500 => "status-5xx",
            Ok(_) => "second-request",
        };
        judged.extend([wrong(expect, Status::Unknown, reason, format!("a second login cannot be compared: {why}"))
            .expected("two redirects with values of their own")
            .observed(why)
            .fix("look at the logs of the web server and the application, or for a limit of logins in a row")]);
        return;
    };
    let second = AuthorizationRequest::of(&location.url);
    let repeated = first.repeated(&second);
    if !repeated.is_empty() {
        judged.extend([wrong(
            expect,
            Status::Fail,
            "value-repeated",
            format!("two logins have the same `{}`", repeated.join("`, `")),
        )
        .expected("values of its own for every login (RFC 9700, 2.1)")
        .cause("the value is a constant, or a cache answers in place of the application")
        .fix("let the OAuth library make a new value for every login, and let no cache keep this path")
        .data("repeated", repeated)]);
    } else if first.is_protected() && !second.is_protected() {
        judged.extend([wrong(
            expect,
            Status::Fail,
            "no-csrf",
            "a second login has neither `state` nor `nonce` nor `code_challenge`",
        )
        .expected("a `state` of its own for every login")
        .fix("let the OAuth library make a new value for every login")]);
    }
}

fn wanted(expect: Expect<'_>) -> String {
    match expect.provider {
        Provider::Google => format!("302 or 303 to https://{GOOGLE}/"),
        Provider::Authorize(url) => format!("302 or 303 to {url}"),
    }
}
