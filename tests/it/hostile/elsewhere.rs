//! A source that points elsewhere with all it has: links, paging, cookies, headers. And the place it points to.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Counts who comes, and says nothing.
pub struct Sink {
    pub address: String,
    visits: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl Sink {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let visits: Arc<AtomicUsize> = Arc::default();
        let counter = Arc::clone(&visits);
        let mut task = JoinSet::new();
        task.spawn(async move {
            while listener.accept().await.is_ok() {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { address, visits, _task: task }
    }

    pub fn visits(&self) -> usize {
        self.visits.load(Ordering::Relaxed)
    }
}

/// Stands before a source and lets everything in its answers name the sink.
pub struct Misleading {
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Misleading {
    pub async fn start(source: &str, sink: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&requests);
        let (source, sink) = (source.trim_start_matches("http://").to_owned(), sink.to_owned());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (source, sink, seen) = (source.clone(), sink.clone(), Arc::clone(&seen));
                connections.spawn(async move {
                    // Either side may hang up.
                    let _ = mislead(stream, &source, &sink, &seen).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self { url, requests, _tasks: tasks }
    }

    /// The heads of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").clone()
    }
}

/// One request and its answer.
async fn mislead(mut client: TcpStream, source: &str, sink: &str, seen: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    seen.lock().expect("no panic").push(head.clone());
    let mut server = TcpStream::connect(source).await?;
    server.write_all(head.replacen("\r\n", "\r\nConnection: close\r\n", 1).as_bytes()).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let mut body = body.to_owned();
    for host in ["https://localhost:9398", "https://em-01.corp.example:9398", "https://10.20.30.9:9398"] {
        body = body.replace(host, &format!("http://{sink}"));
    }
    let mut lines: Vec<String> = head
        .lines()
        .filter(|line| {
            let line = line.to_ascii_lowercase();
            !line.starts_with("content-length:") && !line.starts_with("connection:")
        })
        .map(str::to_owned)
        .collect();
    lines.extend([
        format!("Content-Length: {}", body.len()),
        "Connection: close".to_owned(),
        "Set-Cookie: stolen=yes; Domain=127.0.0.1; Path=/".to_owned(),
        format!("Location: http://{sink}/api/"),
        format!("Content-Location: http://{sink}/api/"),
        format!("Refresh: 0; url=http://{sink}/api/"),
        format!("Link: <http://{sink}/api/query>; rel=\"next\""),
        format!("Alt-Svc: http/1.1=\"{sink}\""),
    ]);
    client.write_all(format!("{}\r\n\r\n{body}", lines.join("\r\n")).as_bytes()).await?;
    client.shutdown().await
}
