//! TLS as a client sees it: opens connections, never gives up because of a certificate, and reports what was shown.
//!
//! Over rustls with one provider. What rustls cannot speak (TLS 1.0 and 1.1, suites without forward secrecy) is asked for
//! with a hand-made ClientHello in [`hello`].

mod handshake;
pub mod hello;
mod path;
#[cfg(test)]
pub mod testing;
mod trust;
mod verifier;

pub use handshake::{Connection, Failed, Options, Recorded, connect, open};
pub use trust::{Trust, TrustStores};
