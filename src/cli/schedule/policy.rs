//! `mainstay schedule policy`.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::{
    report::Report,
    schedule::{Facts, Settings, policies, told_account, volume_keys},
    system::{
        Context,
        aws::{Pace, Wanted, account, sts},
    },
};

/// Adds the policies of every role to the report. Works without credentials too: then the account's number is a star where
/// nothing in the configuration tells it.
pub(super) async fn print(settings: &Settings, upkeep: bool, report: &mut Report, context: &Context) {
    let account = own_account(settings, context).await;
    let keys = volume_keys(settings, context).await.into_iter();
    let keys = keys.map(|(role, keys)| (role, keys.map_err(|trouble| trouble.why))).collect();
    let facts = Facts { account, keys, upkeep };
    let (mut text, mut documents) = (String::new(), Map::<String, Value>::new());
    for policy in policies(&settings.schedules, &facts) {
        let pretty = serde_json::to_string_pretty(&policy.document).expect("plain data always serialises");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}: {}\n{pretty}\n", policy.name, policy.what);
        documents.insert(policy.name, policy.document);
    }
    report.text = Some(text.trim_end().to_owned());
    report.result = Some(json!({ "account": facts.account, "policies": documents }));
}

/// The number of our own account: out of the configuration, or asked; `*` where nobody says it.
async fn own_account(settings: &Settings, context: &Context) -> String {
    if let Some(number) = told_account(&settings.schedules) {
        return number;
    }
    let pace = Pace { attempts: 1, ..Pace::default() };
    let account = account(context, Wanted { service: "STS", ..Wanted::default() }, &pace).await;
    let region = settings
        .schedules
        .iter()
        .flat_map(|schedule| &schedule.selectors)
        .flat_map(|selector| &selector.regions)
        .next();
    let region = account.region.clone().or_else(|| region.cloned()).unwrap_or_else(|| "us-east-1".to_owned());
    sts::account_number(&account.at(&region, &pace)).await.unwrap_or_else(|refusal| {
        tracing::debug!(?refusal, "the account's number is not known");
        "*".to_owned()
    })
}
