//! The renewal of certificates by certbot: when it is due, what its files say, how it is called, what it answers.
//!
//! The facts about certbot hold for 2.1 (Debian 12) to 5.8; where a fact is not in its documentation, the source says it.

pub mod ari;
mod budget;
mod call;
mod challenge;
mod conf;
mod due;
mod hook;
mod lineage;
mod mounts;
mod said;
mod served;

pub use budget::{Failures, Permission};
pub use call::{Call, Form, Kind, Ports, Way, caller, inside, wrap};
pub use challenge::{Aim, Missed, Next, PATH, Probe, Proof, next, prove};
pub use conf::{Authenticator, Change, Conf, changes, put_back};
pub use due::{Decision, Reason, Validity, decide};
pub use hook::{Hook, Moment, of_ini};
pub use lineage::{Fault, Item, Lineage, Link, Version, twins};
pub use mounts::{Mount, mounts, on_host};
pub use said::{Trouble, Word, failed_hook, read};
pub use served::{Look, Need, Unseen, judge as judge_served, need};
