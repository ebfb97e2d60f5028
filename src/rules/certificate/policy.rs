//! What a certificate and its protocols must be like.

use std::time::Duration;

/// How much validity must be left: a share of the certificate's lifetime, or a fixed time.
///
/// A share scales with the lifetimes that shrink from 90 to 45 days and below
/// (<https://letsencrypt.org/2025/12/02/from-90-to-45>).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// Of the lifetime, 0.0 to 1.0.
    Share(f64),
    /// A fixed time.
    Time(Duration),
}

impl Threshold {
    /// The time that must be left for a certificate of this lifetime.
    pub fn of(self, lifetime: Duration) -> Duration {
        match self {
            Self::Share(share) => lifetime.mul_f64(share),
            Self::Time(time) => time,
        }
    }
}

/// A TLS protocol version, oldest first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum TlsVersion {
    /// RFC 2246, forbidden by RFC 8996.
    Tls10,
    /// RFC 4346, forbidden by RFC 8996.
    Tls11,
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

impl TlsVersion {
    /// "1.2".
    pub fn number(self) -> &'static str {
        match self {
            Self::Tls10 => "1.0",
            Self::Tls11 => "1.1",
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }
}
