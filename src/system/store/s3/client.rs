//! The client, made when the first call needs it.

use std::{error::Error, future::Future, sync::Arc};

use aws_sdk_s3::{
    Client,
    config::{
        Builder,
        http::HttpResponse,
        interceptors::InterceptorContext,
        retry::{ClassifyRetry, RetryAction},
    },
    error::{ProvideErrorMetadata, SdkError},
};
use tokio::sync::Mutex;

use super::{S3, trouble};
use crate::system::{
    aws::{Account, Refusal, Wanted, account},
    store::Trouble,
};

/// Where the client is kept between calls.
#[derive(Default)]
pub(super) struct Shared(Mutex<Option<Arc<Access>>>);

/// A client, and what is known about the other side.
pub(super) struct Access {
    pub(super) client: Client,
    pub(super) account: Account,
}

impl S3 {
    /// The client; made from the environment on the first call.
    ///
    /// # Errors
    ///
    /// No region is known, so that not even an address can be.
    pub(super) async fn access(&self) -> Result<Arc<Access>, Trouble> {
        let mut shared = self.access.0.lock().await;
        if let Some(access) = &*shared {
            return Ok(access.clone());
        }
        let access = Arc::new(self.connect().await?);
        *shared = Some(access.clone());
        Ok(access)
    }

    async fn connect(&self) -> Result<Access, Trouble> {
        let wanted =
            Wanted { service: "S3", region: self.options.region.as_deref(), endpoint: self.options.endpoint.as_ref() };
        let account = account(&self.context, wanted, &self.pace).await;
        #[cfg(test)]
        let account = Account { is_amazon: account.is_amazon || self.amazon, ..account };
        if account.region.is_none() {
            return Err(trouble::no_region());
        }
        let config = self.config(&account);
        Ok(Access { client: Client::from_conf(config.build()), account })
    }

    fn config(&self, account: &Account) -> Builder {
        Builder::from(&account.sdk)
            // Names of hosts that begin with a bucket's are Amazon's own trick; others rarely have the certificates for it.
            .force_path_style(!account.is_amazon)
    }

    /// A client that shows no credentials: what everybody sees.
    pub(super) fn stranger(&self, account: &Account) -> Client {
        let mut account = account.clone();
        let mut sdk = account.sdk.into_builder();
        sdk.set_credentials_provider(None);
        account.sdk = sdk.build();
        Client::from_conf(self.config(&account).allow_no_auth().build())
    }

    /// Makes a call, and once more with fresh credentials where the service says that these have expired: a profile or a
    /// metadata service may have newer ones.
    pub(super) async fn call<T, E, F>(&self, ask: impl Fn(Arc<Access>) -> F) -> Result<T, Problem>
    where
        E: ProvideErrorMetadata + Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let access = self.access().await?;
        let refusal = match ask(access.clone()).await {
            Ok(answer) => return Ok(answer),
            Err(error) => Refusal::of(&error),
        };
        tracing::debug!(destination = self.address, ?refusal, "S3 said no");
        if !refusal.is_expired() {
            return Err(Problem::Refused(refusal));
        }
        {
            let mut shared = self.access.0.lock().await;
            if shared.as_ref().is_some_and(|current| Arc::ptr_eq(current, &access)) {
                *shared = None;
            }
        }
        let access = self.access().await?;
        ask(access).await.map_err(|error| Problem::Refused(Refusal::of(&error)))
    }
}

/// What came of a call that did not succeed.
pub(super) enum Problem {
    /// It was made, and this was the answer.
    Refused(Refusal),
    /// It could not even be made.
    Trouble(Trouble),
}

impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// Two writers of one name at the same time: S3 asks the loser to come again (409, Amazon S3 User Guide, "conditional
/// writes"). Not for the end of an upload in parts: that has to begin anew.
#[derive(Debug)]
pub(super) struct Conflict;

impl ClassifyRetry for Conflict {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let conflict = context.response().is_some_and(|response| {
            response.status().as_u16() == 409
                && response.body().bytes().is_some_and(|body| {
                    let body = String::from_utf8_lossy(body);
                    body.contains("ConditionalRequestConflict") || body.contains("OperationAborted")
                })
        });
        if conflict { RetryAction::transient_error() } else { RetryAction::NoActionIndicated }
    }

    fn name(&self) -> &'static str {
        "conflicting writes"
    }
}
