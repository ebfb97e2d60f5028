//! Recognising gunicorn in the command lines of processes and containers.

use super::words;

/// What a process of gunicorn is, by its arguments alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// The title of a master: `gunicorn: master [app]`. Its arguments are gone.
    Master,
    /// The title of something else: `gunicorn: worker [app]`.
    Other,
    /// gunicorn's own command line: a master, or a worker that never changed its title.
    Plain,
    /// The title of a worker.
    Worker,
}

/// A gunicorn found in a list of words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Command {
    /// The words after the program's name.
    pub arguments: Vec<String>,
}

/// What the process with these arguments (joined by blanks or not) is, when it is gunicorn.
///
/// The `setproctitle` package, when it is installed, replaces the arguments by a title.
pub fn role(arguments: &[String]) -> Option<Role> {
    let joined = arguments.join(" ");
    if let Some(title) = joined.strip_prefix("gunicorn: ") {
        return Some(if title.starts_with("master [") {
            Role::Master
        } else if title.starts_with("worker [") {
            Role::Worker
        } else {
            Role::Other
        });
    }
    command(arguments).map(|_| Role::Plain)
}

/// The gunicorn that these words start directly: by name, or as a script or module of Python.
pub fn command(words: &[String]) -> Option<Command> {
    let (program, rest) = words.split_first()?;
    if is_gunicorn(program) {
        return Some(Command { arguments: rest.to_vec() });
    }
    if !base(program).starts_with("python") && !base(program).starts_with("pypy") {
        return None;
    }
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-m" => {
                let module = rest.next()?;
                let gunicorn = module == "gunicorn" || module == "gunicorn.app.wsgiapp";
                return gunicorn.then(|| Command { arguments: rest.cloned().collect() });
            }
            "-W" | "-X" => {
                rest.next();
            }
            option if option.starts_with('-') => {}
            script => return is_gunicorn(script).then(|| Command { arguments: rest.cloned().collect() }),
        }
    }
    None
}

/// The gunicorn that a container's first process is or becomes, out of `Path` and `Args` of `docker inspect`.
///
/// # Errors
///
/// Why it cannot be told: a script may do anything before it starts gunicorn.
pub fn of_first_process(argv: &[String]) -> Result<Command, String> {
    let words = past_init(argv);
    if let Some(command) = command(words) {
        return Ok(command);
    }
    let Some(program) = words.first() else { return Err("the container names no command".to_owned()) };
    let shell = ["sh", "bash", "dash", "ash", "zsh"].contains(&base(program));
    if let [_, option, line] = words
        && shell
        && ["-c", "-lc", "-ec", "-cl", "-ce"].contains(&option.as_str())
    {
        let plain = words::plain_shell(line).unwrap_or_default();
        let plain = plain.strip_prefix(&["exec".to_owned()]).unwrap_or(&plain);
        return command(plain)
            .ok_or_else(|| format!("the container starts through a shell that may change the command: {line}"));
    }
    Err(format!("the container's first process is `{program}`, which may start gunicorn with anything"))
}

/// Without the small init programs that hand their command on unchanged.
fn past_init(argv: &[String]) -> &[String] {
    let Some((program, mut rest)) = argv.split_first() else { return argv };
    if !["tini", "tini-static", "docker-init", "dumb-init", "catatonit"].contains(&base(program)) {
        return argv;
    }
    while let Some((word, after)) = rest.split_first() {
        match word.as_str() {
            "--" => return after,
            // These take a value: tini's signal and exit code, dumb-init's rewriting.
            "-p" | "-e" | "-r" | "--rewrite" => rest = after.get(1..).unwrap_or_default(),
            option if option.starts_with('-') => rest = after,
            _ => break,
        }
    }
    rest
}

fn is_gunicorn(word: &str) -> bool {
    let name = base(word);
    name == "gunicorn"
        || name.strip_prefix("gunicorn").is_some_and(|rest| {
            // Debian's and SuSE's names: gunicorn3, gunicorn-3.11.
            !rest.is_empty() && rest.trim_start_matches('-').chars().all(|digit| digit.is_ascii_digit() || digit == '.')
        })
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn gunicorn_is_known_by_its_program() {
        for (line, arguments) in [
            ("gunicorn -w 3 app:app", Some("-w 3 app:app")),
            ("/usr/bin/python3 /usr/bin/gunicorn -w 3", Some("-w 3")),
            ("python3 -u -X dev -m gunicorn -w 3", Some("-w 3")),
            ("python -m gunicorn.app.wsgiapp x", Some("x")),
            ("/opt/venv/bin/gunicorn3 x", Some("x")),
            ("python3 manage.py gunicorn", None),
            ("vim gunicorn.conf.py", None),
            ("gunicorn_paster x.ini", None),
            ("tini -- gunicorn x", None),
            ("sh -c gunicorn", None),
        ] {
            assert_eq!(command(&words(line)).map(|found| found.arguments.join(" ")).as_deref(), arguments, "{line}");
        }
    }

    #[test]
    fn titles_tell_the_role() {
        for (line, expected) in [
            ("gunicorn: master [app:app]", Some(Role::Master)),
            ("gunicorn: master [app.2]", Some(Role::Master)),
            ("gunicorn: worker [app:app]", Some(Role::Worker)),
            ("gunicorn: dirty-arbiter [app:app]", Some(Role::Other)),
            ("gunicorn app:app", Some(Role::Plain)),
            ("nginx: master process nginx", None),
        ] {
            assert_eq!(role(&words(line)), expected, "{line}");
        }
    }

    #[test]
    fn case_46_the_first_process_is_read_out_of_inspect() {
        let argv = words("/usr/bin/tini -g -- gunicorn -w 3 app");
        assert_eq!(of_first_process(&argv).unwrap().arguments.join(" "), "-w 3 app");
        let shell = ["/bin/sh", "-c", "exec gunicorn --workers 3 --forwarded-allow-ips='*' app"].map(str::to_owned);
        assert_eq!(of_first_process(&shell).unwrap().arguments.join(" "), "--workers 3 --forwarded-allow-ips=* app");
    }

    #[test]
    fn case_47_a_script_may_do_anything() {
        for argv in [&["./entrypoint.sh", "gunicorn", "-w", "3"][..], &["sh", "-c", "gunicorn -w $N app"], &[]] {
            let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
            assert!(of_first_process(&argv).is_err(), "{argv:?}");
        }
    }
}
