//! Who we are, and becoming somebody else: roles of other accounts.

use std::time::SystemTime;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_sts::Client;
use aws_types::SdkConfig;

use super::Refusal;

/// The number of the account that the credentials belong to.
///
/// # Errors
///
/// What STS refused: there are no credentials, or they have expired.
pub async fn account_number(sdk: &SdkConfig) -> Result<String, Refusal> {
    let said = Client::new(sdk).get_caller_identity().send().await.map_err(|error| Refusal::of(&error))?;
    Ok(said.account().unwrap_or_default().to_owned())
}

/// Takes on a role: the same configuration with its credentials, which last for an hour, longer than any run.
///
/// # Errors
///
/// What STS refused: the role does not trust us, or the external id is another.
pub async fn assume(sdk: &SdkConfig, role: &str, external_id: Option<&str>) -> Result<SdkConfig, Refusal> {
    let call = Client::new(sdk).assume_role().role_arn(role).role_session_name("mainstay-schedule");
    let call = call.set_external_id(external_id.map(str::to_owned)).send();
    let answer = call.await.map_err(|error| Refusal::of(&error))?;
    let found = answer.credentials();
    let (id, secret, token) =
        found.map_or(("", "", ""), |found| (found.access_key_id(), found.secret_access_key(), found.session_token()));
    let expires = found.and_then(|found| SystemTime::try_from(*found.expiration()).ok());
    let credentials = Credentials::new(id, secret, Some(token.to_owned()), expires, "mainstay");
    let provider = SharedCredentialsProvider::new(credentials);
    Ok(sdk.to_builder().credentials_provider(provider).build())
}
