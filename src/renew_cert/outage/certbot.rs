//! certbot as it is run here: in a session of its own that ends with this process, found again by its mark.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::system::{
    Context,
    docker::{Acting, Trouble},
    process::{Command, Failure, Output, session},
    program,
    state::Helper,
};

/// How long it may take to end in order after a signal.
const GRACE: Duration = Duration::from_secs(2);

/// One run's certbot, in whatever form: a program, a container, a script around one.
#[derive(Clone, Debug)]
pub struct Certbot {
    id: String,
    own: PathBuf,
}

impl Certbot {
    /// A run with a mark that no other has. `own` is our own program, which holds the leash.
    pub fn new(own: &Path) -> Self {
        let id = uuid::Uuid::new_v4().simple().to_string()[..12].to_owned();
        Self { id, own: own.to_owned() }
    }

    /// The mark of the run.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name that certbot's container must get (`docker run --name …`): by it the container is removed in every
    /// clean-up, for it outlives the client that started it.
    pub fn container(&self) -> String {
        container(&self.id)
    }

    /// Runs it. A signal, and its own deadline, end the whole session: TERM, and KILL two seconds later.
    ///
    /// # Errors
    ///
    /// [`Failure::Cancelled`] after a signal; else as every command.
    pub async fn run(&self, command: Command, context: &Context) -> Result<Output, Failure> {
        if context.cancel.is_raised() {
            return Err(Failure::Cancelled);
        }
        let program = command.program.to_string_lossy().into_owned();
        let command = Command { program: program::reachable(&program, context).into(), ..command };
        let work = context.runner.run(session::leashed(&self.own, &self.id, command));
        tokio::pin!(work);
        let answer = tokio::select! {
            biased;
            answer = &mut work => answer,
            () = context.cancel.raised(1) => {
                session::terminate(&self.id);
                let _ = tokio::time::timeout(GRACE, work).await;
                return Err(Failure::Cancelled);
            }
        };
        match answer {
            // So says the leash of a program that is not there.
            Ok(output) if output.code == Some(127) && output.complaint().starts_with(session::NO_PROGRAM) => {
                Err(Failure::Missing(program))
            }
            answer => answer,
        }
    }

    /// Ends whatever is left of it: its processes, and its container where it has one.
    ///
    /// # Errors
    ///
    /// Why its container may still be there.
    pub async fn clear(&self, engine: Option<&str>, context: &Context) -> Result<(), Trouble> {
        let helper = engine.map(|engine| Helper { engine: engine.to_owned(), name: self.container() });
        clear(&self.id, helper.as_ref(), &[], context).await
    }
}

/// Ends what is left of a run. The container first: to end its client would only detach from it.
pub(super) async fn clear(
    id: &str,
    helper: Option<&Helper>,
    variables: &[(String, String)],
    context: &Context,
) -> Result<(), Trouble> {
    let removed = match helper {
        Some(helper) => {
            // Both ends of the race with a client that is only about to make it: before the client is gone, and after.
            let engine = Acting::new(context, &helper.engine, variables);
            let first = engine.remove(&helper.name).await;
            session::end(id).await;
            first.and(engine.remove(&helper.name).await).map(drop)
        }
        None => {
            session::end(id).await;
            Ok(())
        }
    };
    // An engine that is not there has no container either.
    match removed {
        Err(Trouble::Absent) => Ok(()),
        answer => answer,
    }
}

fn container(id: &str) -> String {
    format!("mainstay-certbot-{id}")
}
