//! What a call came to when it did not come to what was asked.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::{
    client::{orchestrator::HttpResponse, result::SdkError},
    http::Headers,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A call that failed, in the words of the service where there are any.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// How far the call came.
    pub cause: Cause,
    /// The service's word for it: `AccessDenied`.
    pub code: Option<String>,
    /// The HTTP status.
    pub status: Option<u16>,
    /// One sentence, of the service or of the library that could not reach it.
    pub message: String,
    /// The region that the service says it is in.
    pub region: Option<String>,
}

/// How far a call came that failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// The service answered, and said no.
    Answered,
    /// There are no credentials, or those that are configured could not be fetched.
    Credentials,
    /// No answer, or none that can be read: what was asked may have been done nevertheless.
    Silent,
    /// It was never sent: no such host, no connection, or a value that cannot be sent.
    Unsent,
}

impl Refusal {
    /// What this error says.
    pub fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let response = error.raw_response();
        let status = response.map(|response| response.status().as_u16());
        let header = |headers: &Headers| headers.get("x-amz-bucket-region").map(ToOwned::to_owned);
        let region = response.and_then(|response| header(response.headers()));
        let code = error.code().map(ToOwned::to_owned);
        let cause = match error {
            _ if find::<CredentialsError>(error).is_some() => Cause::Credentials,
            SdkError::ServiceError(_) => Cause::Answered,
            SdkError::ConstructionFailure(_) => Cause::Unsent,
            SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
                Some(error) if refused(error) => Cause::Unsent,
                // Not even a connector was asked: an endpoint or an identity that cannot be made.
                None => Cause::Unsent,
                Some(_) => Cause::Silent,
            },
            // Cut answers and deadlines; the enum may grow, and what is not known may have been done.
            _ => Cause::Silent,
        };
        let message = error.message().map_or_else(|| innermost(error), ToOwned::to_owned);
        Self { cause, code, status, message, region }
    }

    /// A call that could not even be made: a value of it is none.
    pub fn unsent(error: &(dyn Error + 'static)) -> Self {
        Self { cause: Cause::Unsent, code: None, status: None, message: innermost(error), region: None }
    }

    /// Whether the service used this word.
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether what was asked may have been done although the call failed: also where the store said yes, in words that
    /// cannot be read.
    pub fn is_ambiguous(&self) -> bool {
        self.cause == Cause::Silent || self.status.is_some_and(|status| !(300..500).contains(&status))
    }

    /// Whether the credentials were good until a while ago.
    pub fn is_expired(&self) -> bool {
        ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"]
            .iter()
            .any(|code| self.is(code))
    }

    /// Whether the service does not know the call. Amazon's knows all that mainstay makes.
    pub fn is_unknown_call(&self) -> bool {
        self.status == Some(501)
            || self.status == Some(405)
            || self.is("NotImplemented")
            || self.is("MethodNotAllowed")
            || self.is("UnsupportedOperation")
    }

    /// Whether what was asked for is not there. An answer to HEAD has no body, and so no code.
    pub fn is_missing(&self) -> bool {
        self.is("NoSuchKey") || self.is("NotFound") || (self.status == Some(404) && self.code.is_none())
    }

    /// Whether the credentials are good and do not allow it.
    pub fn is_forbidden(&self) -> bool {
        self.is("AccessDenied")
            || self.is("AllAccessDisabled")
            || self.is("Forbidden")
            || (self.status == Some(403) && self.code.is_none())
    }
}

/// Whether nothing listened, or no such host is known: nothing was sent.
fn refused(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::ConnectionRefused
        {
            return true;
        }
        if error.to_string().contains("dns error") {
            return true;
        }
        next = error.source();
    }
    false
}

/// The first error of a chain that is of this type.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The last error of a chain: the others of these libraries only say that something failed.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
