//! Which roots are trusted, loaded once per run and shared by every connection.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs},
    pki_types::CertificateDer,
};

use super::verifier::Refusing;

/// Roots to trust, and how to shake hands with them.
#[derive(Debug)]
pub struct Trust {
    pub(super) roots: RootCertStore,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    /// Every connection takes a copy (a few reference counts) and puts its own verifier in.
    pub(super) config: ClientConfig,
    /// Which roots these are, in words.
    pub(super) source: String,
    /// What went wrong while loading them.
    pub(super) trouble: Option<String>,
}

/// Every [`Trust`] of a run: the machine's roots are read at most once, each set of additions is built at most once.
#[derive(Debug, Default)]
pub struct TrustStores {
    machine: OnceLock<Machine>,
    built: Mutex<Vec<(Vec<CertificateDer<'static>>, Arc<Trust>)>>,
}

/// The roots without additions.
#[derive(Debug)]
struct Machine {
    provider: Arc<CryptoProvider>,
    roots: RootCertStore,
    source: String,
    trouble: Option<String>,
}

impl TrustStores {
    /// The machine's roots and `extra` ones, which came from `named`.
    ///
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR` as OpenSSL reads them, else the platform's store, else the bundled roots of
    /// Mozilla.
    pub fn with(
        &self,
        environment: &BTreeMap<OsString, OsString>,
        extra: &[CertificateDer<'static>],
        named: Option<&Path>,
    ) -> Arc<Trust> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, trust)) = built.iter().find(|(roots, _)| roots == extra) {
            return trust.clone();
        }
        let machine = self.machine.get_or_init(|| Machine::load(environment));
        let trust = Arc::new(Trust::new(machine, extra, named));
        built.push((extra.to_vec(), trust.clone()));
        trust
    }
}

impl Trust {
    /// Which roots these are, in words.
    pub fn source(&self) -> &str {
        &self.source
    }

    fn new(machine: &Machine, extra: &[CertificateDer<'static>], named: Option<&Path>) -> Self {
        let mut roots = machine.roots.clone();
        let (added, unusable) = roots.add_parsable_certificates(extra.iter().cloned());
        let mut source = machine.source.clone();
        if added > 0 {
            let named = named.map_or_else(|| "the configuration".into(), |path| path.display().to_string());
            source = format!("{source}, and {added} of {named}");
        }
        let unusable = (unusable > 0).then(|| format!("{unusable} extra roots cannot be used"));
        let trouble: Vec<String> = machine.trouble.iter().cloned().chain(unusable).collect();
        let trouble = (!trouble.is_empty()).then(|| trouble.join("; "));
        let mut config = ClientConfig::builder_with_provider(machine.provider.clone())
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for TLS 1.2 and 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Refusing))
            .with_no_client_auth();
        // A resumed session shows no certificate, so every connection starts anew.
        config.resumption = Resumption::disabled();
        Self { roots, algorithms: machine.provider.signature_verification_algorithms, config, source, trouble }
    }
}

impl Machine {
    fn load(environment: &BTreeMap<OsString, OsString>) -> Self {
        let mut trouble = Vec::new();
        let (roots, source) = named_by(environment, &mut trouble)
            .or_else(|| platform(&mut trouble))
            .unwrap_or_else(|| (webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(), "bundled roots".to_owned()));
        Self {
            provider: Arc::new(aws_lc_rs::default_provider()),
            source: format!("{source} ({} roots)", roots.len()),
            roots,
            trouble: (!trouble.is_empty()).then(|| trouble.join("; ")),
        }
    }
}

/// The roots that the environment names; `None` when it names none, or none that can be used.
fn named_by(environment: &BTreeMap<OsString, OsString>, trouble: &mut Vec<String>) -> Option<(RootCertStore, String)> {
    let value = |name: &str| environment.get(OsStr::new(name)).filter(|value| !value.is_empty());
    let file = value("SSL_CERT_FILE").map(PathBuf::from);
    let folders: Vec<PathBuf> =
        value("SSL_CERT_DIR").map(|list| std::env::split_paths(list).collect()).unwrap_or_default();
    if file.is_none() && folders.is_empty() {
        return None;
    }
    let mut found = Vec::new();
    let mut words = Vec::new();
    if let Some(file) = &file {
        words.push(format!("SSL_CERT_FILE={}", file.display()));
        found.extend(certificates(rustls_native_certs::load_certs_from_paths(Some(file), None), trouble));
    }
    for folder in folders.iter().filter(|folder| !folder.as_os_str().is_empty()) {
        words.push(format!("SSL_CERT_DIR={}", folder.display()));
        found.extend(certificates(rustls_native_certs::load_certs_from_paths(None, Some(folder)), trouble));
    }
    let words = words.join(" and ");
    let roots = store(found);
    if roots.is_empty() {
        trouble.push(format!("{words} holds no certificate that can be used, so it was passed over"));
        return None;
    }
    Some((roots, words))
}

fn platform(trouble: &mut Vec<String>) -> Option<(RootCertStore, String)> {
    let mut ignored = Vec::new();
    let roots = store(certificates(rustls_native_certs::load_native_certs(), &mut ignored));
    if roots.is_empty() {
        trouble.append(&mut ignored);
        return None;
    }
    Some((roots, "platform store".to_owned()))
}

fn certificates(
    loaded: rustls_native_certs::CertificateResult,
    trouble: &mut Vec<String>,
) -> Vec<CertificateDer<'static>> {
    trouble.extend(loaded.errors.iter().take(3).map(ToString::to_string));
    loaded.certs
}

/// Each root once: a file and a folder usually hold the same ones.
fn store(mut found: Vec<CertificateDer<'static>>) -> RootCertStore {
    found.sort_unstable_by(|one, other| one.cmp(other));
    found.dedup();
    let mut roots = RootCertStore::empty();
    // A store may hold certificates of another age that no verifier reads; they are simply not there.
    roots.add_parsable_certificates(found);
    roots
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::tls::testing::Authority;

    fn environment(pairs: &[(&str, &Path)]) -> BTreeMap<OsString, OsString> {
        pairs.iter().map(|(name, path)| (OsString::from(name), path.as_os_str().to_owned())).collect()
    }

    #[test]
    fn the_environment_comes_before_the_platform_and_says_so() {
        let file = Authority::new("T Root").pem_file();
        let stores = TrustStores::default();
        let trust = stores.with(&environment(&[("SSL_CERT_FILE", file.path())]), &[], None);
        assert_eq!(trust.roots.len(), 1);
        assert_eq!(trust.source(), format!("SSL_CERT_FILE={} (1 roots)", file.path().display()));
        assert_eq!(trust.trouble, None);
    }

    #[test]
    fn a_root_that_stands_in_a_file_and_in_a_folder_counts_once() {
        let file = Authority::new("T Root").pem_file();
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(file.path(), folder.path().join("root.pem")).unwrap();
        let both = environment(&[("SSL_CERT_FILE", file.path()), ("SSL_CERT_DIR", folder.path())]);
        let trust = TrustStores::default().with(&both, &[], None);
        assert_eq!(trust.roots.len(), 1, "{}", trust.source());
    }

    #[test]
    fn an_environment_that_names_nothing_usable_is_passed_over_and_told() {
        let stores = TrustStores::default();
        let trust = stores.with(&environment(&[("SSL_CERT_FILE", Path::new("/does/not/exist"))]), &[], None);
        assert!(!trust.roots.is_empty());
        assert!(trust.trouble.as_ref().is_some_and(|text| text.contains("/does/not/exist")), "{:?}", trust.trouble);
    }

    #[test]
    fn extra_roots_are_added_once_for_all_who_name_the_same() {
        let stores = TrustStores::default();
        let extra = [Authority::new("T Root").der()];
        let first = stores.with(&BTreeMap::new(), &extra, Some(Path::new("ca.pem")));
        let second = stores.with(&BTreeMap::new(), &extra, Some(Path::new("ca.pem")));
        let plain = stores.with(&BTreeMap::new(), &[], None);
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(first.roots.len(), plain.roots.len() + 1);
        assert!(first.source().ends_with("and 1 of ca.pem"), "{}", first.source());
    }
}
