//! Pure rules: no I/O, no async, no clock. Observation types live here, beside the functions that judge them.

pub mod archive_id;
pub mod calendar;
pub mod certificate;
pub mod chain;
pub mod cookie;
pub mod difference;
pub mod dotenv;
pub mod fresh;
pub mod gunicorn;
pub mod host;
pub mod hsts;
pub mod http;
pub mod location;
pub mod manifest;
pub mod nginx;
pub mod oauth;
pub mod redirect;
pub mod retention;
pub mod s3_policy;
pub mod served;
pub mod sidecar;
pub mod status;
pub mod units;
