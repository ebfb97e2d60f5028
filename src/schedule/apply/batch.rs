//! Asking Amazon for many machines with few calls, so that one bad id does not cost the others.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    rules::fleet::{Act, Failure, ids_in},
    schedule::trouble::{Trouble, is_capacity, is_throttled},
    system::aws::{Cause, Refusal},
};

/// So many ids go into one call: what is wrong with one of them costs at most a few more calls.
pub const SIZE: usize = 50;

/// What came of one machine.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// Amazon took it.
    Accepted,
    /// Later: Amazon asks to slow down, or has no machine free.
    Again(Failure),
    /// Something else is being done to it, or it is protected: no failure of ours.
    Left(Failure),
    /// Amazon refused it.
    Refused(Failure),
}

/// A machine of a batch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Member {
    /// Its id.
    pub id: String,
    /// Its type and zone: what Amazon has or has not free.
    pub pool: (String, String),
}

/// After so many refusals of single machines for want of permission, and no success, the others are not tried.
const ENOUGH: usize = 3;

/// Sends all of them, in batches, and says what came of each.
///
/// An error that names ids costs those; one that names none halves its batch. What Amazon has no machine for is split by
/// type and zone, then halved. A request to slow down is never answered with more calls.
pub async fn send(
    members: Vec<Member>,
    act: Act,
    call: impl AsyncFn(&[String]) -> Result<(), Refusal>,
) -> BTreeMap<String, Fate> {
    let mut fates = BTreeMap::new();
    let mut queue: VecDeque<Vec<Member>> = members.chunks(SIZE).map(<[Member]>::to_vec).collect();
    let (mut accepted, mut denied) = (0_usize, 0_usize);
    while let Some(batch) = queue.pop_front() {
        let ids: Vec<String> = batch.iter().map(|member| member.id.clone()).collect();
        let refusal = match call(&ids).await {
            Ok(()) => {
                accepted += ids.len();
                fates.extend(ids.into_iter().map(|id| (id, Fate::Accepted)));
                continue;
            }
            Err(refusal) => refusal,
        };
        tracing::debug!(?refusal, ids = ids.len(), act = act.word(), "a batch was refused");
        let fate = fate(&refusal, act);
        let is_denied = matches!(&fate, Fate::Refused(failure) if failure.reason == "denied");
        if is_denied && batch.len() == 1 {
            denied += 1;
        }
        let hopeless = is_denied && accepted == 0 && denied >= ENOUGH;
        if hopeless {
            let rest = batch.into_iter().chain(queue.drain(..).flatten());
            fates.extend(rest.map(|member| (member.id, fate.clone())));
            break;
        }
        let whole = batch.len() == 1 || is_throttled(&refusal) || refusal.cause != Cause::Answered;
        if whole || ["credentials", "expired", "clock", "quota"].contains(&Trouble::of(&refusal).reason) {
            fates.extend(ids.into_iter().map(|id| (id, fate.clone())));
            continue;
        }
        let parts = if is_capacity(&refusal) {
            pools(batch)
        } else {
            let named = ids_in(&refusal.message);
            let (bad, good): (Vec<_>, Vec<_>) = batch.into_iter().partition(|member| named.contains(&member.id));
            if bad.is_empty() {
                halves(good)
            } else {
                fates.extend(bad.into_iter().map(|member| (member.id, fate.clone())));
                vec![good]
            }
        };
        // The parts first, so that single machines are reached soon.
        for part in parts.into_iter().rev().filter(|part| !part.is_empty()) {
            queue.push_front(part);
        }
    }
    fates
}

/// What a refusal means for the machines that it is about.
pub fn fate(refusal: &Refusal, act: Act) -> Fate {
    let Trouble { reason, why, fix } = Trouble::of(refusal);
    let failure = Failure { reason, why, fix };
    match reason {
        _ if is_throttled(refusal) => Fate::Again(Failure { reason: "throttled", ..failure }),
        "capacity" if act == Act::Start => Fate::Again(failure),
        "protected" | "state" => Fate::Left(failure),
        _ => Fate::Refused(failure),
    }
}

fn halves(batch: Vec<Member>) -> Vec<Vec<Member>> {
    let (first, second) = batch.split_at(batch.len().div_ceil(2));
    vec![first.to_vec(), second.to_vec()]
}

/// By type and zone; what is of one pool already is halved: fewer may still be had.
fn pools(batch: Vec<Member>) -> Vec<Vec<Member>> {
    let mut pools: BTreeMap<(String, String), Vec<Member>> = BTreeMap::new();
    for member in batch {
        pools.entry(member.pool.clone()).or_default().push(member);
    }
    if pools.len() > 1 {
        return pools.into_values().collect();
    }
    pools.into_values().flat_map(halves).collect()
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn members(count: usize) -> Vec<Member> {
        let pool =
            |at: usize| ("t3.large".to_owned(), format!("us-east-2{}", if at.is_multiple_of(2) { 'a' } else { 'b' }));
        (0..count).map(|at| Member { id: format!("i-{at:017x}"), pool: pool(at) }).collect()
    }

    proptest! {
        #[test]
        fn every_machine_has_one_fate_and_only_the_bad_ones_are_refused(
            count in 0_usize..130,
            bad in proptest::collection::btree_set(0_usize..130, 0..6),
            named in any::<bool>(),
            code in prop_oneof![
                Just("InvalidInstanceID.NotFound"), Just("InvalidParameterValue"), Just("InsufficientInstanceCapacity"),
            ],
        ) {
            let bad: BTreeSet<String> = bad.into_iter().map(|at| format!("i-{at:017x}")).collect();
            let calls = RefCell::new(0_usize);
            let call = async |ids: &[String]| {
                *calls.borrow_mut() += 1;
                let wrong: Vec<&str> = ids.iter().filter(|id| bad.contains(*id)).map(String::as_str).collect();
                if wrong.is_empty() {
                    return Ok(());
                }
                let message = if named { format!("not these: {}", wrong.join(", ")) } else { "no".to_owned() };
                Err(Refusal { cause: Cause::Answered, code: Some(code.into()), status: Some(400), message, region: None })
            };
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let fates = runtime.block_on(send(members(count), Act::Start, call));
            prop_assert_eq!(fates.len(), count);
            for (id, fate) in &fates {
                prop_assert_eq!(*fate == Fate::Accepted, !bad.contains(id), "{}: {:?}", id, fate);
            }
            // No more than a way down to each bad one.
            prop_assert!(*calls.borrow() <= count.div_ceil(SIZE) + bad.len() * 15, "{} calls", calls.borrow());
        }
    }
}
