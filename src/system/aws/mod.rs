//! How Amazon's services, and what speaks like them, are reached: credentials, region, patience.
//!
//! One configuration for every client: from the variables of the [`Context`] and the shared profile files, as Amazon's own
//! tools find them. Nothing of this runs before a job asks for it. What a service says is not judged here: it becomes a
//! [`Refusal`], and the module that asked knows what it means.

pub mod ec2;
mod proxy;
pub mod rds;
mod refusal;
pub mod scheduler;
pub mod sts;
pub mod upkeep;

use std::{collections::HashMap, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::{
    checksum_config::{RequestChecksumCalculation, ResponseChecksumValidation},
    timeout::TimeoutConfig as Timeouts,
};
use aws_types::{os_shim_internal::Env, service_config::ServiceConfigKey};
use jiff::Timestamp;
use url::Url;

pub use refusal::{Cause, Refusal};

use super::Context;

/// What the configuration says about the service; the environment fills the gaps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// The service as the variables of the tools name it: `S3`.
    pub service: &'a str,
    /// The region.
    pub region: Option<&'a str>,
    /// The address of a compatible service.
    pub endpoint: Option<&'a Url>,
}

/// A configuration that clients are made from.
#[derive(Clone, Debug)]
pub struct Account {
    /// Credentials, region, patience.
    pub sdk: SdkConfig,
    /// The region, where one is known.
    pub region: Option<String>,
    /// The address of a service that is not the region's own.
    pub endpoint: Option<String>,
    /// Whether it is Amazon that answers there. Others know fewer calls, checksums and headers.
    pub is_amazon: bool,
}

/// How long a call may take and how often it is tried.
///
/// Tries are Amazon's standard ones: exponential waits with full jitter, and a budget of tries per client, so that a
/// service that is down is not asked ever more often.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// For a connection.
    pub connect: Duration,
    /// For an answer, without the time that the request's body takes; and between two pieces of an answer.
    pub answer: Duration,
    /// The slowest line that is put up with, in bytes a second: what a body adds to the time.
    pub slowest: u64,
    /// How many times a call is made before it has failed.
    pub attempts: u32,
    /// The longest first wait between two tries; each further one is up to twice as long.
    pub wait: Duration,
    /// The longest of all waits.
    pub longest_wait: Duration,
    /// Who waits when a service asks to slow down.
    pub slowing: Slowing,
}

/// Who waits when a service asks to slow down.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Slowing {
    /// All calls of this process to the service in that region: a bucket of calls that fills again slowly (the adaptive mode
    /// of the SDKs and Tools Reference Guide, "Retry behavior").
    #[default]
    Region,
    /// The call that was asked to, alone.
    Call,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(30),
            slowest: 64 * 1024,
            attempts: 5,
            wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(20),
            slowing: Slowing::default(),
        }
    }
}

impl Pace {
    /// The limits of a call whose request carries so many bytes: for one try, and for all with the waits between them.
    pub fn timeouts(&self, bytes: u64) -> Timeouts {
        let attempt = self.answer + Duration::from_secs(bytes / self.slowest.max(1));
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .operation_attempt_timeout(attempt)
            .operation_timeout((attempt + self.longest_wait) * self.attempts)
            .build()
    }
}

impl Account {
    /// The same in another region, for services that are asked about many machines.
    pub fn at(&self, region: &str, pace: &Pace) -> SdkConfig {
        let retries = match pace.slowing {
            Slowing::Region => RetryConfig::adaptive(),
            Slowing::Call => RetryConfig::standard(),
        };
        let retries = retries
            .with_max_attempts(pace.attempts)
            .with_initial_backoff(pace.wait)
            .with_max_backoff(pace.longest_wait);
        self.sdk.to_builder().region(Region::new(region.to_owned())).retry_config(retries).build()
    }
}

/// The part of Amazon that a region belongs to, as names of resources begin.
pub fn partition(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// The account in the name of a resource: `arn:aws:rds:us-east-2:111122223333:db:app`.
pub fn account_in(arn: &str) -> String {
    arn.split(':').nth(4).unwrap_or_default().to_owned()
}

/// One of the clients' instants.
fn instant(at: &aws_smithy_types::DateTime) -> Option<Timestamp> {
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}

/// Finds out how a service is reached. Asks the machine's metadata service only where nothing else has the answer.
pub async fn account(context: &Context, wanted: Wanted<'_>, pace: &Pace) -> Account {
    let mut variables = utf8(context);
    let foreign = wanted.endpoint.is_some_and(|endpoint| !is_amazons(endpoint.as_str()));
    if foreign {
        // The metadata service of an Amazon machine knows nothing about another provider, and elsewhere it only costs time.
        variables.insert("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned());
    }
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(proxy::client(&variables))
        .env(Env::from(variables))
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(pace.attempts)
                .with_initial_backoff(pace.wait)
                .with_max_backoff(pace.longest_wait),
        )
        .timeout_config(pace.timeouts(0))
        // Every call has its limits, and whoever reads a long answer has its own between two pieces.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        // A wrong clock is said and not put right in silence: names, dates of locks and freshness hang on it.
        .disable_clock_skew_correction(true)
        // Checksums are set by whoever has the bytes; many compatible stores refuse the ones that a client adds by itself.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    if let Some(region) = wanted.region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    if let Some(endpoint) = wanted.endpoint {
        loader = loader.endpoint_url(endpoint.as_str().trim_end_matches('/'));
    }
    let mut sdk = loader.load().await;
    let endpoint = wanted.endpoint.map(ToString::to_string).or_else(|| configured_endpoint(&sdk, wanted.service));
    let is_amazon = endpoint.as_deref().is_none_or(is_amazons);
    if sdk.region().is_none() && !is_amazon {
        // Other providers rarely have regions; this is the name they all take.
        sdk = sdk.into_builder().region(Region::new("us-east-1")).build();
    }
    let region = sdk.region().map(ToString::to_string);
    Account { sdk, region, endpoint, is_amazon }
}

/// The endpoint that a variable or a profile gives: the service's own before the one for all (SDKs and Tools Reference
/// Guide, "Service-specific endpoints").
fn configured_endpoint(sdk: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let own = key.ok().and_then(|key| sdk.service_config()?.load_config(key));
    own.or_else(|| sdk.endpoint_url().map(ToOwned::to_owned))
}

/// Whether an address belongs to Amazon: private endpoints and those of other partitions too.
fn is_amazons(endpoint: &str) -> bool {
    let host =
        Url::parse(endpoint).ok().and_then(|url| url.host_str().map(str::to_ascii_lowercase)).unwrap_or_default();
    [".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws"].iter().any(|domain| host.ends_with(domain))
}

/// The variables that are text; Amazon's own are.
fn utf8(context: &Context) -> HashMap<String, String> {
    let text = |(name, value): (&std::ffi::OsString, &std::ffi::OsString)| {
        Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
    };
    context.environment.iter().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::PathBuf};

    use aws_config::retry::RetryMode;

    use super::*;

    fn context(variables: &[(&str, &str)]) -> Context {
        let variables: BTreeMap<_, _> =
            variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Context::real(variables, PathBuf::from("/"))
    }

    #[tokio::test]
    async fn the_environment_of_the_context_is_what_counts() {
        let context = context(&[
            ("AWS_REGION", "eu-north-1"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:2"),
        ]);
        let wanted = Wanted { service: "S3", ..Wanted::default() };
        let account = account(&context, wanted, &Pace::default()).await;
        assert_eq!(account.region.as_deref(), Some("eu-north-1"));
        assert_eq!(account.endpoint.as_deref(), Some("http://127.0.0.1:2"), "the service's own comes first");
        assert!(!account.is_amazon);
    }

    #[tokio::test]
    async fn the_configuration_comes_before_the_environment_and_a_foreign_store_needs_no_region() {
        let endpoint = Url::parse("https://s3.example.net/").unwrap();
        let wanted = Wanted { service: "S3", region: None, endpoint: Some(&endpoint) };
        let found = account(&context(&[("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:2")]), wanted, &Pace::default()).await;
        assert_eq!(found.endpoint.as_deref(), Some("https://s3.example.net/"));
        assert_eq!(found.region.as_deref(), Some("us-east-1"));
        let wanted = Wanted { service: "S3", region: Some("us-east-2"), endpoint: None };
        let found = account(&context(&[("AWS_REGION", "eu-north-1")]), wanted, &Pace::default()).await;
        assert_eq!(found.region.as_deref(), Some("us-east-2"));
        assert!(found.is_amazon && found.endpoint.is_none());
    }

    #[test]
    fn private_endpoints_are_amazons_and_names_that_only_look_so_are_not() {
        assert!(is_amazons("https://bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com"));
        assert!(is_amazons("https://s3.cn-north-1.amazonaws.com.cn/"));
        assert!(!is_amazons("https://amazonaws.com.example.net"));
        assert!(!is_amazons("http://127.0.0.1:5000"));
    }

    #[tokio::test]
    async fn schedule_case_41_all_calls_to_a_region_slow_down_together_unless_it_is_said_otherwise() {
        let found = account(&context(&[("AWS_REGION", "eu-north-1")]), Wanted::default(), &Pace::default()).await;
        for (slowing, mode) in [(Slowing::default(), RetryMode::Adaptive), (Slowing::Call, RetryMode::Standard)] {
            let sdk = found.at("us-east-2", &Pace { slowing, ..Pace::default() });
            let retries = sdk.retry_config().unwrap();
            assert_eq!((retries.mode(), retries.max_attempts()), (mode, 5));
        }
    }

    #[test]
    fn a_body_lengthens_the_time_of_a_try() {
        let pace = Pace { answer: Duration::from_secs(30), slowest: 1024, ..Pace::default() };
        assert_eq!(pace.timeouts(0).operation_attempt_timeout(), Some(Duration::from_secs(30)));
        assert_eq!(pace.timeouts(10 * 1024).operation_attempt_timeout(), Some(Duration::from_secs(40)));
    }
}
