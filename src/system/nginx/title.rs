//! How nginx was started, out of the title of its master process.

/// What a master was started with.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Start {
    /// The program as it was typed: `nginx`, `/usr/sbin/nginx`, `openresty`.
    pub program: String,
    /// `-c`: the main configuration file.
    pub config: Option<String>,
    /// `-p`: the folder that relative paths start from.
    pub prefix: Option<String>,
    /// `-g`: directives outside the file.
    pub globals: Option<String>,
}

/// What a process of nginx does, as its title says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Role {
    /// Reads the configuration and starts the others.
    Master(Start),
    /// Answers requests; `leaving` when a reload has told it to end after its last one.
    Worker {
        /// Whether it takes no new requests.
        leaving: bool,
    },
    /// Cache manager or loader.
    Other,
}

impl Start {
    /// The arguments that make another nginx read the same configuration.
    pub fn arguments(&self) -> Vec<&str> {
        let options = [("-c", &self.config), ("-p", &self.prefix), ("-g", &self.globals)];
        options.into_iter().filter_map(|(name, value)| value.as_deref().map(|value| [name, value])).flatten().collect()
    }
}

/// What the process with this title or command line does in nginx; `None` for another program.
pub fn role(arguments: &str) -> Option<Role> {
    let arguments = arguments.trim();
    if let Some(title) = arguments.strip_prefix("nginx: ") {
        return Some(match title.strip_prefix("master process") {
            Some(line) => Role::Master(start(line.trim_start())),
            None if title.starts_with("worker process") => Role::Worker { leaving: title.contains("shutting down") },
            None => Role::Other,
        });
    }
    // `master_process off` leaves the command line alone; a signal sender (`-s`) or test is not the server.
    let (program, rest) = arguments.split_once(' ').unwrap_or((arguments, ""));
    let name = program.rsplit('/').next().unwrap_or_default();
    let is_server = !rest.split_whitespace().any(|word| matches!(word, "-s" | "-t" | "-T" | "-v" | "-V"));
    (matches!(name, "nginx" | "openresty") && is_server).then(|| Role::Master(start(arguments)))
}

/// Takes a command line apart. The blanks inside a value are not told from those between values, so a value goes on
/// until the next word that is an option of nginx.
fn start(line: &str) -> Start {
    let mut words = line.split_whitespace().peekable();
    let mut start = Start { program: words.next().unwrap_or("nginx").to_owned(), ..Start::default() };
    while let Some(word) = words.next() {
        let Some(letters) = word.strip_prefix('-') else { continue };
        // `-qc FILE` and `-cFILE` are both right.
        let Some(at) = letters.find(['c', 'p', 'g', 'e', 's']) else { continue };
        let mut value = letters[at + 1..].to_owned();
        while let Some(more) = words.next_if(|next| value.is_empty() || !is_option(next)) {
            if !value.is_empty() {
                value.push(' ');
            }
            value.push_str(more);
        }
        let value = Some(value).filter(|value| !value.is_empty());
        match &letters[at..=at] {
            "c" => start.config = value,
            "p" => start.prefix = value,
            "g" => start.globals = value,
            _ => {}
        }
    }
    start
}

fn is_option(word: &str) -> bool {
    let option = word.strip_prefix('-').and_then(|rest| rest.chars().next());
    option.is_some_and(|letter| "?hvVtTqcpgse".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(title: &str) -> Start {
        match role(title) {
            Some(Role::Master(start)) => start,
            other => panic!("{title}: {other:?}"),
        }
    }

    #[test]
    fn the_title_keeps_the_arguments() {
        let start = master("nginx: master process nginx -c /x/prod.conf -g daemon off; user root;");
        assert_eq!(start.program, "nginx");
        assert_eq!(start.config.as_deref(), Some("/x/prod.conf"));
        assert_eq!(start.globals.as_deref(), Some("daemon off; user root;"));
        assert_eq!(start.arguments(), ["-c", "/x/prod.conf", "-g", "daemon off; user root;"]);

        let start = master("nginx: master process /usr/sbin/nginx -g daemon off; -c/a b.conf -p /srv");
        assert_eq!(start.program, "/usr/sbin/nginx");
        assert_eq!(start.arguments(), ["-c", "/a b.conf", "-p", "/srv", "-g", "daemon off;"]);
        assert_eq!(master("nginx: master process nginx -qc /q.conf").config.as_deref(), Some("/q.conf"));
        assert!(master("nginx: master process nginx").arguments().is_empty());
        assert_eq!(master("nginx: master process").program, "nginx");
        assert_eq!(master("nginx: master process nginx -c").config, None);
    }

    #[test]
    fn processes_are_told_apart() {
        assert_eq!(role("nginx: worker process"), Some(Role::Worker { leaving: false }));
        assert_eq!(role("nginx: worker process is shutting down"), Some(Role::Worker { leaving: true }));
        assert_eq!(role("nginx: cache manager process"), Some(Role::Other));
        assert!(matches!(role("/usr/sbin/nginx -g master_process off;"), Some(Role::Master(_))));
        assert_eq!(role("nginx -s reload"), None);
        assert_eq!(role("gunicorn: master [app]"), None);
        assert_eq!(role("sh -c nginx"), None);
        assert_eq!(role(""), None);
    }
}
