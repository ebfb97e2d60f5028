//! What a TLS server showed, and what to think of it.

mod policy;

pub use policy::{Threshold, TlsVersion};
