//! One machine on its way.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    report::{Outcome, State},
    rules::fleet::{Act, Condition, Details, Failure, Machine, Wish, decode},
    schedule::{Entry, Place},
};

/// A machine that is to be started or stopped, and how far it is.
pub struct Job<'a> {
    /// The machine as it was planned for.
    pub entry: &'a Entry,
    /// Where it is.
    pub place: &'a Arc<Place>,
    /// Where it is to go.
    pub act: Act,
    /// How far it is.
    pub stage: Stage,
    /// When it was sent there.
    pub sent: Option<Instant>,
    /// Whether it was seen on its way.
    pub moved: bool,
    /// How often Amazon asked to slow down, or had no machine free.
    pub refused: u32,
    /// What a person should know besides.
    pub note: Option<&'static str>,
    /// The snapshot that was asked for with the stop.
    pub snapshot: Option<String>,
}

/// How far a machine is.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Amazon can be asked now.
    Ready,
    /// Amazon is asked again when the time has come.
    Again,
    /// It must come to rest before it can be sent back.
    Turning,
    /// Amazon was asked.
    Sent,
    /// It is there.
    Arrived,
    /// Nothing was done, and that is no failure.
    Left(Failure),
    /// It did not get there.
    Failed(Failure),
}

/// Amazon's own word that it was asked counts for so long, whatever a description shows.
const BELIEVED: Duration = Duration::from_secs(5 * 60);

/// An instance can hibernate from so long after its launch (EC2 User Guide, "Hibernate your instance").
const HIBERNATES_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_mins(2);

impl<'a> Job<'a> {
    /// A job at its beginning.
    pub fn new(entry: &'a Entry, place: &'a Arc<Place>, act: Act) -> Self {
        let machine = &entry.judgement.machine;
        let stage = match (act, machine.condition()) {
            (Act::Stop, Condition::Starting) | (Act::Start, Condition::Stopping) => Stage::Turning,
            (Act::Stop, Condition::Stopping) | (Act::Start, Condition::Starting) => Stage::Sent,
            _ => Stage::Ready,
        };
        Self { entry, place, act, stage, sent: None, moved: false, refused: 0, note: None, snapshot: None }
    }

    /// The machine as it was planned for.
    pub fn machine(&self) -> &'a Machine {
        &self.entry.judgement.machine
    }

    /// Whether nothing more will come of it.
    pub fn is_settled(&self) -> bool {
        matches!(self.stage, Stage::Arrived | Stage::Failed(_) | Stage::Left(_))
    }

    /// Amazon took the call.
    pub fn accepted(&mut self) {
        self.stage = Stage::Sent;
        self.sent = Some(Instant::now());
    }

    /// Whether it is to hibernate, and can.
    pub fn hibernates(&self, now: jiff::Timestamp) -> bool {
        let Details::Instance(instance) = &self.machine().details else { return false };
        let old_enough = instance.launched.is_none_or(|at| now.duration_since(at) > HIBERNATES_AFTER);
        self.act == Act::Stop && self.entry.selector.hibernate != Wish::Never && instance.hibernation && old_enough
    }

    /// Takes in how the machine is now; `None` when it is not told of any more.
    pub fn see(&mut self, now: Option<&Machine>) {
        if self.is_settled() {
            return;
        }
        let condition = now.map_or(Condition::Gone, Machine::condition);
        let (target, on_its_way) = match self.act {
            Act::Stop => (Condition::Off, Condition::Stopping),
            Act::Start | Act::Nothing => (Condition::On, Condition::Starting),
        };
        match condition {
            found if found == target => self.stage = Stage::Arrived,
            Condition::Gone => self.stage = Stage::Failed(decode("InvalidInstanceID.NotFound", "it is gone")),
            found if found == on_its_way => {
                self.moved = true;
                // Somebody else sent it the right way.
                self.stage = Stage::Sent;
            }
            Condition::Broken => {
                let status = now.map(|machine| machine.status.clone()).unwrap_or_default();
                self.stage = Stage::Failed(Failure {
                    reason: "broken",
                    why: format!("it became `{status}`"),
                    fix: "look at it in Amazon's console: no schedule can mend it".to_owned(),
                });
            }
            Condition::On | Condition::Off if self.stage == Stage::Turning => self.stage = Stage::Ready,
            Condition::Off if self.stage == Stage::Sent => self.fell_back(now),
            _ => {}
        }
    }

    /// A start that ended where it began: Amazon takes the call and only then finds that it cannot be done.
    fn fell_back(&mut self, now: Option<&Machine>) {
        let reason = now.and_then(|machine| machine.state_reason.clone());
        let is_new = reason != self.machine().state_reason;
        let waited = self.sent.is_none_or(|sent| sent.elapsed() > BELIEVED);
        // A description may be older than the call: only what it cannot have said before, or patience, tells.
        if !(self.moved || is_new || waited) {
            return;
        }
        let (code, message) = reason.unwrap_or_default();
        let told = !code.is_empty() && code != "Client.UserInitiatedShutdown";
        self.stage = Stage::Failed(match told {
            true => decode(&code, &message),
            false => Failure {
                reason: "fell-back",
                why: "the start was taken, and it is stopped all the same; Amazon does not say why".to_owned(),
                fix: "start it by hand in Amazon's console and read what it says".to_owned(),
            },
        });
    }

    /// It has taken too long.
    pub fn time_is_up(&mut self, limit: Duration) {
        let verb = if self.act == Act::Stop { "stopped" } else { "running" };
        let minutes = limit.as_secs() / 60;
        self.stage = Stage::Failed(Failure {
            reason: "stuck",
            why: format!("it is not {verb} after {minutes} minutes"),
            fix: "look at it in Amazon's console; mainstay never forces a stop".to_owned(),
        });
    }

    /// What came of it.
    pub fn outcome(&self) -> Outcome {
        let verb = if self.act == Act::Stop { "stopped" } else { "running" };
        let (state, mut detail, fix) = match &self.stage {
            Stage::Arrived => (State::Done, verb.to_owned(), None),
            Stage::Left(left) => (State::Skipped, format!("{}: {}", left.reason, left.why), Some(left.fix.clone())),
            Stage::Failed(failure) => {
                (State::Failed, format!("{}: {}", failure.reason, failure.why), Some(failure.fix.clone()))
            }
            Stage::Again | Stage::Ready | Stage::Sent | Stage::Turning => {
                (State::Skipped, "begun, and not waited for".to_owned(), None)
            }
        };
        if let Some(note) = self.note {
            detail = format!("{detail}; {note}");
        }
        Outcome { action: self.act.word().to_owned(), target: self.machine().title(), state, detail, fix }
    }
}
