//! What is to be done with a machine at an instant, and why.

use std::fmt;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{Condition, Details, Machine, Obstacle, Override, Tagged, Turn};
use crate::rules::calendar::{self, Calendar, Decision, State, Transition};

/// What a schedule asks of all its machines at one instant.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The schedule's name.
    pub schedule: &'a str,
    /// Its calendar.
    pub calendar: &'a Calendar,
    /// What the calendar asks for.
    pub decision: Decision,
    /// Whether what a person did is undone too.
    pub enforce: bool,
    /// The instant.
    pub now: Timestamp,
}

/// What is to be done with a machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What it is to be; `None` when it stays whatever it is.
    pub desired: Option<State>,
    /// What is done now.
    pub act: Act,
    /// Why.
    pub reason: Reason,
    /// When it will be asked to be something else.
    pub next: Option<(Timestamp, State)>,
    /// Whether a stop comes so long after its boundary that something must have been changed, or was down.
    pub late: bool,
    /// An override that has ended and is only left to be taken off.
    pub expired: bool,
}

/// What is done with a machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Act {
    /// Nothing.
    Nothing,
    /// It is started.
    Start,
    /// It is stopped.
    Stop,
}

/// Why something is done, or nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// It is what it is to be.
    AsWanted(Because),
    /// Its state is trouble that a schedule cannot mend.
    Broken(String),
    /// Two schedules or more want it.
    Claimed(Vec<String>),
    /// Something is being done to it; another run looks again.
    Deferred(String),
    /// More stops come late than may without a person's word, so none of these is made.
    Late {
        /// How many there are.
        count: usize,
        /// How many may.
        most: u64,
    },
    /// A person started or stopped it since the last boundary.
    Manual {
        /// When.
        at: Timestamp,
        /// What it is since then.
        state: State,
        /// Until when it is left so.
        until: Option<String>,
    },
    /// It is not one that is ever started or stopped.
    Obstacle(Obstacle),
    /// The schedule has only one side, and this is the other.
    OneSided(calendar::Reason),
    /// It is on its way.
    OnItsWay(Condition),
    /// What comes before it in the order stays as it is, so this has to as well.
    Order(String),
    /// It is asked to be something else.
    Wanted(Because),
    /// Its override cannot be read, so nobody knows what is wanted.
    Unreadable(String),
    /// Nobody can tell who started it, and nothing is stopped on doubt.
    Unsure,
}

/// Who asks for the state.
#[derive(Clone, Debug, PartialEq)]
pub enum Because {
    /// The override of a person.
    Override(Override),
    /// RDS started it by itself after seven days.
    Restarted(Timestamp),
    /// The calendar.
    Schedule {
        /// The schedule.
        name: String,
        /// What the calendar says.
        reason: calendar::Reason,
    },
}

/// A machine with what is to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The schedule that it belongs to.
    pub schedule: String,
    /// The machine.
    pub machine: Machine,
    /// What is to be done.
    pub verdict: Verdict,
}

/// A stop within so long of its boundary is in time, whatever the machines' number.
pub const IN_TIME: SignedDuration = SignedDuration::from_hours(1);

impl Wanted<'_> {
    /// What is to be done with a machine. The order of precedence: what keeps our hands off, then an override, then the
    /// calendar's exceptions, then its windows.
    pub fn judge(&self, machine: &Machine) -> Verdict {
        let tagged = Tagged::of(&machine.tags, self.now);
        let because = Because::Schedule { name: self.schedule.to_owned(), reason: self.decision.reason.clone() };
        let verdict = Verdict {
            desired: self.decision.want,
            act: Act::Nothing,
            reason: Reason::AsWanted(because.clone()),
            next: self.decision.next.as_ref().map(|next| (next.at, next.state)),
            late: false,
            expired: matches!(tagged, Tagged::Expired(_)),
        };
        if let Some(obstacle) = Obstacle::of(machine) {
            return Verdict { reason: Reason::Obstacle(obstacle), desired: None, next: None, ..verdict };
        }
        match tagged {
            Tagged::Unreadable(why) => {
                Verdict { reason: Reason::Unreadable(why), desired: None, next: None, ..verdict }
            }
            Tagged::Active(found) => self.overridden(machine, found, verdict),
            Tagged::Nothing => self.scheduled(machine, because, self.boundary(None), verdict),
            Tagged::Expired(found) => self.scheduled(machine, because, self.boundary(Some(found.until)), verdict),
        }
    }

    /// The last instant at which something else was asked for.
    fn boundary(&self, override_end: Option<Timestamp>) -> Option<Timestamp> {
        self.decision.since.as_ref().map(|since: &Transition| since.at).max(override_end)
    }

    fn overridden(&self, machine: &Machine, found: Override, verdict: Verdict) -> Verdict {
        let after = self.calendar.decide(found.until);
        let next = match after.want {
            Some(state) if state != found.state => Some((found.until, state)),
            _ => after.next.map(|next| (next.at, next.state)),
        };
        let verdict = Verdict { desired: Some(found.state), next, ..verdict };
        match towards(machine.condition(), found.state) {
            Way::There => Verdict { reason: Reason::AsWanted(Because::Override(found)), ..verdict },
            Way::Act(act) => Verdict { act, reason: Reason::Wanted(Because::Override(found)), ..verdict },
            Way::Not(reason) => Verdict { reason: reason.of(machine), ..verdict },
        }
    }

    fn scheduled(&self, machine: &Machine, because: Because, boundary: Option<Timestamp>, verdict: Verdict) -> Verdict {
        let Some(desired) = self.decision.want else {
            return Verdict { reason: Reason::OneSided(self.decision.reason.clone()), ..verdict };
        };
        let act = match towards(machine.condition(), desired) {
            Way::There => return Verdict { reason: Reason::AsWanted(because), ..verdict },
            Way::Not(reason) => return Verdict { reason: reason.of(machine), ..verdict },
            Way::Act(act) => act,
        };
        let since = self.now.duration_since(boundary.unwrap_or(Timestamp::MIN));
        let late = act == Act::Stop && since > IN_TIME;
        match machine.turn {
            // It is no person's doing, and known for what it is: neither left alone nor late.
            Turn::Itself(at) if act == Act::Stop => {
                Verdict { act, reason: Reason::Wanted(Because::Restarted(at)), ..verdict }
            }
            Turn::At(at) if !self.enforce && boundary.is_some_and(|boundary| at > boundary) => {
                let state = if act == Act::Stop { State::On } else { State::Off };
                let until = verdict.next.map(|(next, _)| local(self.calendar.zone(), next));
                Verdict { reason: Reason::Manual { at, state, until }, ..verdict }
            }
            Turn::Unknown if act == Act::Stop && !self.enforce => Verdict { reason: Reason::Unsure, ..verdict },
            _ => Verdict { act, reason: Reason::Wanted(because), late, ..verdict },
        }
    }
}

/// How a machine comes from what it does to what it is to be.
enum Way {
    There,
    Act(Act),
    Not(Not),
}

/// Why it does not come there now.
enum Not {
    Broken,
    Busy,
    Moving,
}

impl Not {
    fn of(self, machine: &Machine) -> Reason {
        match self {
            Self::Broken => Reason::Broken(machine.status.clone()),
            Self::Busy => Reason::Deferred(machine.status.clone()),
            Self::Moving => Reason::OnItsWay(machine.condition()),
        }
    }
}

fn towards(condition: Condition, desired: State) -> Way {
    match (condition, desired) {
        (Condition::On, State::On) | (Condition::Off, State::Off) => Way::There,
        (Condition::Starting, State::On) | (Condition::Stopping, State::Off) => Way::Not(Not::Moving),
        // On its way to the wrong side: it is waited for, then sent back.
        (Condition::On | Condition::Starting, State::Off) => Way::Act(Act::Stop),
        (Condition::Off | Condition::Stopping, State::On) => Way::Act(Act::Start),
        // What is being modified runs, or will; only a stop has to wait.
        (Condition::Busy, State::On) => Way::There,
        (Condition::Busy, State::Off) => Way::Not(Not::Busy),
        (Condition::Broken, _) => Way::Not(Not::Broken),
        // Nobody is told of what is gone.
        (Condition::Gone, _) => Way::There,
    }
}

impl Act {
    /// The word of every output format.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }
}

impl Reason {
    /// The word that tells reasons apart.
    pub fn word(&self) -> &'static str {
        match self {
            Self::AsWanted(because) | Self::Wanted(because) => because.word(),
            Self::Broken(_) => "broken",
            Self::Claimed(_) => "claimed",
            Self::Deferred(_) => "deferred",
            Self::Late { .. } => "late",
            Self::Manual { .. } => "manual",
            Self::Obstacle(obstacle) => obstacle.word(),
            Self::OneSided(_) => "one-sided",
            Self::OnItsWay(_) => "waiting",
            Self::Order(_) => "order",
            Self::Unreadable(_) => "override-unreadable",
            Self::Unsure => "unsure",
        }
    }

    /// Whether it keeps a machine from what its schedule wants.
    pub fn is_skip(&self) -> bool {
        !matches!(self, Self::AsWanted(_) | Self::Wanted(_) | Self::OneSided(_) | Self::OnItsWay(_))
    }
}

impl Because {
    fn word(&self) -> &'static str {
        match self {
            Self::Override(_) => "override",
            Self::Restarted(_) => "restarted",
            Self::Schedule { .. } => "schedule",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsWanted(because) | Self::Wanted(because) => because.fmt(f),
            Self::Broken(status) => write!(f, "its state is `{status}`, which no schedule can mend"),
            Self::Claimed(names) => write!(f, "the schedules `{}` all claim it", names.join("`, `")),
            Self::Deferred(status) => write!(f, "it is `{status}` and cannot be stopped now"),
            Self::Late { count, most } => {
                write!(f, "{count} stops come late, more than `max_late = {most}`; `--yes` makes them all the same")
            }
            Self::Manual { at, state, until } => {
                let verb = if *state == State::On { "started" } else { "stopped" };
                write!(f, "{verb} by hand at {}, left so", at.strftime("%Y-%m-%d %H:%MZ"))?;
                until.as_ref().map_or(Ok(()), |until| write!(f, " until {until}"))
            }
            Self::Obstacle(obstacle) => obstacle.fmt(f),
            Self::OneSided(reason) => reason.fmt(f),
            Self::OnItsWay(condition) => write!(f, "it is {} already", condition.word()),
            Self::Order(why) => f.write_str(why),
            Self::Unreadable(why) => write!(f, "its override cannot be read: {why}"),
            Self::Unsure => f.write_str("RDS does not tell who started it, and nothing is stopped on doubt"),
        }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Override(found) => write!(f, "override {found}"),
            Self::Restarted(at) => {
                write!(f, "RDS started it by itself at {} after seven days", at.strftime("%Y-%m-%d %H:%MZ"))
            }
            Self::Schedule { name, reason } => write!(f, "{name}: {reason}"),
        }
    }
}

impl Judgement {
    /// Whether the plan asks RDS for its events before it can be believed: a difference, and nobody knows since when.
    pub fn needs_history(&self) -> bool {
        self.verdict.act != Act::Nothing
            && self.machine.turn == Turn::NotAsked
            && !matches!(self.machine.details, Details::Instance(_))
    }
}

/// A time as the people of a zone say it: `Tue 07:00`.
pub fn local(zone: &TimeZone, at: Timestamp) -> String {
    zone.to_datetime(at).strftime("%a %H:%M").to_string()
}
