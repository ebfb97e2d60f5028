//! What a TLS server showed, and what to think of it.
//!
//! Every judgement stands alone, because a verifier stops at its first problem: an expired certificate for another host
//! is two findings here.

mod chain;
mod hygiene;
mod key;
mod name;
mod observation;
mod policy;
mod protocols;
mod trouble;
mod validity;
mod x509;

pub use chain::{chain, sent};
pub use hygiene::hygiene;
pub use key::key;
pub use name::{covers, name, plain};
pub use observation::{Link, Path, PathFault, Session, TlsObservation};
pub use policy::{Threshold, TlsVersion};
pub use protocols::{Offer, Offers, protocols};
pub use trouble::{Instead, Stage, Trouble, trouble};
pub use validity::validity;
pub use x509::{AltName, Certificate, Key, Signature, Unreadable, fingerprint};
