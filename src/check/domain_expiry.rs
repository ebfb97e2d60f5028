//! `domain.expiry`: the domains of the sites stay ours.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};

use super::{Check, Subject};
use crate::{
    report::Finding,
    rules::domain_expiry::{ID, Policy, candidates, judge, registered},
    system::{Context, rdap::Registries},
};

/// The `[domain]` section: names, and what is expected of their registration.
#[derive(Clone, Debug)]
pub struct Domains {
    /// The names; several of one domain count once.
    pub names: Vec<String>,
    /// How soon is soon.
    pub policy: Policy,
    /// Who is asked.
    pub registries: Registries,
}

/// The domains in one run.
pub struct DomainsScope<'a> {
    domains: &'a Domains,
    context: &'a Context,
}

/// `domain.expiry`.
pub struct DomainExpiry;

impl Subject for Domains {
    type Scope<'a> = DomainsScope<'a>;

    /// One word, so that it can be chosen: `mainstay check domain`.
    fn name(&self) -> &str {
        "domain"
    }

    fn timeout(&self) -> Duration {
        self.registries.within * u32::try_from(self.names.len() * 3).unwrap_or(u32::MAX).clamp(3, 60)
    }

    fn scope<'a>(&'a self, context: &'a Context) -> DomainsScope<'a> {
        DomainsScope { domains: self, context }
    }
}

impl Check<Domains> for DomainExpiry {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "the registration of a domain does not end soon, and is not lost"
    }

    fn needs(&self) -> &'static str {
        "a `[domain]` section"
    }

    fn applies(&self, domains: &Domains) -> Result<(), String> {
        match domains.names.is_empty() {
            true => Err("no site and no certificate has a name that can be registered".into()),
            false => Ok(()),
        }
    }

    fn run<'a>(&'a self, scope: &'a DomainsScope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        look(scope).boxed()
    }

    fn by_hand(&self, domains: &Domains) -> String {
        format!("whois {}", domains.names.first().map_or_else(|| "example.org".to_owned(), |name| registered(name)))
    }
}

/// One after the other: registries dislike to be asked for much at once, and the first answer may be the one for all.
async fn look(scope: &DomainsScope<'_>) -> Vec<Finding> {
    let Domains { names, policy, registries } = scope.domains;
    let mut known = BTreeMap::new();
    let mut findings: Vec<Finding> = Vec::new();
    for name in names {
        if candidates(name).iter().any(|candidate| known.contains_key(candidate)) {
            continue;
        }
        let learnt = registries.look(name, scope.context).await;
        let domain = learnt.as_ref().map_or_else(|_| name.clone(), |found| found.domain.clone());
        let finding = judge(name, &learnt, *policy, scope.context.clock.now());
        let shown = finding.subject.clone();
        findings.push(Finding { by_hand: Some(format!("whois {shown}")), ..finding });
        known.insert(domain, ());
    }
    findings
}
