//! Spreads a crowd of subjects over the processor's cores: handshakes are mostly arithmetic, and one thread has one core.

use std::{panic::resume_unwind, sync::Arc};

use futures_util::{StreamExt, future::BoxFuture, stream};
use tokio::{
    runtime::{Builder, Runtime},
    select, task,
};

use crate::{report::Finding, system::Context};

/// A look at one subject, to be had as often as one likes.
pub(super) type Look = Arc<dyn Fn(Context) -> BoxFuture<'static, Vec<Finding>> + Send + Sync>;

/// With fewer subjects a second thread costs more than it brings.
const CROWD: usize = 32;

/// The most threads: beyond these the servers, not we, are what is waited for.
const LANES: usize = 4;

/// Has these looks, about `concurrency` at once; what was found is in their order.
pub(super) async fn spread(looks: Vec<Look>, concurrency: usize, context: &Context) -> Vec<Vec<Finding>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let wanted = if looks.len() < CROWD { 1 } else { cores.min(LANES) };
    // Where the system has no room for another thread's timers and sockets, there are fewer threads.
    let runtimes: Vec<Runtime> =
        (1..wanted).map_while(|_| Builder::new_current_thread().enable_all().build().ok()).collect();
    let lanes = runtimes.len() + 1;
    let each = concurrency.div_ceil(lanes).max(1);
    let mut parts: Vec<Part> = vec![Vec::new(); lanes];
    for (place, look) in looks.into_iter().enumerate() {
        parts[place % lanes].push((place, look));
    }
    let own = parts.pop().unwrap_or_default();
    let start = |(runtime, part): (Runtime, Part)| {
        let context = context.clone();
        task::spawn_blocking(move || elsewhere(runtime, part, each, &context))
    };
    let others: Vec<_> = runtimes.into_iter().zip(parts).map(start).collect();
    let mut found = lane(own, each, context).await;
    for other in others {
        match other.await {
            Ok(more) => found.extend(more),
            // A bug there is a bug here.
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // Nobody aborts these tasks; they end unheard only with the runtime, and then nobody waits for this either.
            Err(_) => {}
        }
    }
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, findings)| findings).collect()
}

/// The looks of one thread with their places in the whole.
type Part = Vec<(usize, Look)>;

type Found = Vec<(usize, Vec<Finding>)>;

/// A thread of its own: nobody drops its work when the run is ended, so it ends itself.
fn elsewhere(runtime: Runtime, part: Part, each: usize, context: &Context) -> Found {
    let found = runtime.block_on(async {
        select! {
            biased;
            () = context.cancel.raised(1) => Vec::new(),
            found = lane(part, each, context) => found,
        }
    });
    // A name that is still being looked up must not keep the others back.
    runtime.shutdown_background();
    found
}

/// Unordered, so that a dead site at the head holds no place that a living one could use.
async fn lane(part: Part, each: usize, context: &Context) -> Found {
    stream::iter(part)
        .map(|(place, look)| async move { (place, look(context.clone()).await) })
        .buffer_unordered(each)
        .inspect(|_| context.progress.advance(1))
        .collect()
        .await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use super::*;
    use crate::check::testing::context;

    #[tokio::test]
    async fn a_crowd_is_looked_at_on_every_core_and_keeps_its_order() {
        let threads = Arc::new(Mutex::new(BTreeSet::new()));
        let look = |n: usize| {
            let seen = Arc::clone(&threads);
            let look: Look = Arc::new(move |_| {
                seen.lock().unwrap().insert(format!("{:?}", std::thread::current().id()));
                Box::pin(async move {
                    task::yield_now().await;
                    vec![Finding::pass("http.status", format!("s{n}"), "fine")]
                })
            });
            look
        };
        let found = spread((0..100).map(look).collect(), 8, &context()).await;
        let names: Vec<String> = found.concat().into_iter().map(|finding| finding.subject).collect();
        assert_eq!(names, (0..100).map(|n| format!("s{n}")).collect::<Vec<_>>());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        assert_eq!(threads.lock().unwrap().len(), cores.min(LANES));
    }

    #[tokio::test]
    async fn an_ended_run_ends_its_threads() {
        let context = context();
        let look: Look = Arc::new(|_| Box::pin(std::future::pending()));
        let run = spread(vec![look; CROWD], 64, &context);
        select! {
            _ = run => panic!("nothing can be found"),
            () = tokio::time::sleep(std::time::Duration::from_millis(50)) => context.cancel.raise(2),
        }
        // The test's runtime waits for its threads when it is dropped: a thread that went on would hang here.
    }
}
