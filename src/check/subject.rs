//! What a check can be about.

use std::time::Duration;

use super::{Scope, Site};
use crate::system::Context;

/// Something configured that checks look at. Its checks run at once and share what they observe.
pub trait Subject: Clone + Send + Sync + 'static {
    /// What the checks of one subject share in one run: what is expected, the world, and what was observed once.
    type Scope<'a>: Send + Sync;

    /// What findings call it.
    fn name(&self) -> &str;

    /// How long its checks may need; one that needs much longer becomes `unknown`.
    fn timeout(&self) -> Duration;

    /// Nothing observed yet.
    fn scope<'a>(&'a self, context: &'a Context) -> Self::Scope<'a>;
}

impl Subject for Site {
    type Scope<'a> = Scope<'a>;

    fn name(&self) -> &str {
        &self.name
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn scope<'a>(&'a self, context: &'a Context) -> Scope<'a> {
        Scope::new(self, context)
    }
}
