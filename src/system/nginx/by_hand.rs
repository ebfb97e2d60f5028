//! What a person types to see or to mend the same nginx: the commands that the findings print.

use std::path::Path;

use super::{Nginx, Place, Start};

impl Nginx {
    /// What was looked at, as a person would say it.
    pub fn title(&self) -> String {
        match &self.place {
            Place::Container { container, .. } => format!("container `{}`", container.name),
            Place::Dump(path) => format!("the dump `{}`", path.display()),
            Place::Files(path) => format!("`{}`", path.display()),
            Place::Host => "this machine".to_owned(),
        }
    }

    /// The hand-run command that prints the same configuration.
    pub fn dump_command(&self) -> String {
        match &self.place {
            Place::Dump(path) | Place::Files(path) => shell_words::join(["cat", &path.to_string_lossy()]),
            Place::Container { .. } | Place::Host => self.command(&["-T"]),
        }
    }

    /// The hand-run command that lets nginx test its files.
    pub fn test_command(&self) -> String {
        match &self.place {
            Place::Dump(_) | Place::Files(_) => "nginx -t".to_owned(),
            Place::Container { .. } | Place::Host => self.command(&["-t"]),
        }
    }

    /// How a reload is asked for, as a sentence. Tested first: a reload with a wrong file changes nothing.
    pub fn reload(&self) -> String {
        match &self.place {
            Place::Dump(_) | Place::Files(_) => "reload nginx".to_owned(),
            Place::Container { .. } | Place::Host => {
                format!("run `{} && {}`", self.command(&["-t"]), self.command(&["-s", "reload"]))
            }
        }
    }

    /// The hand-run command that shows when nginx read its files.
    pub fn workers_command(&self) -> String {
        match &self.place {
            Place::Container { engine, container } => {
                format!("{engine} top {} -o pid,ppid,lstart,args", container.name)
            }
            _ => "ps -C nginx -o pid,ppid,lstart,args".to_owned(),
        }
    }

    /// The hand-run command that lists the files beside this one with their times.
    pub fn list_command(&self, path: &str) -> String {
        let folder = Path::new(path).parent().map_or_else(|| "/etc/nginx".into(), Path::to_string_lossy);
        match &self.place {
            Place::Container { engine, container } => {
                let source = format!("{}:{folder}", container.name);
                format!("{} | tar -tv", shell_words::join([engine, "cp", "-L", source.as_str(), "-"]))
            }
            _ => shell_words::join(["ls", "-lLR", "--full-time", &folder]),
        }
    }

    /// The hand-run command that prints a file as nginx sees it.
    pub fn print_command(&self, path: &str) -> String {
        match &self.place {
            Place::Container { engine, container } => {
                let source = format!("{}:{path}", container.name);
                format!("{} | tar -xO", shell_words::join([engine, "cp", "-L", source.as_str(), "-"]))
            }
            _ => shell_words::join(["sudo", "cat", path]),
        }
    }

    /// A command line of the same nginx with the same arguments, for a person.
    fn command(&self, more: &[&str]) -> String {
        let default = Start { program: "nginx".to_owned(), ..Start::default() };
        let start = self.start.as_ref().unwrap_or(&default);
        let mut words: Vec<&str> = match &self.place {
            Place::Container { engine, container } => vec![engine, "exec", &container.name],
            _ => vec!["sudo"],
        };
        words.push(&start.program);
        // What `-g` says is already true of the master when a signal is sent, but a test needs it.
        words.extend(start.arguments());
        words.extend(more);
        shell_words::join(words)
    }
}
