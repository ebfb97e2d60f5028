//! What a machine does, out of Amazon's many words for it.

use super::Kind;

/// What a machine does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Condition {
    /// It cannot be used until somebody mends it.
    Broken,
    /// Something is being done to it, and it cannot be stopped meanwhile.
    Busy,
    /// Terminated or deleted, although it is still listed for a while.
    Gone,
    /// Stopped.
    Off,
    /// It runs and can be stopped.
    On,
    /// On its way to running.
    Starting,
    /// On its way to stopped.
    Stopping,
}

impl Condition {
    /// Reads a word of EC2 (EC2 User Guide, "Instance lifecycle") or of RDS (RDS User Guide, "Viewing DB instance status"; Aurora
    /// User Guide, the same of clusters). A word that is not known is taken for one of the many things that may be done to a
    /// database.
    pub fn of(kind: Kind, status: &str) -> Self {
        if kind == Kind::Instance {
            return match status {
                "pending" => Self::Starting,
                "running" => Self::On,
                "stopping" => Self::Stopping,
                "stopped" => Self::Off,
                "shutting-down" | "terminated" => Self::Gone,
                _ => Self::Busy,
            };
        }
        match status {
            "available" => Self::On,
            // Its key was away for a while: a start brings it back.
            "stopped" | "inaccessible-encryption-credentials-recoverable" => Self::Off,
            "starting" | "started" => Self::Starting,
            "stopping" => Self::Stopping,
            "deleting" | "delete-precheck" => Self::Gone,
            "failed"
            | "inaccessible-encryption-credentials"
            | "insufficient-capacity"
            | "restore-error"
            | "storage-full"
            | "incompatible-create" => Self::Broken,
            other if other.starts_with("incompatible-") => Self::Broken,
            _ => Self::Busy,
        }
    }

    /// The word of every output format.
    pub fn word(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Busy => "busy",
            Self::Gone => "gone",
            Self::Off => "off",
            Self::On => "on",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
        }
    }
}
