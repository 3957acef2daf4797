//! A cloud behind TLS whose certificate an authority of one's own has signed, as most clouds of
//! offices have it.
//!
//! The files beside this one were made for it with `openssl`: two authorities, and the key and the
//! certificate of a cloud at 127.0.0.1 that the first of them signed. They hold until 2125 and open
//! nothing else; the authorities' keys were thrown away.
use std::{io, net::SocketAddr};

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
    server::TlsStream,
};

use super::*;

const OWN: &str = include_str!("own.pem");
const OTHER: &str = include_str!("other.pem");

/// Takes connections, and gives on those that trust the certificate.
struct Tls {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, from)) = self.tcp.accept().await else {
                continue;
            };
            // Who does not trust it goes away in the middle of the handshake.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// The stand-in behind TLS, and its port.
async fn behind_tls() -> (Shared, u16) {
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("cloud.key")).unwrap();
    let own = CertificateDer::from_pem_slice(include_bytes!("cloud.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own], key)
        .unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = tcp.local_addr().unwrap().port();
    let listener = Tls {
        tcp,
        acceptor: TlsAcceptor::from(Arc::new(config)),
    };
    let stand = Shared::default();
    {
        let mut stand = stand.lock().unwrap();
        stand.url = format!("https://127.0.0.1:{port}");
        stand.nova = "2.96";
    }
    let app = Router::new().fallback(answer).with_state(stand.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (stand, port)
}

/// The portal's side, which trusts these authorities; the public ones without any.
fn trusting(host: &str, port: u16, ca_pem: Option<&str>) -> OpenStack {
    let config = OpenStackConfig {
        ca_pem: ca_pem.map(str::to_owned),
        ..config(&format!("https://{host}:{port}"))
    };
    opened(config, &Arc::new(AtomicI64::new(1_000_000)))
}

#[tokio::test]
async fn a_cloud_is_spoken_to_that_the_named_authority_signed() {
    let (stand, port) = behind_tls().await;
    for ca_pem in [OWN.to_owned(), format!("{OTHER}{OWN}")] {
        let cloud = trusting("127.0.0.1", port, Some(&ca_pem));
        cloud.health().await.unwrap();
    }
    let cloud = trusting("127.0.0.1", port, Some(OWN));
    match cloud.create_volume(&"a".into(), spec()).await {
        Outcome::Running { .. } | Outcome::Done(_) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(stand.lock().unwrap().volumes.len(), 1);
}

#[tokio::test]
async fn a_cloud_that_nobody_whom_we_trust_signed_hears_no_password() {
    let (stand, port) = behind_tls().await;
    // One that is named takes the place of the public ones, and none of these has signed it either.
    for (host, ca_pem) in [
        ("127.0.0.1", Some(OTHER)),
        ("127.0.0.1", None),
        // Signed, and for another name.
        ("localhost", Some(OWN)),
    ] {
        let cloud = trusting(host, port, ca_pem);
        match cloud.health().await {
            Err(ReadError::Unreachable(why)) if host == "127.0.0.1" => {
                assert!(why.contains("certificate"), "{why}");
            }
            Err(ReadError::Unreachable(_)) => {}
            other => panic!("{host}: {other:?}"),
        }
        // Nothing was sent, so it may be sent again at once.
        let made = trusting(host, port, ca_pem)
            .create_volume(&"a".into(), spec())
            .await;
        assert!(matches!(made, Outcome::Unreachable(_)), "{host}: {made:?}");
    }
    let stand = stand.lock().unwrap();
    assert_eq!((stand.logins, stand.volumes.len()), (0, 0));
}
