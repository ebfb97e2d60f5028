//! What the job works on, as plain data.

use crate::rules::calendar::Calendar;

/// One `[schedule.NAME]`, as far as time goes.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// When its machines run.
    pub calendar: Calendar,
}
