//! The binary: parse, build the runtime and the real context, run, exit code: nothing else.

use std::process::ExitCode;

use mainstay::{cli, system::Context};

#[expect(clippy::disallowed_methods, reason = "main is where the world enters: environment and folder")]
fn main() -> ExitCode {
    let environment = std::env::vars_os().collect();
    let folder = std::env::current_dir().unwrap_or_else(|_| ".".into());
    let context = Context::real(environment, folder);
    let arguments = std::env::args_os().collect();
    let run = std::panic::AssertUnwindSafe(|| {
        // One thread is enough for work that waits, and it starts and ends at once.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let code = runtime.block_on(cli::run(arguments, context));
        // A name that is still being looked up must not keep the answer back.
        runtime.shutdown_background();
        Ok::<u8, std::io::Error>(code)
    });
    cli::report_bugs();
    match std::panic::catch_unwind(run) {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(error)) => cli::no_runtime(&error),
        Err(_) => ExitCode::from(cli::exit::BUG),
    }
}
