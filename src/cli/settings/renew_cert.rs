//! What `mainstay renew-cert` works on: the `[certificate.NAME]` sections that were asked for.

use std::time::Duration;

use super::{shown, usage};
use crate::{
    cli::config::{self, Loaded, model},
    error::{Error, Kind, Result},
    renew_cert::{Certificate, Settings},
    system::{Context, state::State},
};

/// The certificates of these names in the order of the command line, each once; all of them where no name is given.
///
/// The caller adds what only its own command line knows: `lock_wait` is zero and `command` is `renew-cert`.
///
/// # Errors
///
/// There is no such certificate, or none at all, or no folder for the state.
pub fn renew_cert_settings(loaded: &Loaded, names: &[String], context: &Context) -> Result<Settings> {
    let known = &loaded.model.certificates;
    if known.is_empty() {
        return Err(Error::new(Kind::Config, "find any certificate to renew")
            .because(format!("{} has no [certificate.NAME] section", loaded.file_name()))
            .hint("add a section: [certificate.prime] with `names = [\"prime.example.edu\"]`"));
    }
    let mut certificates: Vec<Certificate> = Vec::new();
    for name in names {
        let section = known.iter().find(|known| known.name == *name).ok_or_else(|| unknown(name, known))?;
        if certificates.iter().all(|certificate| certificate.name != *name) {
            certificates.push(certificate(section));
        }
    }
    if names.is_empty() {
        certificates = known.iter().map(certificate).collect();
    }
    Ok(Settings {
        certificates,
        state: State::find(context, loaded.model.state.as_deref())?,
        // Not the path that was typed: the file may be replaced by an upgrade while a run goes on.
        own: "/proc/self/exe".into(),
        lock_wait: Duration::ZERO,
        command: "renew-cert".to_owned(),
    })
}

fn unknown(name: &str, known: &[model::Certificate]) -> Error {
    let names: Vec<&str> = known.iter().map(|certificate| certificate.name.as_str()).collect();
    let error = usage(format!("use the certificate `{}`", shown(name)))
        .because(format!("no certificate has this name; there are `{}`", names.join("`, `")));
    let near = config::nearest(name, names.into_iter());
    near.into_iter().fold(error, |error, near| error.hint(format!("did you mean `{near}`?")))
}

pub(super) fn certificate(section: &model::Certificate) -> Certificate {
    let verify = section.verify.iter().filter_map(|target| {
        let (host, port) = target.rsplit_once(':')?;
        Some((host.trim_matches(['[', ']']).to_owned(), port.parse().ok()?))
    });
    Certificate {
        name: section.name.clone(),
        names: section.names.clone(),
        method: section.method,
        webroot: section.webroot.clone(),
        certbot: section.certbot.clone(),
        directory: section.directory.clone(),
        stop: section.stop.clone(),
        reload: section.reload.clone(),
        verify: verify.collect(),
        email: section.email.clone(),
        agree_tos: section.agree_tos,
        key_type: match section.key_type {
            model::KeyType::Ecdsa => "ecdsa",
            model::KeyType::Rsa => "rsa",
        }
        .to_owned(),
        server: section.server.clone(),
        deadline: section.deadline,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{cli::config::load, renew_cert::Reload};

    const FILE: &str = "\
[certificate.prime]
names = [\"prime.example.edu\", \"www.example.edu\"]
reload = { systemd = \"nginx\" }
verify = [\"prime.example.edu:8443\", \"127.0.0.1:443\"]
";

    #[expect(clippy::disallowed_methods, reason = "a test writes a file of a place of its own")]
    fn settings(names: &[&str]) -> Result<Settings> {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("mainstay.toml");
        std::fs::write(&file, FILE).unwrap();
        let context =
            Context::real(BTreeMap::from([("MAINSTAY_STATE".into(), "/state".into())]), place.path().to_owned());
        let loaded = load(Some(&file), &context)?.unwrap();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        renew_cert_settings(&loaded, &names, &context)
    }

    #[test]
    fn a_section_becomes_a_certificate_with_its_targets() {
        let settings = settings(&["prime", "prime"]).unwrap();
        let [certificate] = &settings.certificates[..] else { panic!("{settings:?}") };
        assert_eq!(certificate.targets(), [("prime.example.edu".to_owned(), 8443), ("127.0.0.1".to_owned(), 443)]);
        assert_eq!(certificate.reload, Some(Reload::Systemd("nginx".into())));
        assert!(certificate.is_default_directory());
    }

    #[test]
    fn a_name_that_is_none_is_refused_with_a_way_out() {
        let error = settings(&["prim"]).unwrap_err();
        assert_eq!((error.kind, error.hints.as_slice()), (Kind::Usage, &["did you mean `prime`?".to_owned()][..]));
        assert_eq!(settings(&[]).unwrap().certificates.len(), 1);
    }
}
