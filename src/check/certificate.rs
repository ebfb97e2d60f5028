//! A certificate that is looked after, as something to check: one survey for all of its checks.

use std::time::Duration;

use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::OnceCell;

use super::{Check, Subject};
use crate::{
    error::Result,
    renew_cert::{self, Ask, DUE, Survey, judge_due, judge_looks},
    report::Finding,
    system::{Context, state::State},
};

/// One configured certificate.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// What is expected.
    pub settings: renew_cert::Certificate,
    /// Where its record is kept.
    pub state: State,
}

/// One certificate in one run.
pub struct CertificateScope<'a> {
    certificate: &'a Certificate,
    context: &'a Context,
    survey: OnceCell<Result<Survey>>,
}

/// `certificate.due`.
pub struct CertificateDue;

/// `tls.served` of a configured certificate.
pub struct CertificateServed;

impl Certificate {
    /// The certificates of these settings.
    pub fn all(settings: renew_cert::Settings) -> Vec<Self> {
        let state = settings.state;
        settings.certificates.into_iter().map(|settings| Self { settings, state: state.clone() }).collect()
    }

    fn fullchain(&self) -> String {
        let first = self.settings.names.first().map_or(self.settings.name.as_str(), String::as_str);
        let path = self.settings.directory.join("live").join(first).join("fullchain.pem");
        shell_words::quote(&path.to_string_lossy()).into_owned()
    }
}

impl Subject for Certificate {
    type Scope<'a> = CertificateScope<'a>;

    fn name(&self) -> &str {
        &self.settings.name
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn scope<'a>(&'a self, context: &'a Context) -> CertificateScope<'a> {
        CertificateScope { certificate: self, context, survey: OnceCell::new() }
    }
}

impl CertificateScope<'_> {
    /// One look at the lineage and at what is served. No authority is asked.
    async fn survey(&self) -> &Result<Survey> {
        let certificate = self.certificate;
        let look = || Survey::of(&certificate.settings, &certificate.state, Ask::Never, self.context);
        self.survey.get_or_init(look).await
    }

    async fn judge(
        &self,
        id: &'static str,
        judge: fn(&renew_cert::Certificate, &Survey) -> Vec<Finding>,
    ) -> Vec<Finding> {
        match self.survey().await {
            Ok(survey) => judge(&self.certificate.settings, survey),
            Err(error) => {
                let fix = error.hints.first().cloned().unwrap_or_else(|| "run it with sudo".to_owned());
                let finding = Finding::unknown(id, self.certificate.name(), format!("could not {}", error.what));
                vec![finding.cause(error.why.join(": ")).fix(fix).data("reason", "unreadable")]
            }
        }
    }
}

impl Check<Certificate> for CertificateDue {
    fn id(&self) -> &'static str {
        DUE
    }

    fn title(&self) -> &'static str {
        "the certificate is renewed in time, and its files are as certbot leaves them"
    }

    fn needs(&self) -> &'static str {
        "a `[certificate.NAME]` section"
    }

    fn applies(&self, _certificate: &Certificate) -> std::result::Result<(), String> {
        Ok(())
    }

    fn run<'a>(&'a self, scope: &'a CertificateScope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        scope.judge(DUE, judge_due).boxed()
    }

    fn by_hand(&self, certificate: &Certificate) -> String {
        format!("sudo openssl x509 -noout -dates -in {}", certificate.fullchain())
    }
}

impl Check<Certificate> for CertificateServed {
    fn id(&self) -> &'static str {
        "tls.served"
    }

    fn title(&self) -> &'static str {
        "the certificate that is served is the one in the file"
    }

    fn needs(&self) -> &'static str {
        "a `[certificate.NAME]` section"
    }

    fn applies(&self, _certificate: &Certificate) -> std::result::Result<(), String> {
        Ok(())
    }

    fn run<'a>(&'a self, scope: &'a CertificateScope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        scope.judge("tls.served", served).boxed()
    }

    fn by_hand(&self, certificate: &Certificate) -> String {
        let fingerprint = "openssl x509 -noout -fingerprint -sha256";
        let target = certificate.settings.targets().into_iter().next();
        let (host, port) = target.unwrap_or_else(|| (certificate.settings.name.clone(), 443));
        format!(
            "echo | openssl s_client -connect {host}:{port} -servername {host} 2>/dev/null | {fingerprint}; sudo {fingerprint} -in {}",
            certificate.fullchain()
        )
    }
}

/// Without a lineage there is nothing to compare, and `certificate.due` says so.
fn served(certificate: &renew_cert::Certificate, survey: &Survey) -> Vec<Finding> {
    if survey.leaf().is_some() {
        return judge_looks(certificate, survey);
    }
    let finding =
        Finding::unknown("tls.served", &certificate.name, "there is no certificate on the disk to compare with");
    vec![finding.fix("see `certificate.due`").data("reason", "no-lineage").data("because_of", DUE)]
}
