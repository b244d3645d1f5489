//! What installs and supervises the program, as far as it can be looked at without a supervisor.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::support::program::{Ended, Place, run};

/// Asks one that gives this answer; returns what it was asked, too.
async fn ask(answer: &'static str, arguments: &[&str]) -> (Ended, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let asked = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut asked = [0; 1024];
        let length = stream.read(&mut asked).expect("a request");
        stream.write_all(answer.as_bytes()).expect("room");
        String::from_utf8_lossy(&asked[..length]).into_owned()
    });
    let place = Place::new("demo");
    let mut command = place.command(&[&["health"], arguments].concat());
    // As in the container, where the address to listen on is every one.
    command.env("VEMSYNC_LISTEN", address.replace("127.0.0.1", "0.0.0.0")).env("VEMSYNC_PUBLIC", "true");
    let ended = run(command).await;
    // Where it did not ask, somebody has to.
    drop(TcpStream::connect(address));
    (ended, asked.join().expect("no panic"))
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_yes_only_where_the_daemon_does() {
    let (ended, asked) = ask("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n", &[]).await;
    assert_eq!((ended.status, ended.out.as_str()), (Some(0), "ok\n"), "{ended:?}");
    assert!(asked.starts_with("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:"), "{asked}");

    let (ended, asked) = ask("HTTP/1.1 503 Service Unavailable\r\n\r\nnot ready\nno database\n", &["--ready"]).await;
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(
        ended.err.contains("/readyz answers HTTP/1.1 503 Service Unavailable: not ready; no database"),
        "{}",
        ended.err
    );
    assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    assert!(asked.starts_with("GET /readyz "), "{asked}");

    for garbage in ["", "200", "HTTP/1.1 404 Not Found\r\n\r\n", "SSH-2.0-OpenSSH_9.2 200\r\n"] {
        let (ended, _) = ask(garbage, &[]).await;
        assert_eq!(ended.status, Some(1), "{garbage}: {ended:?}");
    }
    let nobody = run(Place::new("demo").command(&["health", "--listen", "127.0.0.1:9"])).await;
    assert_eq!(nobody.status, Some(1), "{nobody:?}");
    assert!(nobody.err.contains("cannot ask 127.0.0.1:9"), "{}", nobody.err);
}
