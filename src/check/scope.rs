//! What the checks of one site share: its settings, the world, and what was observed once.

use crate::{check::Site, system::Context};

/// One site in one run.
pub struct Scope<'a> {
    /// What is expected.
    pub site: &'a Site,
    /// The world.
    pub context: &'a Context,
}

impl<'a> Scope<'a> {
    /// Nothing observed yet.
    pub fn new(site: &'a Site, context: &'a Context) -> Self {
        Self { site, context }
    }
}
