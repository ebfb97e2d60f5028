//! A web server on loopback that keeps what is posted to it, and answers as a test wants it to.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::Value;

/// What is answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    Fine,
    /// The request is read, and that is all.
    Hangs,
    Moved,
    Wrong,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Post {
    /// The method and path: `POST /hook`.
    pub what: String,
    pub body: String,
}

pub struct Hook {
    pub port: u16,
    answer: Arc<Mutex<Answer>>,
    posts: Arc<Mutex<Vec<Post>>>,
}

impl Hook {
    pub fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let (answer, posts) = (Arc::new(Mutex::new(answer)), Arc::default());
        let hook = Self { port, answer: Arc::clone(&answer), posts: Arc::clone(&posts) };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, posts) = (Arc::clone(&answer), Arc::clone(&posts));
                // The client may go away at any time; that is its right.
                thread::spawn(move || serve(stream, &answer, &posts));
            }
        });
        hook
    }

    pub fn answers(&self, answer: Answer) {
        *self.answer.lock().expect("nobody panics") = answer;
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What has been posted since the last look.
    pub fn taken(&self) -> Vec<Post> {
        std::mem::take(&mut *self.posts.lock().expect("nobody panics"))
    }

    /// The texts of messages since the last look.
    pub fn texts(&self) -> Vec<String> {
        let text = |post: &Post| -> String {
            let body: Value = serde_json::from_str(&post.body).expect("JSON");
            body["text"].as_str().expect("a text").to_owned()
        };
        self.taken().iter().map(text).collect()
    }
}

fn serve(stream: TcpStream, answer: &Mutex<Answer>, posts: &Mutex<Vec<Post>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        length = line.strip_prefix("content-length: ").and_then(|text| text.parse().ok()).unwrap_or(length);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let what = first.trim().trim_end_matches(" HTTP/1.1").to_owned();
    posts.lock().ok()?.push(Post { what, body: String::from_utf8(body).ok()? });
    let answer = *answer.lock().ok()?;
    let head = match answer {
        Answer::Fine => "200 OK\r\nContent-Length: 2\r\n\r\nok",
        Answer::Hangs => {
            thread::sleep(Duration::from_secs(60));
            return None;
        }
        Answer::Moved => "302 Found\r\nLocation: http://127.0.0.1:1/elsewhere\r\nContent-Length: 0\r\n\r\n",
        Answer::Wrong => "500 Oops\r\nContent-Length: 10\r\n\r\nout of tea",
    };
    (&stream).write_all(format!("HTTP/1.1 {head}").as_bytes()).ok()
}
