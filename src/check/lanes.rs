//! Spreads a crowd of sites over the processor's cores: handshakes are mostly arithmetic, and one thread has one core.

use std::{panic::resume_unwind, sync::Arc};

use futures_util::{StreamExt, future::BoxFuture, stream};
use tokio::{
    runtime::{Builder, Runtime},
    select, task,
};

use super::Site;
use crate::{report::Finding, system::Context};

/// How one site is looked at.
pub(super) type Look = Arc<dyn Fn(Arc<Site>, Context) -> BoxFuture<'static, Vec<Finding>> + Send + Sync>;

/// With fewer sites a second thread costs more than it brings.
const CROWD: usize = 32;

/// The most threads: beyond these the servers, not we, are what is waited for.
const LANES: usize = 4;

/// Looks at each site, about `concurrency` at once; what was found is in the order of the sites.
pub(super) async fn spread(
    sites: Vec<Arc<Site>>,
    concurrency: usize,
    look: Look,
    context: &Context,
) -> Vec<Vec<Finding>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let wanted = if sites.len() < CROWD { 1 } else { cores.min(LANES) };
    // Where the system has no room for another thread's timers and sockets, there are fewer threads.
    let runtimes: Vec<Runtime> =
        (1..wanted).map_while(|_| Builder::new_current_thread().enable_all().build().ok()).collect();
    let lanes = runtimes.len() + 1;
    let each = concurrency.div_ceil(lanes).max(1);
    let mut parts: Vec<Part> = vec![Vec::new(); lanes];
    for (place, site) in sites.into_iter().enumerate() {
        parts[place % lanes].push((place, site));
    }
    let own = parts.pop().unwrap_or_default();
    let start = |(runtime, part): (Runtime, Part)| {
        let (look, context) = (Arc::clone(&look), context.clone());
        task::spawn_blocking(move || elsewhere(runtime, part, each, &look, &context))
    };
    let others: Vec<_> = runtimes.into_iter().zip(parts).map(start).collect();
    let mut found = lane(own, each, &look, context).await;
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

/// The sites of one thread with their places in the whole.
type Part = Vec<(usize, Arc<Site>)>;

type Found = Vec<(usize, Vec<Finding>)>;

/// A thread of its own: nobody drops its work when the run is ended, so it ends itself.
fn elsewhere(runtime: Runtime, part: Part, each: usize, look: &Look, context: &Context) -> Found {
    let found = runtime.block_on(async {
        select! {
            biased;
            () = context.cancel.raised(1) => Vec::new(),
            found = lane(part, each, look, context) => found,
        }
    });
    // A name that is still being looked up must not keep the others back.
    runtime.shutdown_background();
    found
}

/// Unordered, so that a dead site at the head holds no place that a living one could use.
async fn lane(part: Part, each: usize, look: &Look, context: &Context) -> Found {
    stream::iter(part)
        .map(|(place, site)| async move { (place, look(site, context.clone()).await) })
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
    use crate::check::testing::{context, site};

    #[tokio::test]
    async fn a_crowd_is_looked_at_on_every_core_and_keeps_its_order() {
        let sites: Vec<Arc<Site>> = (0..100)
            .map(|n| Arc::new(Site { name: format!("s{n}"), ..site("site.test", ([127, 0, 0, 1], 1).into(), &[]) }))
            .collect();
        let threads = Arc::new(Mutex::new(BTreeSet::new()));
        let seen = Arc::clone(&threads);
        let look: Look = Arc::new(move |site, _| {
            seen.lock().unwrap().insert(format!("{:?}", std::thread::current().id()));
            Box::pin(async move {
                task::yield_now().await;
                vec![Finding::pass("http.status", &site.name, "fine")]
            })
        });
        let found = spread(sites, 8, look, &context()).await;
        let names: Vec<String> = found.concat().into_iter().map(|finding| finding.subject).collect();
        assert_eq!(names, (0..100).map(|n| format!("s{n}")).collect::<Vec<_>>());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        assert_eq!(threads.lock().unwrap().len(), cores.min(LANES));
    }

    #[tokio::test]
    async fn an_ended_run_ends_its_threads() {
        let sites: Vec<Arc<Site>> =
            (0..CROWD).map(|_| Arc::new(site("site.test", ([127, 0, 0, 1], 1).into(), &[]))).collect();
        let context = context();
        let look: Look = Arc::new(|_, _| Box::pin(std::future::pending()));
        let run = spread(sites, 64, look, &context);
        select! {
            _ = run => panic!("nothing can be found"),
            () = tokio::time::sleep(std::time::Duration::from_millis(50)) => context.cancel.raise(2),
        }
        // The test's runtime waits for its threads when it is dropped: a thread that went on would hang here.
    }
}
