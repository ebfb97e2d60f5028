//! What the checks of one site share: its settings, the world, and what was observed once.

use tokio::sync::OnceCell;

use crate::{
    check::{GunicornSource, Site},
    rules::gunicorn::{Observation, Trouble},
    system::{
        Context,
        gunicorn::{self, Place},
    },
};

/// One site in one run.
pub struct Scope<'a> {
    /// What is expected.
    pub site: &'a Site,
    /// The world.
    pub context: &'a Context,
    gunicorn: OnceCell<Option<Result<Observation, Trouble>>>,
}

impl<'a> Scope<'a> {
    /// Nothing observed yet.
    pub fn new(site: &'a Site, context: &'a Context) -> Self {
        Self { site, context, gunicorn: OnceCell::new() }
    }

    /// What was seen of gunicorn, looked at once; `None` when the site has no such section.
    pub async fn gunicorn(&self) -> Option<&Result<Observation, Trouble>> {
        let look = || async {
            let place = match &self.site.gunicorn.as_ref()?.source {
                GunicornSource::Container(name) => Place::Container(name),
                GunicornSource::Compose(compose) => {
                    Place::Service { project: &compose.project, service: &compose.service }
                }
                GunicornSource::PidFile(path) => Place::PidFile(path),
                GunicornSource::Argv(words) => Place::Argv(words),
            };
            Some(gunicorn::observe(self.context, place, self.site.timeout).await)
        };
        self.gunicorn.get_or_init(look).await.as_ref()
    }
}
