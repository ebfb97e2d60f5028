//! Pure rules: no I/O, no async, no clock. Observation types live here, beside the functions that judge them.

pub mod certificate;
pub mod fresh;
pub mod http;
pub mod nginx;
pub mod served;
