//! EventBridge Scheduler in one region: looked at by [`Scheduler`], changed by [`SchedulerSwitch`].

use aws_sdk_scheduler::{
    Client,
    operation::get_schedule::GetScheduleOutput,
    types::{ActionAfterCompletion, DeadLetterConfig, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, Target},
};
use aws_types::SdkConfig;

use super::Refusal;

/// Looks at schedules.
#[derive(Clone, Debug)]
pub struct Scheduler {
    client: Client,
}

/// Creates, updates and deletes them.
#[derive(Clone, Debug)]
pub struct SchedulerSwitch {
    client: Client,
}

/// What we say of a schedule. All else of one that is there (its state, dates, key) is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wanted {
    /// Its name in the group.
    pub name: String,
    /// `cron(0 19 ? * MON-FRI *)`.
    pub expression: String,
    /// An IANA zone.
    pub timezone: String,
    /// For people.
    pub description: String,
    /// The function, or `arn:aws:scheduler:::aws-sdk:ec2:stopInstances`.
    pub target: String,
    /// The role that is taken on.
    pub role: String,
    /// JSON for the target.
    pub input: String,
    /// Where calls go that failed for good.
    pub queue: Option<String>,
    /// Whether it is removed when it has fired.
    pub once: bool,
}

/// A schedule that is there.
#[derive(Clone, Debug)]
pub struct Found {
    /// What we would say of it.
    pub wanted: Wanted,
    /// Whether somebody switched it off.
    pub disabled: bool,
    /// All of it.
    whole: GetScheduleOutput,
}

/// What is late by more than this is not done any more: a stop of 19:00 has no business at 03:00. The default is a day.
pub const OLDEST: i32 = 900;

impl Scheduler {
    /// The region that the configuration is for.
    pub fn new(sdk: &SdkConfig) -> Self {
        Self { client: Client::new(sdk) }
    }

    /// Whether there is a group of this name.
    ///
    /// # Errors
    ///
    /// What EventBridge refused.
    pub async fn has_group(&self, group: &str) -> Result<bool, Refusal> {
        match self.client.get_schedule_group().name(group).send().await {
            Ok(_) => Ok(true),
            Err(error) => match Refusal::of(&error) {
                refusal if refusal.is("ResourceNotFoundException") => Ok(false),
                refusal => Err(refusal),
            },
        }
    }

    /// The names of all schedules of a group.
    ///
    /// # Errors
    ///
    /// What EventBridge refused.
    pub async fn names(&self, group: &str) -> Result<Vec<String>, Refusal> {
        let mut names = Vec::new();
        let mut pages = self.client.list_schedules().group_name(group).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Refusal::of(&error))?;
            names.extend(page.schedules().iter().filter_map(|schedule| schedule.name()).map(str::to_owned));
        }
        Ok(names)
    }

    /// One of them, whole.
    ///
    /// # Errors
    ///
    /// What EventBridge refused.
    pub async fn get(&self, group: &str, name: &str) -> Result<Found, Refusal> {
        let found = self.client.get_schedule().group_name(group).name(name).send().await;
        let found = found.map_err(|error| Refusal::of(&error))?;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let target = found.target();
        let wanted = Wanted {
            name: text(found.name()),
            expression: text(found.schedule_expression()),
            timezone: text(found.schedule_expression_timezone()),
            description: text(found.description()),
            target: target.map(|target| target.arn().to_owned()).unwrap_or_default(),
            role: target.map(|target| target.role_arn().to_owned()).unwrap_or_default(),
            input: text(target.and_then(|target| target.input())),
            queue: target.and_then(|target| target.dead_letter_config()?.arn().map(str::to_owned)),
            once: found.action_after_completion() == Some(&ActionAfterCompletion::Delete),
        };
        let disabled = found.state().is_some_and(|state| state.as_str() == "DISABLED");
        Ok(Found { wanted, disabled, whole: found })
    }
}

impl SchedulerSwitch {
    /// The region that the configuration is for.
    pub fn new(sdk: &SdkConfig) -> Self {
        Self { client: Client::new(sdk) }
    }

    /// Makes a group.
    ///
    /// # Errors
    ///
    /// What EventBridge refused.
    pub async fn create_group(&self, group: &str) -> Result<(), Refusal> {
        self.client.create_schedule_group().name(group).send().await.map(drop).map_err(|error| Refusal::of(&error))
    }

    /// Makes a schedule.
    ///
    /// # Errors
    ///
    /// What EventBridge refused.
    pub async fn create(&self, group: &str, wanted: &Wanted) -> Result<(), Refusal> {
        let call = self
            .client
            .create_schedule()
            .group_name(group)
            .name(&wanted.name)
            .schedule_expression(&wanted.expression)
            .schedule_expression_timezone(&wanted.timezone)
            .description(&wanted.description)
            .flexible_time_window(exactly()?)
            .target(target(wanted, None)?)
            .set_action_after_completion(wanted.once.then_some(ActionAfterCompletion::Delete));
        call.send().await.map(drop).map_err(|error| Refusal::of(&error))
    }

    /// Changes one: an update replaces everything and sets what it does not name back to its default, so all that is not
    /// ours is said again.
    ///
    /// # Errors
    ///
    /// What EventBridge refused.
    pub async fn update(&self, group: &str, wanted: &Wanted, found: &Found) -> Result<(), Refusal> {
        let whole = &found.whole;
        let window = match whole.flexible_time_window() {
            Some(window) => window.clone(),
            None => exactly()?,
        };
        let call = self
            .client
            .update_schedule()
            .group_name(group)
            .name(&wanted.name)
            .schedule_expression(&wanted.expression)
            .schedule_expression_timezone(&wanted.timezone)
            .description(&wanted.description)
            .flexible_time_window(window)
            .target(target(wanted, whole.target())?)
            .set_state(whole.state().cloned())
            .set_start_date(whole.start_date().copied())
            .set_end_date(whole.end_date().copied())
            .set_kms_key_arn(whole.kms_key_arn().map(str::to_owned))
            .set_action_after_completion(wanted.once.then_some(ActionAfterCompletion::Delete));
        call.send().await.map(drop).map_err(|error| Refusal::of(&error))
    }

    /// Removes one.
    ///
    /// # Errors
    ///
    /// What EventBridge refused.
    pub async fn delete(&self, group: &str, name: &str) -> Result<(), Refusal> {
        let call = self.client.delete_schedule().group_name(group).name(name).send();
        call.await.map(drop).map_err(|error| Refusal::of(&error))
    }
}

fn exactly() -> Result<FlexibleTimeWindow, Refusal> {
    FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build().map_err(|error| Refusal::unsent(&error))
}

/// The target, with what somebody set besides on the one that is there.
fn target(wanted: &Wanted, known: Option<&Target>) -> Result<Target, Refusal> {
    let retries = match known.and_then(|known| known.retry_policy()) {
        Some(policy) => policy.clone(),
        None => RetryPolicy::builder().maximum_event_age_in_seconds(OLDEST).maximum_retry_attempts(10).build(),
    };
    let queue = wanted.queue.as_ref().map(|queue| DeadLetterConfig::builder().arn(queue).build());
    Target::builder()
        .arn(&wanted.target)
        .role_arn(&wanted.role)
        .input(&wanted.input)
        .retry_policy(retries)
        .set_dead_letter_config(queue)
        .build()
        .map_err(|error| Refusal::unsent(&error))
}
