//! Commands that certbot runs by itself around a renewal: of the renewal file, of its `cli.ini`, and every program in
//! `renewal-hooks/{pre,deploy,post}` (its documentation, "Renewing certificates").

use std::fmt;

/// When a hook is run.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Moment {
    /// Before the first renewal; in a rehearsal too.
    Pre,
    /// After a certificate was renewed; not in a rehearsal.
    Deploy,
    /// After all of it; in a rehearsal too.
    Post,
}

/// One command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hook {
    /// When it is run.
    pub moment: Moment,
    /// Where it is written down, after "of": `its renewal file`.
    pub source: String,
    /// The command, or the program's path.
    pub command: String,
    /// The text of a script, where it is one that can be read.
    pub script: String,
}

impl Moment {
    /// All of them, in their order.
    pub const ALL: [Self; 3] = [Self::Pre, Self::Deploy, Self::Post];

    /// The word of certbot: the name of a folder in `renewal-hooks`, and of the option with `-hook` behind it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pre => "pre",
            Self::Deploy => "deploy",
            Self::Post => "post",
        }
    }

    /// The moment of a key in a configuration: `pre_hook`, `pre-hook`; `renew_hook` is the old name of `deploy_hook`.
    pub fn of_key(key: &str) -> Option<Self> {
        match key.replace('-', "_").as_str() {
            "pre_hook" => Some(Self::Pre),
            "deploy_hook" | "renew_hook" => Some(Self::Deploy),
            "post_hook" => Some(Self::Post),
            _ => None,
        }
    }
}

impl Hook {
    /// Whether it looks as if it stopped something, which mainstay does where it is needed, and undoes.
    pub fn stops(&self) -> bool {
        let stops = |text: &str| {
            let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_');
            words.any(|word| ["stop", "down", "kill", "pause"].contains(&word))
        };
        let code = self.script.lines().filter(|line| !line.trim_start().starts_with('#'));
        stops(&self.command) && self.script.is_empty() || code.into_iter().any(stops)
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { moment, source, command, .. } = self;
        write!(f, "certbot will run the {} hook of {source}: {command}", moment.word())?;
        if self.stops() {
            write!(f, "; it stops something: take it out, mainstay does what is needed")?;
        }
        Ok(())
    }
}

/// The hooks of certbot's `cli.ini`, which holds options of its command line as `key = value`.
pub fn of_ini(text: &str, source: &str) -> Vec<Hook> {
    let hook = |line: &str| {
        let (key, command) = line.split_once('=')?;
        let moment = Moment::of_key(key.trim())?;
        let command = command.trim().to_owned();
        Some(Hook { moment, source: source.to_owned(), command, script: String::new() })
    };
    text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])).filter_map(hook).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(command: &str, script: &str) -> Hook {
        Hook { moment: Moment::Pre, source: "its renewal file".into(), command: command.into(), script: script.into() }
    }

    #[test]
    fn a_hook_that_stops_something_is_told_apart() {
        for (command, script, stops) in [
            ("docker stop web", "", true),
            ("systemctl reload nginx", "", false),
            ("docker-compose -f /srv/a.yml down", "", true),
            ("/le/renewal-hooks/pre/stop.sh", "#!/bin/sh\n# does not stop nginx\nlogger renewing\n", false),
            ("/le/renewal-hooks/pre/nginx", "#!/bin/sh\nset -e; service nginx stop\n", true),
            ("/usr/local/bin/shutdown-page", "", false),
        ] {
            assert_eq!(hook(command, script).stops(), stops, "{command} {script}");
        }
        let told = hook("docker stop web", "").to_string();
        assert!(
            told.starts_with("certbot will run the pre hook of its renewal file: docker stop web; it stops"),
            "{told}"
        );
    }

    #[test]
    fn the_hooks_of_cli_ini_are_read() {
        let text = "# pre-hook = no\nmax-log-backups = 0\npre-hook = systemctl stop nginx\nrenew_hook=/bin/x\n";
        let hooks: Vec<_> = of_ini(text, "`cli.ini`").into_iter().map(|hook| (hook.moment, hook.command)).collect();
        assert_eq!(hooks, [(Moment::Pre, "systemctl stop nginx".into()), (Moment::Deploy, "/bin/x".into())]);
    }
}
