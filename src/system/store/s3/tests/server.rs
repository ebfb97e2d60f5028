//! A store on loopback that answers as a test wants, and remembers what it was asked.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// With its query, as it was sent.
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// One answer.
pub enum Reply {
    /// Status, headers, body.
    Say(u16, Vec<(&'static str, String)>, String),
    /// Nothing, with the connection left open.
    Hang,
    /// A body that ends before the length that was promised.
    Half(Vec<(&'static str, String)>, String, usize),
}

/// The server; it ends with the value.
pub struct Server {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The method and what the call is about: `PUT`, `POST uploads`, `PUT part 2`, `DELETE upload`, `GET list`.
    pub fn call(&self) -> String {
        let query = self.path.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let value = |name: &str| {
            let of = |pair: &str| pair.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')).map(str::to_owned);
            query.split('&').find_map(of)
        };
        let about = if query.split('&').any(|pair| pair == "uploads" || pair == "uploads=") {
            "uploads".to_owned()
        } else if let Some(number) = value("partNumber") {
            format!("part {number}")
        } else if value("uploadId").is_some() {
            "upload".to_owned()
        } else if value("list-type").is_some() {
            "list".to_owned()
        } else {
            query
                .split('&')
                .map(|pair| pair.trim_end_matches('='))
                .find(|pair| !pair.starts_with("x-id="))
                .unwrap_or_default()
                .to_owned()
        };
        format!("{} {about}", self.method).trim_end().to_owned()
    }
}

impl Reply {
    pub fn ok() -> Self {
        Self::Say(200, Vec::new(), String::new())
    }

    pub fn with(headers: &[(&'static str, &str)]) -> Self {
        Self::Say(200, headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(), String::new())
    }

    pub fn xml(body: impl Into<String>) -> Self {
        Self::Say(200, vec![("content-type", "application/xml".to_owned())], body.into())
    }

    /// An error as S3 words it.
    pub fn no(status: u16, code: &str, message: &str) -> Self {
        let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
        Self::Say(status, vec![("content-type", "application/xml".to_owned())], body)
    }
}

impl Server {
    /// Starts it; the function is given each request and how many there were before it.
    pub async fn start(answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (all, answer) = (asked.clone(), Arc::new(answer));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, answer.clone(), all.clone()));
            }
        });
        Self { address, asked, task }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn calls(&self) -> Vec<String> {
        self.asked().iter().map(Asked::call).collect()
    }

    /// The first request of this sort.
    pub fn first(&self, call: &str) -> Asked {
        self.asked()
            .into_iter()
            .find(|asked| asked.call() == call)
            .unwrap_or_else(|| panic!("no {call}: {:?}", self.calls()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: Arc<impl Fn(&Asked, usize) -> Reply + Send + Sync>,
    all: Arc<Mutex<Vec<Asked>>>,
) {
    let mut read = Vec::new();
    while let Some(asked) = request(&mut stream, &mut read).await {
        let reply = {
            let mut all = all.lock().unwrap();
            let reply = answer(&asked, all.len());
            all.push(asked.clone());
            reply
        };
        let (status, headers, body, promised) = match reply {
            Reply::Say(status, headers, body) => {
                let length = body.len();
                (status, headers, body, length)
            }
            Reply::Half(headers, body, promised) => (200, headers, body, promised),
            Reply::Hang => return std::future::pending().await,
        };
        let broken = promised != body.len();
        let mut text = format!("HTTP/1.1 {status} Said\r\n");
        for (name, value) in &headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !headers.iter().any(|(name, _)| *name == "content-length") && status != 204 {
            text.push_str(&format!("content-length: {promised}\r\n"));
        }
        text.push_str("\r\n");
        if asked.method != "HEAD" {
            text.push_str(&body);
        }
        if stream.write_all(text.as_bytes()).await.is_err() || broken {
            return;
        }
    }
}

/// Reads one request; `None` at the end of the connection.
async fn request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<Asked> {
    let end = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(read).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    read.drain(..end + 4);
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let header = |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let headers: BTreeMap<String, String> = lines.filter_map(header).collect();
    if headers.contains_key("expect") {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
    }
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    while read.len() < length {
        if stream.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
    let body = read.drain(..length).collect();
    Some(Asked { method, path, headers, body })
}
