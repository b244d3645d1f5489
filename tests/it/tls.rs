//! Whom the client believes: authorities, a fingerprint, or nobody, with a line that says what was seen.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::Digest as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use vemsync::config::ManagerSettings;
use vemsync::em;
use vemsync::simulator::{FleetOptions, Options, Simulator, World};
use vemsync::sync::Error;

use crate::support::database::Database;
use crate::support::world::{connect, manager_at, start};

/// Accepts TLS connections, and forgets those whose handshake fails.
struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, peer)) = self.tcp.accept().await else { continue };
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

/// A simulator with a self-signed certificate for this name; its fingerprint and its PEM.
async fn simulate(name: &str) -> (Simulator, [u8; 32], String) {
    simulate_as(name, IsCa::NoCa).await
}

async fn simulate_as(name: &str, is_ca: IsCa) -> (Simulator, [u8; 32], String) {
    let mut parameters = CertificateParams::new([name.to_owned()]).expect("a name");
    parameters.is_ca = is_ca;
    let signing_key = KeyPair::generate().expect("a key");
    let cert = parameters.self_signed(&signing_key).expect("a certificate");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a configuration");
    let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://localhost:{}", tcp.local_addr().expect("an address").port());
    let listener = TlsListener { tcp, acceptor: TlsAcceptor::from(Arc::new(config)) };
    let world = World::fleet(51, &FleetOptions::small(start()));
    let simulator = Simulator::start_on(world, Options::frozen(start()), listener, url);
    (simulator, sha2::Sha256::digest(cert.der()).into(), cert.pem())
}

async fn outcome(settings: &ManagerSettings) -> Result<(), Error> {
    let store = Database::sqlite().open().await;
    let connected = connect(settings, store).await;
    if let Ok(syncer) = &connected {
        syncer.log_off().await;
    }
    connect_result(connected)
}

fn connect_result<T>(connected: Result<T, Error>) -> Result<(), Error> {
    connected.map(drop)
}

#[tokio::test]
async fn a_certificate_is_believed_for_a_reason_or_not_at_all() {
    let (simulator, fingerprint, pem) = simulate("localhost").await;
    let folder = tempfile::tempdir().expect("a folder");
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, pem).expect("a file");
    let settings = || manager_at(simulator.url());

    let refused = outcome(&settings()).await.expect_err("nobody vouches for it");
    let Error::Source(em::Error::Untrusted { fingerprint: seen, .. }) = &refused else { panic!("{refused:?}") };
    let hex: String = fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(*seen, hex);
    let line = refused.to_string();
    for way in ["--ca-file", "--certificate-sha256", "certificate store"] {
        assert!(line.contains(way), "{line}");
    }
    assert_eq!(simulator.requests().len(), 0, "something was sent before the certificate was believed");

    outcome(&ManagerSettings { ca_file: Some(ca_file), ..settings() }).await.expect("its authority is known");
    outcome(&ManagerSettings { certificate_sha256: vec![[7; 32], fingerprint], ..settings() })
        .await
        .expect("it is the one");
    outcome(&ManagerSettings { insecure: true, ..settings() }).await.expect("anything goes");
    let other = outcome(&ManagerSettings { certificate_sha256: vec![[7; 32]], ..settings() }).await;
    assert!(matches!(other, Err(Error::Source(em::Error::NotPinned { .. }))), "{other:?}");
}

#[tokio::test]
async fn a_fingerprint_outranks_the_name_and_an_authority_does_not() {
    let (simulator, fingerprint, pem) = simulate("em.example.org").await;
    let folder = tempfile::tempdir().expect("a folder");
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, pem).expect("a file");
    let settings = || manager_at(simulator.url());
    let named = outcome(&ManagerSettings { ca_file: Some(ca_file), ..settings() }).await;
    assert!(matches!(named, Err(Error::Source(em::Error::Untrusted { .. }))), "{named:?}");
    outcome(&ManagerSettings { certificate_sha256: vec![fingerprint], ..settings() }).await.expect("it is the one");
}

#[tokio::test]
async fn a_certificate_that_is_its_own_authority_can_be_given_as_one() {
    let (simulator, _, pem) = simulate_as("localhost", IsCa::Ca(BasicConstraints::Unconstrained)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, pem).expect("a file");
    outcome(&ManagerSettings { ca_file: Some(ca_file), ..manager_at(simulator.url()) }).await.expect("it is the one");
}
