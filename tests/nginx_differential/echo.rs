//! The application: it answers with what it received.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

/// Starts it on a port of its own, for as long as the test process lives.
pub fn start() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    port
}

fn answer(mut stream: TcpStream) {
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    while !received.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(read @ 1..) => received.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    }
    let head =
        format!("HTTP/1.1 200 OK\r\nX-Echo: 1\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", received.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&received));
}
