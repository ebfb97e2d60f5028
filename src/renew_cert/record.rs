//! What this host remembers of a certificate between runs: `renew-cert/NAME.json` in the state folder.
//!
//! A lost record costs a question to the authority and the memory of failures, nothing else.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    rules::renewal::{Failures, ari},
    system::state::{Advice, State},
};

/// The memory of one certificate.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Record {
    /// What the authority suggested last.
    pub ari: Option<ari::Memory>,
    /// Renewals that failed since the last one that worked.
    pub failures: Option<Failures>,
    /// The last renewal that worked.
    pub last: Option<Last>,
    /// The version that the operator went back to: newer ones are left alone until the next renewal.
    pub rolled_back: Option<u32>,
}

/// A renewal that worked.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Last {
    /// When.
    pub at: Timestamp,
    /// SHA-256 of the new leaf, in hexadecimal digits.
    pub sha256: String,
    /// `webroot`, `standalone`, or certbot's own plugin.
    pub method: String,
    /// How long the site was away, in seconds.
    pub downtime: Option<f64>,
}

impl Record {
    /// What is remembered of the certificate `name`; nothing where there is no record yet.
    ///
    /// # Errors
    ///
    /// The record is there and cannot be read: to forget failures would burn the authority's limits.
    pub fn load(state: &State, name: &str) -> Result<Self> {
        state.recall(ROOM, name, ADVICE)
    }

    /// Writes the record in one step.
    ///
    /// # Errors
    ///
    /// The state folder cannot be written to; the old record is unchanged then.
    pub fn save(&self, state: &State, name: &str) -> Result<()> {
        state.remember(ROOM, name, self)
    }
}

/// The folder of the records inside the state folder.
const ROOM: &str = "renew-cert";

const ADVICE: Advice = Advice {
    unread: "run as the user who renews the certificates",
    damaged: Some("remove it: only the memory of failed renewals is in it"),
};
