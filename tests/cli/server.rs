//! Servers that misbehave, on loopback. Their threads end with the test program.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

/// What a client gets.
#[derive(Clone, Copy)]
pub enum Behaviour {
    /// The connection is accepted, and that is all.
    Silent,
    /// One byte of nothing that is TLS, every 300 ms.
    Drip,
    /// Text instead of TLS.
    Garbage,
    /// The connection is closed at once.
    Closes,
    /// Proper TLS for `localhost`, then this.
    Tls(Answer),
}

/// What a server with proper TLS answers.
#[derive(Clone, Copy)]
pub enum Answer {
    /// These bytes, then the end.
    Says(&'static str),
    /// A head, then one byte of body every 300 ms.
    Drips,
    /// A head, then bytes without end.
    Floods,
    /// Headers without end.
    FloodsHeaders,
}

/// A server with its own certificate.
pub struct Server {
    pub port: u16,
    /// Its certificate, for `--ca-file`.
    pub pem: String,
}

impl Server {
    pub fn start(behaviour: Behaviour) -> Self {
        Self::named("localhost", behaviour)
    }

    /// With a certificate for this name.
    pub fn named(name: &str, behaviour: Behaviour) -> Self {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions of the provider")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a matching key");
        let config = Arc::new(config);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let config = Arc::clone(&config);
                // The client may go away at any time; that is its right.
                thread::spawn(move || drop(serve(stream, behaviour, config)));
            }
        });
        Self { port, pem: made.cert.pem() }
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }
}

/// A port on which nothing listens.
pub fn closed_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn serve(mut stream: TcpStream, behaviour: Behaviour, config: Arc<ServerConfig>) -> std::io::Result<()> {
    match behaviour {
        Behaviour::Silent => {
            thread::sleep(Duration::from_secs(120));
            Ok(())
        }
        Behaviour::Drip => drip(&mut stream),
        Behaviour::Garbage => stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\nthis is not TLS\r\n"),
        Behaviour::Closes => Ok(()),
        Behaviour::Tls(answer) => {
            let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
            respond(&mut StreamOwned::new(connection, stream), answer)
        }
    }
}

fn respond(stream: &mut (impl Read + Write), answer: Answer) -> std::io::Result<()> {
    let mut request = [0; 4096];
    if stream.read(&mut request)? == 0 {
        return Ok(());
    }
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 10737418240\r\n\r\n";
    match answer {
        Answer::Says(text) => {
            stream.write_all(text.as_bytes())?;
            stream.flush()
        }
        Answer::Drips => {
            stream.write_all(head)?;
            drip(stream)
        }
        Answer::Floods => {
            stream.write_all(head)?;
            let block = vec![b'x'; 1 << 20];
            // 10 GiB, as announced.
            (0..10 << 10).try_for_each(|_| stream.write_all(&block))
        }
        Answer::FloodsHeaders => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            (0..u32::MAX).try_for_each(|number| stream.write_all(format!("X-{number}: {number}\r\n").as_bytes()))
        }
    }
}

fn drip(stream: &mut impl Write) -> std::io::Result<()> {
    loop {
        stream.write_all(b"x")?;
        stream.flush()?;
        thread::sleep(Duration::from_millis(300));
    }
}
