//! A server that others wrote, on a free port of loopback for the time of one test: for the tests of the library and for
//! those of the binary.

#![expect(clippy::disallowed_methods, reason = "it is started here, and ended by its process")]

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

/// The server; it ends with the value.
pub struct Listening {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Listening {
    /// Starts a program that `tell` tells its port, and waits until it listens.
    ///
    /// # Errors
    ///
    /// Why it cannot be had here: it is not installed.
    pub fn start(program: &str, tell: impl Fn(&mut Command, u16)) -> Result<Self, String> {
        // It cannot be given a listening socket; should another take the port meanwhile, the next one is tried.
        for _ in 0..5 {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
            let address = listener.local_addr().expect("its address");
            drop(listener);
            let mut command = Command::new(program);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            tell(&mut command, address.port());
            let mut child = command.spawn().map_err(|error| format!("no {program}: {error}"))?;
            // Whatever the machine does beside: it listens, or it ends.
            while child.try_wait().expect("a child of ours").is_none() {
                if TcpStream::connect(address).is_ok() {
                    return Ok(Self { child, address });
                }
                thread::sleep(Duration::from_millis(50));
            }
        }
        panic!("{program} does not start");
    }

    /// moto, which plays Amazon, with what `more` wants for it.
    ///
    /// # Errors
    ///
    /// It is not installed.
    pub fn moto(more: impl Fn(&mut Command)) -> Result<Self, String> {
        Self::start("moto_server", |command, port| {
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            more(command);
        })
    }

    /// Kills it: every connection breaks.
    pub fn kill(&mut self) {
        // One that has ended by itself is no trouble here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.kill();
    }
}
