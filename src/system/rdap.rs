//! Registries of domains, asked over RDAP (RFC 7480, 9082): who is asked stands in IANA's list (RFC 9224).
//!
//! Registries answer few questions from one address, and what they answer changes rarely: answers are kept in the state folder
//! for a day, and the list for a week. Nothing hangs on what is kept there.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::{
    Context,
    fetch::fetch,
    file,
    state::{self, Mode, State},
};
use crate::rules::domain_expiry::{Learnt, Registration, Trouble, candidates, registration, services, unregistered};

/// Where IANA's list is.
pub const IANA: &str = "https://data.iana.org/rdap/dns.json";

/// Who is asked, and where answers are kept.
#[derive(Clone, Debug)]
pub struct Registries {
    /// The list of services.
    pub list: Url,
    /// The state folder.
    pub state: State,
    /// How long one question may take.
    pub within: Duration,
    /// A registration that ends within this time is asked about every hour, so that a renewal shows soon.
    pub soon: Duration,
}

impl Registries {
    /// What is registered of a name: the name itself, or a shorter one that it belongs to.
    ///
    /// # Errors
    ///
    /// Why nothing is known.
    pub async fn look(&self, name: &str, context: &Context) -> Learnt {
        if let Some(why) = unregistered(name) {
            return Err(Trouble { reason: "no-service", why });
        }
        let now = context.clock.now();
        let names = candidates(name);
        // The longest first: what is kept of a shorter name may be somebody else's.
        let kept = names.iter().rev().find_map(|name| self.kept(name));
        if let Some(kept) = kept.as_ref().filter(|kept| self.is_fresh(kept, now)) {
            return Ok(kept.clone());
        }
        match self.ask(name, &names, context).await {
            Ok(found) => {
                self.keep(&format!("{}.json", found.domain), &found);
                Ok(found)
            }
            // An answer of last week is still an answer, and says when it was given.
            Err(trouble) if trouble.reason != "no-service" => match kept {
                Some(kept) if now.duration_since(kept.asked) < OLDEST => {
                    tracing::debug!(?trouble, name, "the registry does not answer; its last answer is used");
                    Ok(kept)
                }
                _ => Err(trouble),
            },
            Err(trouble) => Err(trouble),
        }
    }

    async fn ask(&self, name: &str, names: &[String], context: &Context) -> Learnt {
        let list = self.services(context).await?;
        let found = services(&list, name)
            .map_err(|why| Trouble { reason: "unreachable", why: format!("the list of registries: {why}") })?;
        let Some(base) = found.iter().find_map(|base| Url::parse(base).ok()) else {
            let last = name.trim_end_matches('.').rsplit('.').next().unwrap_or_default().to_owned();
            return Err(Trouble {
                reason: "no-service",
                why: format!("the registry of `.{last}` answers no questions over RDAP: look at the registrar's page"),
            });
        };
        let mut silent = None;
        for candidate in names {
            let address = format!("{}/domain/{candidate}", base.as_str().trim_end_matches('/'));
            let Ok(url) = Url::parse(&address) else { continue };
            let answer =
                fetch(&url, self.within, None, context).await.map_err(|why| Trouble { reason: "unreachable", why })?;
            match answer.status {
                200 => {
                    let Some(found) = registration(&answer.body, candidate, context.clock.now()) else {
                        let why = format!("{address} answered with what is no registration of `{candidate}`");
                        return Err(Trouble { reason: "unreadable", why });
                    };
                    // Names like `co.uk` may be objects too, without an end; the one below has one.
                    if found.ends.is_some() {
                        return Ok(found);
                    }
                    silent = silent.or(Some(found));
                }
                // Some registries call a name that nobody can register a bad question.
                400 | 404 | 422 => {}
                429 => {
                    let wait = answer
                        .header("retry-after")
                        .map_or(String::new(), |wait| format!("; it says Retry-After: {wait}"));
                    return Err(Trouble {
                        reason: "rate-limit",
                        why: format!("{address} answered 429, too many questions{wait}"),
                    });
                }
                status => return Err(Trouble { reason: "refused", why: format!("{address} answered {status}") }),
            }
        }
        silent.ok_or_else(|| Trouble {
            reason: "not-found",
            why: format!("the registry knows no domain that `{name}` belongs to"),
        })
    }

    /// IANA's list: the one that is kept, where it is young enough, or where there is no other.
    async fn services(&self, context: &Context) -> Result<Vec<u8>, Trouble> {
        let path = self.state.folder().join(ROOM).join(LIST);
        let kept = file::read(&path, LARGEST).ok();
        let changed = std::fs::metadata(&path).and_then(|found| found.modified()).ok();
        let age = changed
            .and_then(|changed| Timestamp::try_from(changed).ok())
            .map(|changed| context.clock.now().duration_since(changed));
        if let (Some(list), Some(age)) = (&kept, age)
            && age.abs() < OLDEST
        {
            return Ok(list.clone());
        }
        let fetched = match fetch(&self.list, self.within, None, context).await {
            Ok(answer) if answer.status == 200 => Ok(answer.body),
            Ok(answer) => Err(format!("{} answered {}", self.list, answer.status)),
            Err(why) => Err(why),
        };
        match (fetched, kept) {
            (Ok(list), _) => {
                // What cannot be read is asked for again and not kept.
                if services(&list, "com").is_ok() {
                    self.write(LIST, &list);
                }
                Ok(list)
            }
            (Err(_), Some(kept)) => Ok(kept),
            (Err(why), None) => Err(Trouble {
                reason: "unreachable",
                why: format!("the list of registries could not be fetched: {why}"),
            }),
        }
    }

    /// What was answered last about a domain.
    fn kept(&self, domain: &str) -> Option<Registration> {
        let path = self.state.folder().join(ROOM).join(format!("{domain}.json"));
        let found: Registration = serde_json::from_slice(&file::read(&path, LARGEST).ok()?).ok()?;
        (found.domain == domain).then_some(found)
    }

    fn is_fresh(&self, kept: &Registration, now: Timestamp) -> bool {
        let soon = SignedDuration::try_from(self.soon).unwrap_or(SignedDuration::MAX);
        let quiet = kept.ends.is_none_or(|ends| ends.duration_since(now) > soon);
        let age = now.duration_since(kept.asked);
        age >= SignedDuration::ZERO && age < if quiet { DAY } else { HOUR }
    }

    fn keep(&self, name: &str, found: &Registration) {
        let text = serde_json::to_vec_pretty(found).expect("plain fields always serialise");
        self.write(name, &text);
    }

    /// What cannot be kept is asked for again the next time.
    fn write(&self, name: &str, content: &[u8]) {
        let written =
            self.state.room(ROOM).and_then(|room| state::write(&room.join(name), content, Mode::Exactly(0o600)));
        if let Err(error) = written {
            tracing::debug!(%error, name, "the answer of a registry could not be kept");
        }
    }
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What is older is no answer any more.
const OLDEST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The folder inside the state folder.
const ROOM: &str = "rdap";

/// The file in it that holds IANA's list; no domain has this name.
const LIST: &str = "services";

/// No kept answer is larger.
const LARGEST: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        sync::{Arc, Mutex},
    };

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::system::clock::Fixed;

    const NOW: &str = "2026-11-26T12:00:00Z";

    /// Answers by path: a status, a header line and a body.
    type Pages = BTreeMap<&'static str, (u16, String, String)>;

    /// IANA's list and one registry, on loopback and without TLS, which loopback needs least of all.
    struct Registry {
        address: std::net::SocketAddr,
        asked: Arc<Mutex<Vec<String>>>,
        pages: Arc<Mutex<Pages>>,
    }

    impl Registry {
        async fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let list = format!(
                r#"{{"services": [[["org", "uk"], ["http://{address}/rdap/"]], [["slow"], ["http://127.0.0.1:1/"]]]}}"#
            );
            let pages = Arc::new(Mutex::new(Pages::from([("/dns.json", (200, String::new(), list))])));
            let asked = Arc::new(Mutex::new(Vec::new()));
            let (all, seen) = (pages.clone(), asked.clone());
            tokio::spawn(async move {
                loop {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    let mut request = vec![0; 4096];
                    let read = stream.read(&mut request).await.unwrap_or(0);
                    let text = String::from_utf8_lossy(&request[..read]).into_owned();
                    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
                    seen.lock().unwrap().push(path.clone());
                    let found = all.lock().unwrap().get(path.as_str()).cloned();
                    let (status, header, body) = found.unwrap_or((404, String::new(), "{}".into()));
                    let head = format!("HTTP/1.1 {status} X\r\n{header}Content-Length: {}\r\n\r\n", body.len());
                    let _ = stream.write_all((head + &body).as_bytes()).await;
                }
            });
            Self { address, asked, pages }
        }

        fn page(&self, path: &'static str, status: u16, header: &str, body: &str) {
            self.pages.lock().unwrap().insert(path, (status, header.to_owned(), body.to_owned()));
        }

        fn asked(&self) -> Vec<String> {
            std::mem::take(&mut *self.asked.lock().unwrap())
        }
    }

    fn object(name: &str, ends: &str) -> String {
        let events = match ends {
            "" => String::new(),
            ends => format!(r#", "events": [{{"eventAction": "expiration", "eventDate": "{ends}"}}]"#),
        };
        format!(r#"{{"objectClassName": "domain", "ldhName": "{name}", "status": ["active"]{events}}}"#)
    }

    fn context(now: &str) -> Context {
        let mut context = Context::real(BTreeMap::new(), "/".into());
        context.clock = Arc::new(Fixed(now.parse().unwrap()));
        context
    }

    fn registries(registry: &Registry, folder: &std::path::Path) -> Registries {
        Registries {
            list: Url::parse(&format!("http://{}/dns.json", registry.address)).unwrap(),
            state: State::at(folder.join("state")),
            within: Duration::from_secs(5),
            soon: Duration::from_secs(30 * 86_400),
        }
    }

    #[tokio::test]
    async fn a_registry_is_asked_once_a_day_and_answers_for_all_names_below() {
        let registry = Registry::start().await;
        registry.page("/rdap/domain/example.org", 200, "", &object("example.org", "2027-08-30T04:00:00Z"));
        let folder = tempfile::tempdir().unwrap();
        let registries = registries(&registry, folder.path());
        let found = registries.look("www.example.org", &context(NOW)).await.unwrap();
        assert_eq!(
            (found.domain.as_str(), found.ends.unwrap().to_string().as_str()),
            ("example.org", "2027-08-30T04:00:00Z")
        );
        assert_eq!(registry.asked(), ["/dns.json", "/rdap/domain/example.org"]);
        registries.look("prime.example.org.", &context("2026-11-27T11:00:00Z")).await.unwrap();
        assert!(registry.asked().is_empty(), "the answer is kept");
        // The list's own age goes by the real clock.
        registries.look("example.org", &context("2026-11-27T13:00:00Z")).await.unwrap();
        assert_eq!(
            registry.asked().last().map(String::as_str),
            Some("/rdap/domain/example.org"),
            "a day later it is asked again"
        );
    }

    #[tokio::test]
    async fn an_end_that_is_near_is_asked_about_every_hour_and_a_silent_registry_is_forgiven_for_a_week() {
        let registry = Registry::start().await;
        registry.page("/rdap/domain/example.org", 200, "", &object("example.org", "2026-12-01T00:00:00Z"));
        let folder = tempfile::tempdir().unwrap();
        let registries = registries(&registry, folder.path());
        registries.look("example.org", &context(NOW)).await.unwrap();
        registry.asked();
        registries.look("example.org", &context("2026-11-26T12:50:00Z")).await.unwrap();
        assert!(registry.asked().is_empty());
        registry.page("/rdap/domain/example.org", 429, "Retry-After: 60\r\n", "");
        let kept = registries.look("example.org", &context("2026-11-26T13:10:00Z")).await.unwrap();
        assert!(registry.asked().contains(&"/rdap/domain/example.org".to_owned()));
        assert_eq!(kept.asked, NOW.parse().unwrap(), "the last answer, with its own time");
        let trouble = registries.look("example.org", &context("2026-12-04T13:10:00Z")).await.unwrap_err();
        assert_eq!(trouble.reason, "rate-limit");
        assert!(trouble.why.contains("Retry-After: 60"), "{trouble:?}");
    }

    #[tokio::test]
    async fn a_public_suffix_is_stepped_over_and_redirects_are_followed() {
        let registry = Registry::start().await;
        registry.page("/rdap/domain/co.uk", 200, "", &object("co.uk", ""));
        registry.page("/rdap/domain/example.co.uk", 302, "Location: /elsewhere\r\n", "");
        registry.page("/elsewhere", 200, "", &object("example.co.uk", "2027-08-30T04:00:00Z"));
        let folder = tempfile::tempdir().unwrap();
        let registries = registries(&registry, folder.path());
        let found = registries.look("www.example.co.uk", &context(NOW)).await.unwrap();
        assert_eq!(found.domain, "example.co.uk");
        registry.page("/rdap/domain/loop.uk", 302, "Location: /rdap/domain/loop.uk\r\n", "");
        assert!(registries.look("loop.uk", &context(NOW)).await.unwrap_err().why.contains("redirects"));
        // One that gives no date at all.
        registry.page("/rdap/domain/undated.org", 200, "", &object("undated.org", ""));
        assert_eq!(registries.look("undated.org", &context(NOW)).await.unwrap().ends, None);
    }

    #[tokio::test]
    async fn every_way_not_to_answer_has_its_reason() {
        let registry = Registry::start().await;
        registry.page("/rdap/domain/broken.org", 200, "", "<html>");
        registry.page("/rdap/domain/other.org", 200, "", &object("somebody.org", "2027-08-30T04:00:00Z"));
        registry.page("/rdap/domain/down.org", 503, "", "");
        let folder = tempfile::tempdir().unwrap();
        let registries = registries(&registry, folder.path());
        for (name, reason) in [
            ("nobody.org", "not-found"),
            ("broken.org", "unreadable"),
            ("other.org", "unreadable"),
            ("down.org", "refused"),
            ("x.slow", "unreachable"),
            ("x.edu", "no-service"),
            ("nas", "no-service"),
        ] {
            let trouble = registries.look(name, &context(NOW)).await.unwrap_err();
            assert_eq!(trouble.reason, reason, "{name}: {trouble:?}");
        }
        let nowhere = Registries {
            list: Url::parse("http://127.0.0.1:1/").unwrap(),
            state: State::at(folder.path().join("other")),
            ..registries
        };
        assert_eq!(nowhere.look("example.org", &context(NOW)).await.unwrap_err().reason, "unreachable");
    }
}
