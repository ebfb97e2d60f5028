//! Which configuration file a gunicorn reads.

use std::collections::BTreeMap;

use super::{
    arguments::Arguments,
    options::{VERSIONS, Version},
    settings::command_arguments,
    words,
};

/// Which configuration file a gunicorn reads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Location {
    /// `./gunicorn.conf.py` of the folder it was started in, when that exists.
    Default,
    /// A Python module: `-c python:NAME`.
    Module(String),
    /// A file named by `-c`.
    Path(String),
}

/// Which configuration file is read, as `-c` on the command line or in `GUNICORN_CMD_ARGS` says.
///
/// # Errors
///
/// Why it cannot be told.
pub fn location(
    arguments: &[String],
    environment: Result<&BTreeMap<String, String>, &String>,
) -> Result<Location, String> {
    let mut found: Option<Location> = None;
    let mut refusal = String::new();
    for version in VERSIONS {
        match location_in(arguments, environment, *version) {
            Ok(location) if found.as_ref().is_some_and(|found| *found != location) => {
                return Err("which configuration file is read depends on gunicorn's release".to_owned());
            }
            Ok(location) => found = Some(location),
            Err(reason) => refusal = reason,
        }
    }
    found.ok_or(refusal)
}

/// The folder that `--chdir` names, from which nothing is read: the configuration file comes from the folder before it.
pub fn changes_folder(arguments: &[String], environment: Result<&BTreeMap<String, String>, &String>) -> bool {
    VERSIONS.iter().any(|version| {
        let given = |words: &[String]| {
            Arguments::parse(words, *version).is_ok_and(|arguments| arguments.last("chdir").is_some())
        };
        let variable = environment.ok().and_then(|environment| environment.get("GUNICORN_CMD_ARGS"));
        given(arguments) || variable.and_then(|text| words::split(text).ok()).is_some_and(|words| given(&words))
    })
}

fn location_in(
    arguments: &[String],
    environment: Result<&BTreeMap<String, String>, &String>,
    version: Version,
) -> Result<Location, String> {
    let argv = Arguments::parse(arguments, version)?;
    let named = |arguments: &Arguments| arguments.last("config").filter(|path| !path.is_empty()).map(str::to_owned);
    let path = match (named(&argv), environment) {
        (Some(path), _) => Some(path),
        (None, Ok(environment)) => named(&command_arguments(environment, version)?),
        (None, Err(reason)) => return Err(reason.clone()),
    };
    Ok(match path {
        None => Location::Default,
        Some(path) => match path.strip_prefix("python:") {
            Some(module) => Location::Module(module.to_owned()),
            None => Location::Path(path.strip_prefix("file:").unwrap_or(&path).to_owned()),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_found_where_gunicorn_looks() {
        let none = BTreeMap::new();
        let variable: BTreeMap<String, String> = [("GUNICORN_CMD_ARGS".to_owned(), "-c two.py".to_owned())].into();
        let of = |argv: &[&str], environment: &BTreeMap<String, String>| {
            let words: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
            location(&words, Ok(environment)).unwrap()
        };
        assert_eq!(of(&["app:app"], &none), Location::Default);
        assert_eq!(of(&["app:app"], &variable), Location::Path("two.py".into()));
        assert_eq!(of(&["--conf", "file:one.py", "app:app"], &variable), Location::Path("one.py".into()));
        assert_eq!(of(&["-cpython:prod.settings"], &none), Location::Module("prod.settings".into()));
    }
}
