//! A signal ends a run at once, with the code that the shell expects.

use std::{thread, time::Duration};

use rustix::process::{Signal, kill_process};

use crate::{
    program::{Running, World},
    server::{Behaviour, Server},
};

#[test]
fn a_signal_ends_a_check_that_waits_for_a_silent_server() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129), (Signal::QUIT, 131)] {
        let server = Server::start(Behaviour::Silent);
        let world = World::new();
        world
            .file("mainstay.toml", format!("[site.silent]\nurl = '{}'\nhttp = false\ntimeout = '50s'\n", server.url()));
        let running = Running::start(&mut world.command(&["check"]));
        // Long enough to be in the middle of the handshake.
        thread::sleep(Duration::from_millis(500));
        kill_process(running.id(), signal).expect("a child of ours");
        let run = running.finish();
        assert_eq!((run.code, run.signal), (Some(code), None), "{signal:?}: {run}");
        assert!(run.took < Duration::from_secs(3), "{signal:?} took {:?}: {run}", run.took);
        assert!(run.stdout.is_empty(), "a run that was cut short has no result: {run}");
    }
}
