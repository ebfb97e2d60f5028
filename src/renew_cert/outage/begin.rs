//! Stops what holds port 80, once it is written down, guarded and leased.

use std::{io::Write, path::Path, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    Certbot, Ended, PORT, Preflight, Stop, Unbegun, Wanted,
    end::give_back,
    gather::{answers, holders},
    guardian, links,
};
use crate::{
    error::{Error, Kind},
    report::{Outcome, State as Came},
    system::{
        Context,
        docker::Acting,
        listener,
        process::{Command, Failure, Output, session::Watch},
        state::{Entry, Helper, Journal, Owed},
        systemd,
    },
};

/// How long the port may still be taken after everything that held it has been stopped.
const FREED: Duration = Duration::from_secs(10);

/// Something is stopped, and owed a start until [`Outage::end`] has proved that it is back.
///
/// Dropped without that, it is the guardian who starts everything.
#[derive(Debug)]
#[must_use = "an outage must be ended"]
pub struct Outage {
    pub(super) journal: Journal,
    pub(super) entry: Entry,
    pub(super) watch: Option<Watch>,
    pub(super) certbot: Certbot,
    /// When the first one was stopped.
    pub(super) since: Option<Instant>,
    /// What was stopped, for the report.
    pub(super) stopped: Vec<Outcome>,
    /// What the operator should know of the layers that could not be had.
    pub(super) notes: Vec<String>,
}

impl Outage {
    /// Stops what the preflight found, in its order; with nothing to stop, only what certbot leaves behind is guarded.
    ///
    /// # Errors
    ///
    /// What was in the way. Whatever had been stopped has been started again.
    pub async fn begin(preflight: Preflight, wanted: &Wanted, context: &Context) -> Result<Self, Unbegun> {
        let mut outage =
            Self::prepare(&preflight, wanted, context).await.map_err(|error| Unbegun { error, ended: None })?;
        match outage.stop(&preflight.stops, context).await {
            Ok(()) => Ok(outage),
            Err(error) => {
                let ended = outage.end(context).await;
                Err(Unbegun { error, ended: Some(ended) })
            }
        }
    }

    /// The run's certbot: its mark, and the name that its container must have.
    pub fn certbot(&self) -> &Certbot {
        &self.certbot
    }

    /// What could not be had of what should start everything again, for the report.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Runs certbot while port 80 is free.
    ///
    /// # Errors
    ///
    /// As [`Certbot::run`].
    pub async fn run(&self, command: Command, context: &Context) -> Result<Output, Failure> {
        self.certbot.run(command, context).await
    }

    /// Everything that must be there before something may be stopped.
    async fn prepare(preflight: &Preflight, wanted: &Wanted, context: &Context) -> Result<Self, Error> {
        let failed = || Error::new(Kind::Failed, format!("stop the site for the renewal of `{}`", wanted.certificate));
        if let Some(refusal) = preflight.refusals.first() {
            return Err(failed().because(format!("{}: {}", refusal.subject, refusal.why)).hint(&refusal.fix));
        }
        for folder in wanted.writable.iter().filter(|folder| folder.exists()) {
            proved(folder).map_err(|error| {
                let shown = folder.display();
                let hint = format!("free some space, or mount it for writing (`df -h {shown}`); nothing was stopped");
                failed().because(format!("`{shown}` cannot be written to: {error}")).hint(hint)
            })?;
        }
        let journal = Journal::open(&wanted.state, &wanted.command, wanted.lock_wait, context).await?;
        if let Some(entry) = journal.read()? {
            return Err(failed()
                .because(format!("`mainstay {}` was cut off and owes a start", entry.command))
                .hint("run `mainstay renew-cert --recover`"));
        }
        unchanged(&preflight.stops, context)
            .await
            .map_err(|why| failed().because(why).hint("run it again: it looks anew"))?;
        if context.cancel.is_raised() {
            return Err(
                Error::new(Kind::Interrupted, failed().what).because("a signal came before anything was stopped")
            );
        }
        let certbot = Certbot::new(&wanted.own);
        let watch = guardian::start(&wanted.own, &wanted.state).await.map_err(|error| {
            failed()
                .because("the guardian, which starts everything again should this run be killed, could not be started")
                .because(error)
        })?;
        let mut entry = Entry::new(certbot.id().to_owned(), &wanted.certificate, &wanted.command, context.clock.now());
        entry.owed = preflight.stops.iter().map(|stop| stop.owed.clone()).collect();
        for stop in &preflight.stops {
            let fresh = stop.probes.iter().filter(|probe| !entry.probes.contains(probe)).copied().collect::<Vec<_>>();
            entry.probes.extend(fresh);
        }
        entry.host.clone_from(&wanted.host);
        entry.container = wanted.engine.clone().map(|engine| Helper { engine, name: certbot.container() });
        entry.lineage = wanted.lineage.clone().filter(links::are_whole);
        entry.engine = engine_variables(context);
        journal.write(&entry)?;
        Ok(Self { journal, entry, watch: Some(watch), certbot, since: None, stopped: Vec::new(), notes: Vec::new() })
    }

    async fn stop(&mut self, stops: &[Stop], context: &Context) -> Result<(), Error> {
        let failed = |title: &str| Error::new(Kind::Failed, format!("stop {title}"));
        let interrupted = || Error::new(Kind::Interrupted, "renew").because("a signal ended the run");
        for stop in stops {
            if let Owed::Container { engine, name, leased: true, .. } = &stop.owed {
                // Until it is put back, the engine starts it after its own restart and after a reboot.
                if let Err(trouble) = Acting::new(context, engine, &[]).restart_policy(name, "always").await {
                    self.notes.push(format!(
                        "`{name}` would not come back by itself after a reboot during the renewal: {trouble}"
                    ));
                }
            }
        }
        for stop in stops {
            if context.cancel.is_raised() {
                return Err(interrupted());
            }
            self.since.get_or_insert_with(Instant::now);
            context.progress.say(&format!("stopping {}", stop.title()));
            match &stop.owed {
                Owed::Container { engine, name, paused, .. } => {
                    let acting = Acting::new(context, engine, &[]);
                    if *paused {
                        acting.unpause(name).await.map_err(|why| failed(&stop.title()).because(why))?;
                    }
                    acting
                        .stop(name, stop.grace)
                        .await
                        .map_err(|why| failed(&stop.title()).because(&why).hint(why.fix()))?;
                }
                Owed::Unit { unit } => {
                    systemd::stop(unit, context).await.map_err(|why| failed(&stop.title()).because(why))?;
                }
            }
            self.stopped.push(stopped(stop));
        }
        let begun = Instant::now();
        while !freed().await {
            if context.cancel.is_raised() {
                return Err(interrupted());
            }
            if begun.elapsed() > FREED {
                let holders = holders(context).await.unwrap_or_default();
                let titles: Vec<String> = holders.iter().map(crate::rules::holder::Holder::title).collect();
                let who = if titles.is_empty() { "something".to_owned() } else { titles.join(" and ") };
                return Err(Error::new(Kind::Failed, "free port 80")
                    .because(format!("{who} still holds it after everything known was stopped"))
                    .hint("see who starts it again (a supervisor, `docker compose up`), or renew by webroot"));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

fn stopped(stop: &Stop) -> Outcome {
    Outcome {
        action: "stop".to_owned(),
        target: stop.owed.name().to_owned(),
        state: Came::Done,
        detail: format!("{}, which {}, was stopped", stop.title(), stop.how),
        fix: None,
    }
}

/// Whether certbot can have the port: nothing listens, and no rule leads to anybody either.
pub(super) async fn freed() -> bool {
    listener::is_free(PORT).unwrap_or(true) && !answers(PORT).await
}

/// What must still hold when it is stopped: it is the same container, and in the same state.
async fn unchanged(stops: &[Stop], context: &Context) -> Result<(), String> {
    for stop in stops {
        let Owed::Container { engine, name, id, paused, .. } = &stop.owed else { continue };
        let found =
            Acting::new(context, engine, &[]).look.inspect(name).await.map_err(|trouble| trouble.to_string())?;
        let state = if *paused { "paused" } else { "running" };
        if found.id != *id {
            return Err(format!("`{name}` was made anew since it was looked at"));
        }
        if found.state != state {
            return Err(format!("`{name}` is {} now, and was {state} when it was looked at", found.state));
        }
    }
    Ok(())
}

/// Writes a little and flushes it: a full or read-only disk says so now, and not when the certificate is to be saved.
fn proved(folder: &Path) -> std::io::Result<()> {
    let mut file = tempfile::tempfile_in(folder)?;
    file.write_all(&[0; 64 << 10])?;
    file.sync_all()
}

/// What chooses the engine, for whoever must find it again with another environment: cron's, or that of a boot.
fn engine_variables(context: &Context) -> Vec<(String, String)> {
    let names =
        ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "CONTAINER_HOST"];
    let given = |name: &str| context.variable(name).map(|value| (name.to_owned(), value.to_owned()));
    names.into_iter().filter_map(given).collect()
}

impl Ended {
    /// Nothing had been stopped.
    pub(super) fn nothing() -> Self {
        Self { back: true, ..Self::default() }
    }
}

impl Outage {
    /// Ends the outage: whatever certbot left is ended, everything is started, for minutes if need be, and proved to be
    /// back; policies are put back and the journal is closed. No signal cuts this short; the second one ends only the watch
    /// over what has already answered.
    pub async fn end(mut self, context: &Context) -> Ended {
        let mut ended = give_back(&self.entry, self.since, &self.journal, context).await;
        ended.outcomes.splice(0..0, std::mem::take(&mut self.stopped));
        if let (true, Some(watch)) = (ended.back, self.watch.take()) {
            watch.dismiss().await;
        }
        // What is not back is left to the guardian, who takes over when this value, and with it the journal's lock, is gone.
        ended
    }
}
