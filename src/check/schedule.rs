//! A schedule as something to check.

use std::{sync::Arc, time::Duration};

use super::Subject;
use crate::{
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
}

/// One schedule in one run.
pub struct TimetableScope<'a> {
    /// What is expected.
    pub timetable: &'a Timetable,
    /// The world.
    pub context: &'a Context,
}

/// Many regions, and the patience of Amazon's clients.
const TIMEOUT: Duration = Duration::from_secs(120);

impl Timetable {
    /// The schedules of these settings.
    pub fn all(settings: schedule::Settings) -> Vec<Self> {
        let settings = Arc::new(settings);
        let schedules = settings.schedules.iter().cloned();
        schedules.map(|schedule| Self { schedule, settings: Arc::clone(&settings) }).collect()
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
        TimetableScope { timetable: self, context }
    }
}
