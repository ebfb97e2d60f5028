//! What the four checks of nginx share: one look at it, and the answer of its configuration to the site's own request.

use std::{net::IpAddr, path::Path};

use serde_json::Value;

use super::{NginxSource, Scope, Site};
use crate::{
    report::{Finding, Status},
    rules::nginx::{
        Answer, Config, Doubt, DoubtKind, Ending, Expected, ParseError, Public, Question, evaluate, judge_config,
        judge_doubt, judge_failed_dump, judge_headers, judge_unparsed,
    },
    system::{
        Context,
        nginx::{Fault, Nginx, Place, SLOW},
    },
};

/// Why nginx may refuse a configuration that is right, as its message says: the machine, not the text.
const CIRCUMSTANCES: &[&str] = &[
    "host not found",
    "could not be resolved",
    "Permission denied",
    "Operation not permitted",
    "Read-only file system",
    "No space left",
    "Too many open files",
    "Cannot allocate memory",
];

/// The nginx of a site, and what its files say about a request for the site.
pub struct View {
    /// What was seen.
    pub nginx: Nginx,
    /// What the files say; `None` where they do not say it.
    pub answer: Option<Answer>,
    /// What to think of it: `nginx.config` and `nginx.headers`.
    findings: Vec<Finding>,
}

impl View {
    /// The findings of one check.
    pub(super) fn findings(&self, id: &str) -> Vec<Finding> {
        self.findings.iter().filter(|finding| finding.id == id).cloned().collect()
    }

    /// The worst of `nginx.config`, which explains what the others cannot tell.
    pub(super) fn root(&self) -> Option<&Finding> {
        self.findings.iter().filter(|finding| finding.id == "nginx.config").max_by_key(|finding| finding.status)
    }
}

/// Looks at the nginx of a site.
pub(super) async fn look(site: &Site, context: &Context) -> Result<View, Fault> {
    let Some(settings) = &site.nginx else {
        let what = "no section of the configuration says where nginx is".to_owned();
        return Err(Fault { reason: "not-configured", what, fix: "add a `[site.NAME.nginx]` section".to_owned() });
    };
    let nginx = Nginx::observe(context, site.timeout, &settings.source).await?;
    let expected = Expected {
        public: public(site),
        headers: settings.headers.clone(),
        http_version: settings.http_version.clone(),
        redirect: settings.redirect.clone(),
        version: nginx.version.as_deref().and_then(version),
    };
    let subject = &site.name;
    let mut answer = None;
    let mut findings = match &nginx.config {
        Err(error) if is_fragment(&nginx, error).await => judge_fragment(subject, error),
        Err(error) => judge_unparsed(subject, error),
        Ok(config) => match ask(config, &questions(site, &settings.path, &nginx)) {
            Err(doubt) => judge_doubt(subject, &doubt),
            Ok(found) => {
                let mut findings = judge_config(subject, &found, &expected);
                findings.extend(judge_headers(subject, &found, &expected));
                findings.extend(judge_login(config, site, &nginx, &found, &expected));
                answer = Some(found);
                findings
            }
        },
    };
    if let Some(said) = &nginx.refusal {
        let of_files = findings.iter().find(|finding| finding.id == "nginx.config");
        let refused = refused(subject, said, of_files, &nginx.test_command());
        findings.retain(|finding| finding.id != "nginx.config");
        findings.insert(0, refused);
    }
    tell(&mut findings, &nginx);
    for finding in &mut findings {
        finding.by_hand = Some(nginx.dump_command());
        finding.data.insert("looked_at".to_owned(), Value::from(nginx.title()));
        for (key, list) in [("remarks", &nginx.notes), ("warnings", &nginx.warnings)] {
            if !list.is_empty() {
                finding.data.insert(key.to_owned(), Value::from(list.clone()));
            }
        }
    }
    Ok(View { nginx, answer, findings })
}

/// Whether the file that was named is one that a main file includes: it begins with what belongs into `http`, and has none.
async fn is_fragment(nginx: &Nginx, error: &ParseError) -> bool {
    let Place::Files(main) = &nginx.place else { return false };
    let here = error.at.as_ref().is_some_and(|at| Path::new(&*at.file) == main);
    if !here || !error.why.contains("directive is not allowed here") {
        return false;
    }
    let begins_http = |line: &str| {
        line.trim_start()
            .strip_prefix("http")
            .is_some_and(|rest| rest.trim_start().is_empty() || rest.trim_start().starts_with('{'))
    };
    match nginx.read(&main.to_string_lossy()).await {
        Ok(file) => !String::from_utf8_lossy(&file.content).lines().any(begins_http),
        Err(_) => false,
    }
}

fn judge_fragment(subject: &str, error: &ParseError) -> Vec<Finding> {
    let fix =
        "name the main file (nginx.conf, with `http {` in it) in `files`; what it includes is looked for beside it";
    let mut findings = judge_unparsed(subject, error);
    if let Some(root) = findings.first_mut() {
        let seen = Finding { status: Status::Unknown, ..root.clone() };
        *root = seen.cause("this seems to be a file that nginx.conf includes").fix(fix).data("reason", "fragment");
    }
    findings
}

/// What the login receives of the scheme, where another location than the site's own answers it: an application builds
/// its callback address from that.
fn judge_login(config: &Config, site: &Site, nginx: &Nginx, own: &Answer, expected: &Expected) -> Vec<Finding> {
    let Some(oauth) = site.oauth.as_ref().filter(|oauth| oauth.login.host_str() == site.url.host_str()) else {
        return Vec::new();
    };
    let path = oauth.login.path();
    let Ok(answer) = ask(config, &questions(site, path, nginx)) else { return Vec::new() };
    let place = |answer: &Answer| answer.locations.last().map(|location| location.at.clone());
    let mut expected = expected.clone();
    expected.headers.retain(|name, _| name.eq_ignore_ascii_case("x-forwarded-proto"));
    if place(&answer) == place(own) || !matches!(answer.ending, Ending::Proxied(_)) || expected.headers.is_empty() {
        return Vec::new();
    }
    let mut findings = judge_headers(&site.name, &answer, &expected);
    for finding in &mut findings {
        finding.summary = format!("for {path}: {}", finding.summary);
        finding.data.insert("path".to_owned(), Value::from(path));
    }
    findings
}

/// Puts what was met on the way into the notes of the first finding, and says there what the others would repeat.
fn tell(findings: &mut [Finding], nginx: &Nginx) {
    let Some((first, others)) = findings.split_first_mut() else { return };
    let met = nginx.notes.iter().chain(&nginx.warnings).map(|note| Value::from(note.as_str()));
    let notes = first.data.entry("notes").or_insert_with(|| Value::from(Vec::<Value>::new()));
    let Value::Array(notes) = notes else { return };
    for other in others.iter_mut().filter_map(|finding| finding.data.get_mut("notes").and_then(Value::as_array_mut)) {
        other.retain(|note| !notes.contains(note));
    }
    notes.extend(met);
}

/// The answer to the first request that some server listens for. Behind another proxy nginx listens where that one asks
/// it, which no setting says, so there are several.
fn ask(config: &Config, questions: &[Question]) -> Result<Answer, Doubt> {
    let mut answers = questions.iter().map(|question| evaluate(config, question));
    let nobody = |answer: &Result<_, Doubt>| matches!(answer, Err(doubt) if doubt.kind == DoubtKind::NoServer);
    match answers.next() {
        Some(first) if nobody(&first) => answers.find(|answer| !nobody(answer)).unwrap_or(first),
        Some(first) => first,
        None => evaluate(
            config,
            &Question { tls: true, address: None, port: 443, host: String::new(), path: "/".to_owned(), front: None },
        ),
    }
}

/// What `nginx.config` says where nginx does not dump its configuration. `of_files` is what the files alone showed.
fn refused(subject: &str, said: &str, of_files: Option<&Finding>, test: &str) -> Finding {
    let slow = said.starts_with(SLOW);
    let exit = if slow { "no answer" } else { "it refuses the files" };
    let root = judge_failed_dump(subject, exit, said).into_iter().next();
    let root = root.unwrap_or_else(|| Finding::unknown("nginx.config", subject, said));
    let found_too = of_files.filter(|finding| finding.status == Status::Fail && finding.data.contains_key("at"));
    let root = if said.contains("ermission denied") {
        root.fix("run mainstay with sudo: nginx reads these files as root when it starts")
    } else if slow {
        root.cause("before it prints, nginx looks up every host name in the files; one that nobody answers for holds it up")
            .fix("start the containers that proxy_pass and upstream name, or correct the name; a restart of nginx would hang too")
    } else if said.contains("host not found") {
        root.fix("start the container that is named there, or correct the name: until then a restart of nginx fails")
    } else {
        root.fix(format!("mend what nginx names, then run `{test}`; the running process is not affected yet"))
    };
    let circumstance = CIRCUMSTANCES.iter().any(|part| said.contains(part));
    if found_too.is_none() && (circumstance || !said.contains("[emerg]")) {
        return root;
    }
    // Not unknown: nginx itself says that it is wrong.
    let root = Finding { status: Status::Fail, ..root }
        .cause("nginx refuses it: a reload keeps the old configuration, a restart fails")
        .data("reason", "refused");
    match found_too.and_then(|finding| finding.data.get("at")) {
        Some(at) => root.data("at", at.clone()),
        None => root,
    }
}

/// `1.22.1` as numbers.
fn version(text: &str) -> Option<(u32, u32, u32)> {
    let mut numbers = text.split('.').map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??, numbers.next()??))
}

/// The site as its visitors see it.
fn public(site: &Site) -> Public {
    Public {
        scheme: site.url.scheme().to_owned(),
        host: site.url.host_str().unwrap_or_default().to_owned(),
        port: site.url.port_or_known_default().unwrap_or(443),
    }
}

/// The findings of `nginx.config` or `nginx.headers`.
pub(super) async fn judged(scope: &Scope<'_>, id: &'static str) -> Vec<Finding> {
    match scope.nginx().await {
        Ok(view) => view.findings(id),
        Err(fault) if id == "nginx.config" => vec![cannot_look(scope.site, fault)],
        Err(fault) => vec![follow(id, scope.site, &cannot_look(scope.site, fault))],
    }
}

/// The finding of a check that has nothing to judge because nginx, or its configuration, cannot be read.
pub(super) fn follow(id: &'static str, site: &Site, root: &Finding) -> Finding {
    let finding = Finding::unknown(id, &site.name, "nginx cannot be judged").data("reason", "nginx-unreadable");
    Finding { fix: root.fix.clone(), ..finding }.because_of(root)
}

/// What `nginx.config` says where there is no nginx to look at; the other checks follow from it.
pub(super) fn cannot_look(site: &Site, fault: &Fault) -> Finding {
    Finding::unknown("nginx.config", &site.name, format!("nginx cannot be looked at: {}", fault.what))
        .expected("an nginx that prints its configuration with `nginx -T`")
        .observed(fault.what.clone())
        .fix(fault.fix.clone())
        .data("reason", fault.reason)
}

/// Whether there is an nginx to look at.
pub(super) fn applies(site: &Site) -> Result<(), String> {
    match site.nginx {
        Some(_) => Ok(()),
        None => Err("no `[site.NAME.nginx]` section is configured".to_owned()),
    }
}

/// Whether there is an nginx that runs, not only its files.
pub(super) fn applies_running(site: &Site) -> Result<(), String> {
    applies(site)?;
    match site.nginx.as_ref().map(|nginx| &nginx.source) {
        Some(NginxSource::Dump(_)) => Err("a saved dump says nothing about a running nginx".to_owned()),
        Some(NginxSource::Files(_)) => Err("files alone say nothing about a running nginx".to_owned()),
        _ => Ok(()),
    }
}

/// A hand-run command in the place of nginx: the words after `docker exec NAME`, or the words alone.
pub(super) fn command(source: &NginxSource, words: &[&str]) -> String {
    let words = shell_words::join(words);
    match source {
        NginxSource::Container(reference) => format!("docker exec {} {words}", reference.in_shell()),
        NginxSource::Host => format!("sudo {words}"),
        NginxSource::Dump(path) | NginxSource::Files(path) => shell_words::join(["cat", &path.to_string_lossy()]),
    }
}

/// The request for the site as it reaches nginx: at the port inside the container. Behind a trusted proxy also as such
/// a proxy may ask: without TLS, at what is published or at port 80.
fn questions(site: &Site, path: &str, nginx: &Nginx) -> Vec<Question> {
    let public = public(site);
    let host = site.url.port().map_or_else(|| public.host.clone(), |port| format!("{}:{port}", public.host));
    let front = site.trusted_proxy.then(|| public.clone());
    let address = inner_address(nginx);
    let question =
        |tls, port| Question { tls, address, port, host: host.clone(), path: path.to_owned(), front: front.clone() };
    let mut questions = vec![question(public.scheme == "https", nginx.inner_port(public.port))];
    if matches!(nginx.place, Place::Dump(_) | Place::Files(_)) {
        // A saved configuration often comes from a container, and does not say as what its ports are published.
        let secure = public.scheme == "https";
        questions.push(question(secure, if secure { 443 } else { 80 }));
    }
    if site.trusted_proxy {
        let published = match &nginx.place {
            Place::Container { container, .. } => container.published.iter().map(|one| one.port).collect(),
            _ => Vec::new(),
        };
        questions.extend(published.into_iter().chain([80]).map(|port| question(false, port)));
    }
    questions
}

/// The container's address, when it has one of the kind that requests from outside come to.
fn inner_address(nginx: &Nginx) -> Option<IpAddr> {
    let Place::Container { container, .. } = &nginx.place else { return None };
    let mut addresses = container.networks.iter().filter_map(|network| network.address.parse().ok());
    let first: IpAddr = addresses.next()?;
    // With several networks it cannot be told which one a request comes through.
    addresses.all(|other: IpAddr| other.is_ipv4() != first.is_ipv4()).then_some(first)
}

#[cfg(test)]
mod tests;
