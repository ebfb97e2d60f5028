//! What a gunicorn really runs with: every setting with the source that won.
//!
//! Later wins: the built-in default, the environment's own defaults, the configuration file, `GUNICORN_CMD_ARGS`, the
//! command line (`gunicorn/app/base.py`, `load_config`).

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{
    arguments::Arguments,
    number,
    options::{VERSIONS, Version},
    python::{Binding, Literal, Module},
    setting::{Name, Reading, Source, Value},
    words,
};

/// All settings that mainstay reads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings(BTreeMap<Name, Reading>);

/// What a gunicorn was started with. Each part is there, or the reason why it could not be had.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The words after the program's name.
    pub arguments: Vec<String>,
    /// The environment of the process.
    pub environment: Result<BTreeMap<String, String>, String>,
    /// The configuration file that it reads, when it reads one.
    pub file: Result<Option<File>, String>,
}

/// A configuration file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct File {
    /// As findings name it.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Settings {
    /// Works out the settings. The release is not known, so each is asked, and what they disagree on is unknown.
    ///
    /// # Errors
    ///
    /// Why every release would refuse to start.
    pub fn resolve(evidence: &Evidence) -> Result<Self, String> {
        let module = evidence.file.as_ref().ok().and_then(Option::as_ref).map(|file| Module::read(&file.text));
        let mut agreed: Option<Self> = None;
        let mut refusal = String::new();
        for version in VERSIONS {
            match Self::of(evidence, module.as_ref(), *version) {
                Ok(settings) => match &mut agreed {
                    Some(agreed) => agreed.agree(&settings),
                    None => agreed = Some(settings),
                },
                Err(reason) => refusal = reason,
            }
        }
        agreed.ok_or(refusal)
    }

    /// Works out the settings for one release.
    ///
    /// # Errors
    ///
    /// Why it would refuse to start.
    pub fn resolve_for(evidence: &Evidence, version: Version) -> Result<Self, String> {
        let module = evidence.file.as_ref().ok().and_then(Option::as_ref).map(|file| Module::read(&file.text));
        Self::of(evidence, module.as_ref(), version)
    }

    /// Every setting is unknown for the same reason.
    pub fn unknown(reason: &str) -> Self {
        Self(Name::ALL.into_iter().map(|name| (name, Reading::Unknown(reason.to_owned()))).collect())
    }

    /// One setting.
    pub fn reading(&self, name: Name) -> &Reading {
        &self.0[&name]
    }

    /// Takes a better reading of one setting.
    pub(super) fn set(&mut self, name: Name, reading: Reading) {
        self.0.insert(name, reading);
    }

    /// A number, when it is known.
    pub fn number(&self, name: Name) -> Option<u64> {
        match self.reading(name) {
            Reading::Known(Value::Number(number), _) => Some(*number),
            _ => None,
        }
    }

    /// A list of texts, when it is known.
    pub fn list(&self, name: Name) -> Option<&[String]> {
        match self.reading(name) {
            Reading::Known(Value::List(list), _) => Some(list),
            _ => None,
        }
    }

    /// Whether nothing at all is known.
    pub fn is_unknown(&self) -> bool {
        self.0.values().all(|reading| matches!(reading, Reading::Unknown(_)))
    }

    /// The `settings` of a finding's data: `{workers: {value, source}}`.
    pub fn to_json(&self) -> Json {
        let mut map = Map::new();
        for (name, reading) in &self.0 {
            let fact = match reading {
                Reading::Known(value, source) => json!({"value": value.to_json(*name), "source": source.to_string()}),
                Reading::Unknown(reason) => json!({"value": null, "source": null, "unknown": reason}),
            };
            map.insert(name.key().to_owned(), fact);
        }
        Json::Object(map)
    }

    fn of(evidence: &Evidence, module: Option<&Module>, version: Version) -> Result<Self, String> {
        let argv = Arguments::parse(&evidence.arguments, version)?;
        let environment = evidence.environment.as_ref();
        let arguments = match environment {
            Ok(environment) => Some(command_arguments(environment, version)?),
            Err(_) => None,
        };
        let mut settings = BTreeMap::new();
        for name in Name::ALL {
            // A value that is overridden later must still be one that gunicorn accepts, or it does not start.
            let default = environment.map(|environment| default(name, environment, version)).ok().transpose()?;
            let file = match (&evidence.file, module) {
                (Ok(Some(file)), Some(module)) => bound(name, file, module, version)?,
                (Ok(_), _) => None,
                (Err(reason), _) => Some(Reading::Unknown(reason.clone())),
            };
            let given = arguments.as_ref().map(|arguments| given(name, arguments, Source::CommandArguments, version));
            let given = given.transpose()?.flatten();
            let winner = given_by_argv(name, &argv, version)?.or_else(|| match environment {
                Ok(_) => given.or(file).or(default),
                Err(reason) => Some(Reading::Unknown(reason.clone())),
            });
            settings.insert(name, winner.unwrap_or_else(|| Reading::Unknown("it has no default".to_owned())));
        }
        Ok(Self(settings))
    }

    fn agree(&mut self, other: &Self) {
        for (name, reading) in &mut self.0 {
            match (&*reading, other.reading(*name)) {
                (one, two) if one == two => {}
                (Reading::Unknown(_), _) => {}
                // The default of `forwarded_allow_ips` has grown by `::1`; the newer one says it.
                (Reading::Known(_, Source::Default), newer @ Reading::Known(_, Source::Default)) => {
                    *reading = newer.clone();
                }
                (Reading::Known(one, _), Reading::Known(two, _)) if one != two => {
                    *reading = Reading::Unknown(format!("it depends on gunicorn's release: {one} or {two}"));
                }
                (_, newer) => *reading = newer.clone(),
            }
        }
    }
}

/// What `GUNICORN_CMD_ARGS` gives.
pub(super) fn command_arguments(environment: &BTreeMap<String, String>, version: Version) -> Result<Arguments, String> {
    let Some(text) = environment.get("GUNICORN_CMD_ARGS") else { return Ok(Arguments::default()) };
    let words = words::split(text).map_err(|reason| format!("GUNICORN_CMD_ARGS: {reason}"))?;
    Arguments::parse(&words, version).map_err(|reason| format!("GUNICORN_CMD_ARGS: {reason}"))
}

fn given_by_argv(name: Name, arguments: &Arguments, version: Version) -> Result<Option<Reading>, String> {
    given(name, arguments, Source::Argv, version)
}

fn given(name: Name, arguments: &Arguments, source: Source, version: Version) -> Result<Option<Reading>, String> {
    let literal = match name {
        Name::Bind => arguments.all(name.key()).map(|values| Literal::List(values.to_vec())),
        Name::Workers | Name::Threads | Name::Timeout | Name::GracefulTimeout => {
            arguments.last(name.key()).and_then(number::decimal).map(Literal::Number)
        }
        Name::WorkerClass | Name::ForwardedAllowIps => {
            arguments.last(name.key()).map(|text| Literal::Text(text.to_owned()))
        }
    };
    literal.map(|literal| Ok(Reading::Known(accept(name, &literal, version)?, source))).transpose()
}

fn bound(name: Name, file: &File, module: &Module, version: Version) -> Result<Option<Reading>, String> {
    Ok(match module.binding(name.key()) {
        None => None,
        Some(Binding::Unknown(reason)) => Some(Reading::Unknown(format!("{}: {reason}", file.path))),
        Some(Binding::Literal(literal, line)) => {
            let value = accept(name, &literal, version)
                .map_err(|reason| format!("{}:{line}: invalid value for {}: {reason}", file.path, name.key()))?;
            Some(Reading::Known(value, Source::File(file.path.clone(), line)))
        }
    })
}

fn default(name: Name, environment: &BTreeMap<String, String>, version: Version) -> Result<Reading, String> {
    let variable = match name {
        Name::Workers => Some("WEB_CONCURRENCY"),
        Name::ForwardedAllowIps => Some("FORWARDED_ALLOW_IPS"),
        Name::Bind => Some("PORT"),
        _ => None,
    };
    let set = variable.and_then(|variable| environment.get(variable).map(|text| (variable, text)));
    let literal = match (name, set) {
        (Name::Workers, Some((variable, text))) => {
            let number = number::decimal(text).ok_or_else(|| format!("{variable}: invalid int value: '{text}'"))?;
            Literal::Number(number)
        }
        (Name::Workers | Name::Threads, _) => Literal::Number(1),
        (Name::Timeout | Name::GracefulTimeout, _) => Literal::Number(30),
        (Name::WorkerClass, _) => Literal::Text("sync".to_owned()),
        (Name::Bind, Some((_, port))) => Literal::List(vec![format!("0.0.0.0:{port}")]),
        (Name::Bind, None) => Literal::List(vec!["127.0.0.1:8000".to_owned()]),
        (Name::ForwardedAllowIps, Some((_, text))) => Literal::Text(text.clone()),
        (Name::ForwardedAllowIps, None) if version < Version(23, 0, 0) => Literal::Text("127.0.0.1".to_owned()),
        (Name::ForwardedAllowIps, None) => Literal::Text("127.0.0.1,::1".to_owned()),
    };
    let source = set.map_or(Source::Default, |(variable, _)| Source::Variable(variable));
    Ok(Reading::Known(accept(name, &literal, version)?, source))
}

/// gunicorn's own validators.
fn accept(name: Name, literal: &Literal, version: Version) -> Result<Value, String> {
    match name {
        Name::Workers | Name::Threads | Name::Timeout | Name::GracefulTimeout => {
            let number = match literal {
                Literal::Number(number) => *number,
                Literal::Bool(truth) => i128::from(*truth),
                // A text in the file is read by `int(text, 0)`, other than one on the command line.
                Literal::Text(text) => number::literal(text).ok_or_else(|| format!("'{text}' is not a number"))?,
                Literal::List(_) | Literal::None => return Err("not a number".to_owned()),
            };
            u64::try_from(number).map(Value::Number).map_err(|_| format!("Value must be positive: {number}"))
        }
        Name::WorkerClass => match literal {
            Literal::Text(text) => Ok(Value::Text(text.trim().to_owned())),
            _ => Err("not a text".to_owned()),
        },
        Name::Bind => match literal {
            Literal::Text(text) if text.is_empty() => Ok(Value::List(Vec::new())),
            Literal::Text(text) => Ok(Value::List(vec![text.trim().to_owned()])),
            Literal::List(texts) => Ok(Value::List(texts.iter().map(|text| text.trim().to_owned()).collect())),
            Literal::None | Literal::Bool(false) | Literal::Number(0) => Ok(Value::List(Vec::new())),
            Literal::Bool(_) | Literal::Number(_) => Err("not a text".to_owned()),
        },
        Name::ForwardedAllowIps => match literal {
            Literal::Text(text) => {
                let entries: Vec<String> =
                    text.trim().split(',').filter(|entry| !entry.is_empty()).map(|entry| entry.trim().into()).collect();
                if let Some(wrong) = entries.iter().find(|entry| !super::trust::accepts(entry, version)) {
                    return Err(format!("'{wrong}' does not appear to be an IPv4 or IPv6 address or network"));
                }
                Ok(Value::List(entries))
            }
            Literal::None => Ok(Value::List(Vec::new())),
            _ => Err("not a text".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(argv: &[&str], environment: &[(&str, &str)], file: Option<&str>) -> Evidence {
        Evidence {
            arguments: argv.iter().map(|word| (*word).to_owned()).collect(),
            environment: Ok(environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()),
            file: Ok(file.map(|text| File { path: "gunicorn.conf.py".into(), text: text.into() })),
        }
    }

    fn shown(evidence: &Evidence, name: Name) -> String {
        Settings::resolve(evidence).unwrap().reading(name).to_string()
    }

    #[test]
    fn each_source_beats_the_one_before() {
        let mut given = evidence(&["app:app"], &[], None);
        assert_eq!(shown(&given, Name::Workers), "1 (default)");
        assert_eq!(shown(&given, Name::ForwardedAllowIps), "127.0.0.1,::1 (default)");
        assert_eq!(shown(&given, Name::Bind), "127.0.0.1:8000 (default)");
        let variables = [("WEB_CONCURRENCY", "2"), ("PORT", "9000"), ("FORWARDED_ALLOW_IPS", "*")];
        given = evidence(&["app:app"], &variables, None);
        assert_eq!(shown(&given, Name::Workers), "2 (WEB_CONCURRENCY)");
        assert_eq!(shown(&given, Name::Bind), "0.0.0.0:9000 (PORT)");
        assert_eq!(shown(&given, Name::ForwardedAllowIps), "* (FORWARDED_ALLOW_IPS)");
        given = evidence(&["app:app"], &variables, Some("\nworkers = 3\n"));
        assert_eq!(shown(&given, Name::Workers), "3 (gunicorn.conf.py:2)");
        given = evidence(&["app:app"], &[("GUNICORN_CMD_ARGS", "--workers=4")], Some("workers = 3"));
        assert_eq!(shown(&given, Name::Workers), "4 (GUNICORN_CMD_ARGS)");
    }

    #[test]
    fn case_44_the_file_beats_the_environment() {
        let given = evidence(&["app:app"], &[("FORWARDED_ALLOW_IPS", "*")], Some("forwarded_allow_ips = '10.0.0.0/8'"));
        assert_eq!(shown(&given, Name::ForwardedAllowIps), "10.0.0.0/8 (gunicorn.conf.py:1)");
    }

    #[test]
    fn case_45_the_command_line_beats_cmd_args() {
        let given = evidence(&["-w", "3", "app:app"], &[("GUNICORN_CMD_ARGS", "-w 9")], None);
        assert_eq!(shown(&given, Name::Workers), "3 (argv)");
    }

    #[test]
    fn a_source_that_cannot_be_read_hides_only_what_it_could_set() {
        let mut given = evidence(&["-w", "3", "app:app"], &[], None);
        given.file = Err("no permission".into());
        assert_eq!(shown(&given, Name::Workers), "3 (argv)");
        assert_eq!(shown(&given, Name::Threads), "unknown (no permission)");
        given.environment = Err("hidden".into());
        assert_eq!(shown(&given, Name::Workers), "3 (argv)");
        assert_eq!(shown(&given, Name::Threads), "unknown (hidden)");
        let computed = evidence(&["app:app"], &[], Some("workers = 2 * 2\nthreads = 4"));
        assert_eq!(shown(&computed, Name::Workers), "unknown (gunicorn.conf.py: computed, line 1)");
        assert_eq!(shown(&computed, Name::Threads), "4 (gunicorn.conf.py:2)");
    }

    #[test]
    fn what_no_release_would_start_with_is_refused() {
        for (argv, environment, file) in [
            (&["-w", "0x3"][..], &[][..], None),
            (&["-w", "-3"], &[], None),
            (&[], &[("WEB_CONCURRENCY", "many")], None),
            (&[], &[("GUNICORN_CMD_ARGS", "-w 'x")], None),
            (&["-w", "3"], &[("GUNICORN_CMD_ARGS", "--nonsense")], None),
            (&[], &[], Some("workers = '010'")),
            (&[], &[], Some("bind = 5")),
        ] {
            let given = evidence(argv, environment, file);
            assert!(Settings::resolve(&given).is_err(), "{argv:?} {environment:?} {file:?}");
        }
    }
}
