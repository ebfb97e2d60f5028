//! What a TLS server showed, and what to think of it.
//!
//! Every judgement stands alone, because a verifier stops at its first problem: an expired certificate for another host
//! is two findings here.

mod name;
mod observation;
mod policy;
mod x509;

pub use name::{covers, plain};
pub use observation::{Instead, Link, Path, PathFault, Session, Stage, TlsObservation, Trouble};
pub use policy::{Threshold, TlsVersion};
pub use x509::{AltName, Certificate, Key, Signature, Unreadable, fingerprint};
