//! `mainstay renew-cert`: certificates that are renewed without leaving the site down.

pub mod outage;
