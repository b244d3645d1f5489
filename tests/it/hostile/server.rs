//! A server that means harm: it looks like an Enterprise Manager until it has someone's attention. Raw sockets, since
//! no library would let one send this.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use vemsync::clock::{Clock as _, SystemClock};
use vemsync::timestamp;

/// The token that a good logon gives.
pub const TOKEN: &str = "dG9rZW4tY2FuYXJ5LTc3MTM=";

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Root,
    Logon,
    Query,
    LogOff,
}

/// What comes in place of an answer.
#[derive(Debug, Clone)]
pub enum Harm {
    /// Ten GiB of one letter, compressed.
    GzipBomb,
    /// Chunks for ever.
    EndlessBody,
    /// A byte, a pause, a byte.
    Trickle(Duration),
    /// Headers for ever.
    EndlessHead,
    /// A header that grows by a byte, a pause, a byte.
    TricklingHead(Duration),
    /// A row with 100,000 attributes.
    Attributes,
    /// 100,000 elements, each inside the one before.
    Nested,
    /// A row with a million elements, or a document with as many.
    Tiny,
    /// A row whose message fills the largest body that is taken.
    LongText,
    /// Headers and a body of the test's own.
    Answer { status: &'static str, headers: String, body: String },
}

/// The server. It ends when it is dropped.
pub struct Hostile {
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Hostile {
    /// Does harm at this step, and answers well at all others.
    pub async fn start(at: Step, harm: Harm) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&requests);
        let harm = Arc::new(harm);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, harm) = (Arc::clone(&seen), Arc::clone(&harm));
                connections.spawn(async move {
                    // Whoever is harmed hangs up.
                    let _ = serve(stream, at, &harm, &seen).await;
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

async fn serve(mut stream: TcpStream, at: Step, harm: &Harm, seen: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    seen.lock().expect("no panic").push(head.clone());
    let line = head.lines().next().unwrap_or_default();
    let step = match line {
        line if line.starts_with("POST") => Step::Logon,
        line if line.starts_with("DELETE") => Step::LogOff,
        line if line.contains("/query") => Step::Query,
        _ => Step::Root,
    };
    let kind = line.split("type=").nth(1).and_then(|rest| rest.split(['&', ' ']).next()).unwrap_or("Job");
    if step == at {
        do_harm(&mut stream, step, harm, kind).await?;
    } else {
        let (headers, body) = good(step, kind);
        answer(&mut stream, "200 OK", &headers, body.as_bytes()).await?;
    }
    stream.shutdown().await
}

/// What an Enterprise Manager without a single session says.
pub fn good(step: Step, kind: &str) -> (String, String) {
    match step {
        Step::Root => (String::new(), framed(Step::Root, kind, "")),
        Step::Logon => (
            format!("X-RestSvcSessionId: {TOKEN}\r\nSet-Cookie: X-RestSvcSessionId={TOKEN}; Path=/api\r\n"),
            framed(Step::Logon, kind, ""),
        ),
        Step::Query => (String::new(), framed(Step::Query, kind, "")),
        Step::LogOff => (String::new(), String::new()),
    }
}

/// The document that belongs to a step, with something inside.
fn framed(step: Step, kind: &str, inside: &str) -> String {
    match step {
        Step::Root => format!(
            "<EnterpriseManager><SupportedVersions><SupportedVersion Name=\"v1_7\"/></SupportedVersions>{inside}</EnterpriseManager>"
        ),
        Step::Logon | Step::LogOff => {
            format!("<LogonSession>{inside}<SessionId>11111111-2222-3333-4444-555555555555</SessionId></LogonSession>")
        }
        Step::Query => format!(
            "<QueryResult><Entities><{kind}s>{inside}</{kind}s></Entities><PagingInfo PageNum=\"1\" PageSize=\"500\" PagesCount=\"1\"/></QueryResult>"
        ),
    }
}

async fn answer(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await
}

async fn do_harm(stream: &mut TcpStream, step: Step, harm: &Harm, kind: &str) -> io::Result<()> {
    let headers = good(step, kind).0;
    let begin = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{headers}");
    match harm {
        Harm::GzipBomb => {
            stream.write_all(format!("{begin}Content-Encoding: gzip\r\n\r\n").as_bytes()).await?;
            stream.write_all(&GZIP_HEAD).await?;
            let piece = letters(8 * 1024);
            let piece_expands_to = 258 * 8 * 1024;
            stream.write_all(&first_letter()).await?;
            for _ in 0..(10_usize << 30) / piece_expands_to {
                stream.write_all(&piece).await?;
            }
        }
        Harm::EndlessBody => {
            stream.write_all(format!("{begin}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).await?;
            let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
            loop {
                stream.write_all(chunk.as_bytes()).await?;
            }
        }
        Harm::Trickle(pause) => {
            stream.write_all(format!("{begin}Content-Length: 1000000\r\n\r\n").as_bytes()).await?;
            loop {
                stream.write_all(b" ").await?;
                tokio::time::sleep(*pause).await;
            }
        }
        Harm::EndlessHead => {
            stream.write_all(begin.as_bytes()).await?;
            let line = format!("X-More: {}\r\n", "x".repeat(1000));
            loop {
                stream.write_all(line.as_bytes()).await?;
            }
        }
        Harm::TricklingHead(pause) => {
            stream.write_all(format!("{begin}X-More: ").as_bytes()).await?;
            loop {
                stream.write_all(b"x").await?;
                tokio::time::sleep(*pause).await;
            }
        }
        Harm::Attributes => {
            let attributes: String = (0..100_000).map(|n| format!(" a{n}=\"x\"")).collect();
            send(stream, step, kind, &headers, &format!("<Row{attributes}/>")).await?;
        }
        Harm::Nested => {
            let nested = "<a>".repeat(100_000) + &"</a>".repeat(100_000);
            send(stream, step, kind, &headers, &nested).await?;
        }
        Harm::Tiny => {
            let tiny = "<a>1</a>".repeat(1_000_000);
            let inside = if step == Step::Query { format!("<Row>{tiny}</Row>") } else { tiny };
            send(stream, step, kind, &headers, &inside).await?;
        }
        Harm::LongText => send(stream, step, kind, &headers, &row(kind, (16 << 20) - 2000)).await?,
        Harm::Answer { status, headers, body } => answer(stream, status, headers, body.as_bytes()).await?,
    }
    Ok(())
}

/// A session of today with a message of so many bytes.
fn row(kind: &str, bytes: usize) -> String {
    let uid = uuid::Uuid::from_u128(7);
    let ago = |minutes| timestamp::format(SystemClock.now() - chrono::TimeDelta::minutes(minutes));
    let text = "long ".repeat(bytes / 5);
    format!(
        "<{kind} Type=\"{kind}\" Name=\"n\" UID=\"{uid}\"><CreationTimeUTC>{}</CreationTimeUTC><EndTimeUTC>{}</EndTimeUTC>\
         <State>Stopped</State><FailureMessage>{text}</FailureMessage></{kind}>",
        ago(2),
        ago(1),
    )
}

async fn send(stream: &mut TcpStream, step: Step, kind: &str, headers: &str, inside: &str) -> io::Result<()> {
    answer(stream, "200 OK", headers, framed(step, kind, inside).as_bytes()).await
}

const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// A deflate block's beginning with fixed codes, and one letter; filled up to whole bytes with more letters.
fn first_letter() -> Vec<u8> {
    // Not the last block; fixed codes. Literals below 144 have the codes from 0x30 on, eight bits each.
    let header = [0, 1, 0];
    let literal = code(0x30 + u32::from(b'a'), 8);
    // Three bits and eight are eleven; five literals of nine bits (144 has 0x190) fill them up to seven bytes.
    let nine = code(0x190, 9);
    let bits: Vec<u8> = header.into_iter().chain(literal).chain(nine.iter().copied().cycle().take(45)).collect();
    pack(&bits)
}

/// So many copies of the 258 bytes before, which is the longest copy that deflate has.
fn letters(copies: usize) -> Vec<u8> {
    // Length 258 is symbol 285, whose code is 0xC5; a distance of one is code 0 of five bits.
    let copy: Vec<u8> = code(0xC5, 8).into_iter().chain(code(0, 5)).collect();
    pack(&copy.repeat(copies))
}

/// A Huffman code, its highest bit first.
fn code(value: u32, bits: u32) -> Vec<u8> {
    (0..bits).rev().map(|bit| u8::from(value >> bit & 1 == 1)).collect()
}

/// Bits into bytes, the first one lowest.
fn pack(bits: &[u8]) -> Vec<u8> {
    assert!(bits.len().is_multiple_of(8), "whole bytes");
    bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |value, bit| value << 1 | bit)).collect()
}
