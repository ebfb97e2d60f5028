//! Pure rules: no I/O, no async, no clock. Observation types live here, beside the functions that judge them.

pub mod calendar;
pub mod certificate;
pub mod units;
pub mod cookie;
pub mod host;
pub mod hsts;
pub mod http;
pub mod location;
pub mod oauth;
pub mod redirect;
pub mod status;
pub mod fresh;
pub mod http;
pub mod nginx;
pub mod served;
pub mod gunicorn;
