//! Pure rules: no I/O, no async, no clock. Observation types live here, beside the functions that judge them.

pub mod certificate;
pub mod gunicorn;
