//! A schedule as something to check.

use std::{sync::Arc, time::Duration};

#[cfg(feature = "aws")]
use tokio::sync::OnceCell;

use super::Subject;
use crate::{
    rules::database_maintenance,
    schedule::{self, Schedule},
    system::Context,
};

/// One configured schedule.
#[derive(Clone, Debug)]
pub struct Timetable {
    /// When which machines run.
    pub schedule: Schedule,
    /// What it shares with the other schedules of the configuration.
    pub settings: Arc<schedule::Settings>,
    /// What is expected of the upkeep of its databases; `None` where nobody asks.
    pub upkeep: Option<database_maintenance::Policy>,
}

/// One schedule in one run.
pub struct TimetableScope<'a> {
    /// What is expected.
    pub timetable: &'a Timetable,
    /// The world.
    pub context: &'a Context,
    #[cfg(feature = "aws")]
    seen: OnceCell<schedule::Inventory>,
}

#[cfg(feature = "aws")]
impl TimetableScope<'_> {
    /// One look at its machines, for all of its checks. What comes late is not held back: it is told one by one.
    pub async fn inventory(&self) -> &schedule::Inventory {
        let look = || async {
            let Timetable { schedule, settings, .. } = self.timetable;
            let settings = schedule::Settings { schedules: vec![schedule.clone()], yes: true, ..(**settings).clone() };
            schedule::inventory(&settings, self.context.clock.now(), self.context).await
        };
        self.seen.get_or_init(look).await
    }
}

/// Many regions, and the patience of Amazon's clients.
const TIMEOUT: Duration = Duration::from_secs(120);

impl Timetable {
    /// The schedules of these settings.
    pub fn all(settings: schedule::Settings, upkeep: Option<database_maintenance::Policy>) -> Vec<Self> {
        let settings = Arc::new(settings);
        let schedules = settings.schedules.iter().cloned();
        schedules.map(|schedule| Self { schedule, settings: Arc::clone(&settings), upkeep }).collect()
    }
}

impl Subject for Timetable {
    type Scope<'a> = TimetableScope<'a>;

    fn name(&self) -> &str {
        &self.schedule.name
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    fn scope<'a>(&'a self, context: &'a Context) -> TimetableScope<'a> {
        TimetableScope {
            timetable: self,
            context,
            #[cfg(feature = "aws")]
            seen: OnceCell::new(),
        }
    }
}
