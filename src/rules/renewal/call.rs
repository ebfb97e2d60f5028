//! How certbot is called: one lineage a call, without hooks, and in a container under a name by which it can be ended.

use std::path::{Path, PathBuf};

/// What certbot is to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Call<'a> {
    /// The lineage.
    pub name: &'a str,
    /// Renew it or ask for it the first time.
    pub kind: Kind<'a>,
    /// How the names are proved.
    pub way: Way<'a>,
    /// Whether it is a rehearsal at the authority's staging, which keeps nothing (`--dry-run`).
    pub rehearsal: bool,
    /// Folders that are not certbot's own defaults, with their options: `--config-dir`.
    pub folders: Vec<(&'static str, String)>,
}

/// Which command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kind<'a> {
    /// `certbot renew`: everything else is in its renewal configuration.
    Renew,
    /// `certbot certonly`: the lineage does not exist.
    Request {
        /// The names.
        names: &'a [String],
        /// The address of the account.
        email: Option<&'a str>,
        /// `ecdsa` or `rsa`.
        key_type: &'a str,
        /// Another ACME directory.
        server: Option<&'a str>,
    },
}

/// How the names are proved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way<'a> {
    /// certbot answers port 80 itself.
    Standalone,
    /// As the renewal configuration says.
    Stored,
    /// By files in this folder.
    Webroot(&'a Path),
}

/// Where certbot runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// `docker compose run …`, `docker-compose run …`.
    Compose,
    /// `docker run …`, `podman run …`.
    Container,
    /// As a program of this machine.
    Host,
}

/// Whether certbot's container gets the ports of this machine that its command publishes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ports {
    /// No: the server holds them, and the engine would refuse to start it.
    Closed,
    /// Yes: it answers port 80 itself.
    Published,
}

impl Call<'_> {
    /// The arguments after the command itself.
    pub fn arguments(&self) -> Vec<String> {
        let mut words: Vec<String> = match &self.kind {
            // Without a terminal certbot 2 to 5 sleeps up to 8 minutes before a renewal, while the site would be stopped.
            Kind::Renew => [
                "renew",
                "--cert-name",
                self.name,
                "--force-renewal",
                "--no-random-sleep-on-renew",
                "--non-interactive",
            ]
            .map(str::to_owned)
            .to_vec(),
            Kind::Request { names, email, key_type, server } => {
                let mut words = vec!["certonly".to_owned(), "--cert-name".to_owned(), self.name.to_owned()];
                words.extend(names.iter().flat_map(|name| ["-d".to_owned(), name.clone()]));
                words.extend(["--non-interactive", "--agree-tos", "--key-type", key_type].map(str::to_owned));
                match email {
                    Some(email) => words.extend(["--email".to_owned(), (*email).to_owned()]),
                    None => words.push("--register-unsafely-without-email".to_owned()),
                }
                words.extend(server.iter().flat_map(|server| ["--server".to_owned(), (*server).to_owned()]));
                words
            }
        };
        match self.way {
            Way::Standalone => words.push("--standalone".to_owned()),
            Way::Stored => {}
            Way::Webroot(folder) => {
                words.extend(["--webroot".to_owned(), "-w".to_owned(), folder.display().to_string()]);
            }
        }
        words.extend(self.folders.iter().flat_map(|(option, folder)| [(*option).to_owned(), folder.clone()]));
        if self.rehearsal {
            words.push("--dry-run".to_owned());
        }
        words
    }
}

/// What a configured command is.
pub fn caller(command: &[String]) -> Form {
    let program = command.first().map(|program| program.rsplit('/').next().unwrap_or(program)).unwrap_or_default();
    let has = |word: &str| command.iter().any(|other| other == word);
    match program {
        "docker-compose" | "podman-compose" => Form::Compose,
        "docker" | "podman" if has("compose") => Form::Compose,
        "docker" | "podman" if has("run") => Form::Container,
        _ => Form::Host,
    }
}

/// The configured command for one run: a container gets a name by which it can be removed when the client is gone, no
/// terminal, since cron has none, and the ports only where it answers them.
pub fn wrap(command: &[String], container: &str, ports: Ports) -> Vec<String> {
    let form = caller(command);
    let Some(at) = command.iter().position(|word| word == "run").filter(|_| form != Form::Host) else {
        return command.to_vec();
    };
    let mut words = command[..=at].to_vec();
    let rest = &command[at + 1..];
    // One of its own would not be found by whoever cleans up.
    words.extend(["--name".to_owned(), container.to_owned()]);
    if !rest.iter().any(|word| word == "--rm") {
        words.push("--rm".to_owned());
    }
    if form == Form::Compose && !rest.iter().any(|word| word == "-T" || word == "--no-TTY") {
        words.push("-T".to_owned());
    }
    let mut options = true;
    let mut rest = rest.iter().peekable();
    while let Some(word) = rest.next() {
        options &= word.starts_with('-');
        let terminal = matches!(word.as_str(), "-t" | "-i" | "-it" | "-ti" | "--tty" | "--interactive");
        let name = word == "--name" || word.starts_with("--name=");
        let port = ports == Ports::Closed && is_port(word, rest.peek().map(|next| next.as_str()));
        if options && (terminal || name || port) {
            // With its value, where that is a word of its own.
            if (name || port) && matches!(word.as_str(), "--name" | "-p" | "--publish") {
                rest.next();
            }
            continue;
        }
        words.push(word.clone());
        // The value of an option is no end of the options, but nothing after it can be told for certain.
        options |= word.starts_with('-');
    }
    words
}

/// Whether a word publishes ports: `-p 80:80`, `-p80:80`, `--publish=80:80`, `-P`, `--service-ports` of Compose.
fn is_port(word: &str, next: Option<&str>) -> bool {
    let address = |text: &str| {
        text.contains(|c: char| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_hexdigit() || ":.[]/-tcpudsx".contains(c))
    };
    match word {
        "-P" | "--publish-all" | "--service-ports" => true,
        "-p" | "--publish" => next.is_some_and(address),
        word => ["--publish=", "-p"].iter().any(|start| word.strip_prefix(start).is_some_and(address)),
    }
}

/// The path in a `docker run` container of a path here, by its `-v` and `--mount` options.
pub fn inside(command: &[String], path: &Path) -> Option<PathBuf> {
    let mut pairs: Vec<(PathBuf, PathBuf)> = Vec::new();
    let mut words = command.iter();
    while let Some(word) = words.next() {
        let value = match word.split_once('=') {
            Some(("--volume" | "--mount", value)) => Some(value.to_owned()),
            _ if matches!(word.as_str(), "-v" | "--volume" | "--mount") => words.next().cloned(),
            _ => None,
        };
        let Some(value) = value else { continue };
        let field = |names: &[&str]| {
            value.split(',').find_map(|part| {
                let (name, value) = part.split_once('=')?;
                names.contains(&name).then(|| value.to_owned())
            })
        };
        let pair = match value.split_once(':') {
            Some((source, rest)) if source.starts_with('/') => {
                Some((source.to_owned(), rest.split(':').next().unwrap_or_default().to_owned()))
            }
            _ => field(&["source", "src"]).zip(field(&["target", "destination", "dst"])),
        };
        pairs.extend(pair.map(|(source, target)| (source.into(), target.into())));
    }
    let (source, target) = pairs
        .iter()
        .filter(|(source, _)| path.starts_with(source))
        .max_by_key(|(source, _)| source.components().count())?;
    let rest = path.strip_prefix(source).ok()?;
    Some(if rest.as_os_str().is_empty() { target.clone() } else { target.join(rest) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_renewal_is_one_lineage_without_hooks_sleep_or_questions() {
        let call = Call { name: "prime", kind: Kind::Renew, way: Way::Stored, rehearsal: false, folders: vec![] };
        assert_eq!(
            call.arguments().join(" "),
            "renew --cert-name prime --force-renewal --no-random-sleep-on-renew --non-interactive"
        );
        let call = Call {
            way: Way::Webroot(Path::new("/srv/w")),
            folders: vec![("--config-dir", "/le".to_owned())],
            rehearsal: true,
            ..call
        };
        assert!(
            call.arguments().join(" ").ends_with("--non-interactive --webroot -w /srv/w --config-dir /le --dry-run")
        );
    }

    #[test]
    fn a_first_request_names_everything() {
        let names = words("a.test b.test");
        let kind = Kind::Request {
            names: &names,
            email: Some("ops@a.test"),
            key_type: "ecdsa",
            server: Some("https://ca.test/dir"),
        };
        let call = Call { name: "prime", kind, way: Way::Standalone, rehearsal: false, folders: vec![] };
        assert_eq!(
            call.arguments().join(" "),
            "certonly --cert-name prime -d a.test -d b.test --non-interactive --agree-tos --key-type ecdsa --email ops@a.test --server https://ca.test/dir --standalone"
        );
    }

    #[test]
    fn renew_case_29_a_container_of_certbot_has_a_name_by_which_it_can_be_removed() {
        for (command, expected) in [
            ("certbot", "certbot"),
            ("/opt/certbot/bin/certbot", "/opt/certbot/bin/certbot"),
            ("docker run --rm certbot/certbot", "docker run --name mc-1 --rm certbot/certbot"),
            ("podman run -v /a:/b certbot/certbot", "podman run --name mc-1 --rm -v /a:/b certbot/certbot"),
            ("docker run --name own --rm c", "docker run --name mc-1 --rm c"),
            ("docker run --name=own --rm -p 80:80 c", "docker run --name mc-1 --rm -p 80:80 c"),
            ("docker compose run --rm certbot", "docker compose run --name mc-1 -T --rm certbot"),
            ("docker-compose -f a.yml run certbot", "docker-compose -f a.yml run --name mc-1 --rm -T certbot"),
        ] {
            assert_eq!(wrap(&words(command), "mc-1", Ports::Published).join(" "), expected, "{command}");
        }
        assert_eq!(caller(&words("docker exec x certbot")), Form::Host);
    }

    #[test]
    fn ports_are_published_only_where_the_container_answers_them() {
        for (command, expected) in [
            ("docker run --rm -p 80:80 c", "docker run --name mc-1 --rm c"),
            ("docker run -p0.0.0.0:80:80 --publish=[::]:80:80/tcp --rm c", "docker run --name mc-1 --rm c"),
            ("docker run --publish 80 -P -v /a:/b --rm c", "docker run --name mc-1 -v /a:/b --rm c"),
            // Compose has its project before `run`.
            (
                "docker compose -p prime run --rm --service-ports certbot",
                "docker compose -p prime run --name mc-1 -T --rm certbot",
            ),
            ("docker-compose run --rm -p 80:80 certbot", "docker-compose run --name mc-1 -T --rm certbot"),
            ("certbot -p 80:80", "certbot -p 80:80"),
        ] {
            assert_eq!(wrap(&words(command), "mc-1", Ports::Closed).join(" "), expected, "{command}");
        }
    }

    #[test]
    fn renew_case_36_no_terminal_is_ever_asked_for() {
        for command in ["docker run -it --rm c", "docker run --rm -t c", "docker compose run --rm -i certbot"] {
            let words = wrap(&words(command), "mc-1", Ports::Published);
            assert!(!words.iter().any(|word| ["-it", "-t", "-i"].contains(&word.as_str())), "{words:?}");
        }
    }

    #[test]
    fn a_webroot_is_found_in_the_container_of_certbot() {
        let command = words(
            "docker run -v /srv/w:/www:ro --volume=/etc/letsencrypt:/etc/letsencrypt --mount type=bind,source=/data,target=/d c",
        );
        let inside = |path: &str| inside(&command, Path::new(path)).map(|path| path.display().to_string());
        assert_eq!(inside("/srv/w").as_deref(), Some("/www"));
        assert_eq!(inside("/srv/w/x").as_deref(), Some("/www/x"));
        assert_eq!(inside("/data/a").as_deref(), Some("/d/a"));
        assert_eq!(inside("/other"), None);
    }
}
