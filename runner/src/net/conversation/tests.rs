//! Real sockets on loopback; every peer is a task of the test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_rustls::TlsAcceptor;

use super::*;

const SOON: Duration = Duration::from_secs(5);
const NOW: Duration = Duration::from_millis(20);

fn peer(address: SocketAddr, transport: Transport) -> Peer {
    Peer {
        endpoint: Endpoint::new(address, transport),
        target: "localhost".into(),
        source: SourceBinding::default(),
        reply_from: ReplyFrom::SamePort,
        roots: Arc::new(Roots::default()),
    }
}

async fn listener() -> (TcpListener, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    (listener, peer(address, Transport::Tcp))
}

/// A conversation and the server's end of it.
async fn pair() -> (Conversation, TcpStream) {
    let (listener, peer) = listener().await;
    let (ours, theirs) = tokio::join!(peer.connect(SOON), listener.accept());
    (ours.expect("connected"), theirs.expect("accepted").0)
}

#[tokio::test]
async fn bytes_go_both_ways_and_the_end_of_the_stream_is_closed() {
    let (mut ours, mut theirs) = pair().await;
    ours.send(b"ping", SOON).await.expect("sent");
    let mut got = [0; 4];
    theirs.read_exact(&mut got).await.expect("read");
    theirs.write_all(b"pong").await.expect("written");
    drop(theirs);
    assert_eq!(ours.receive(2, SOON).await, Ok(b"po".to_vec()));
    assert_eq!(ours.receive(100, SOON).await, Ok(b"ng".to_vec()));
    assert_eq!(ours.receive(100, SOON).await, Err(TalkError::Closed));
}

#[tokio::test]
async fn silence_times_out_and_the_conversation_goes_on() {
    let (mut ours, mut theirs) = pair().await;
    assert_eq!(ours.receive(1, NOW).await, Err(TalkError::TimedOut));
    theirs.write_all(b"late").await.expect("written");
    assert_eq!(ours.receive(10, SOON).await, Ok(b"late".to_vec()));
}

#[tokio::test]
async fn after_finish_the_peer_sees_the_end_and_can_still_answer() {
    let (mut ours, mut theirs) = pair().await;
    ours.finish(SOON).await.expect("finished");
    assert_eq!(theirs.read(&mut [0; 1]).await.expect("the end"), 0);
    theirs.write_all(b"bye").await.expect("written");
    assert_eq!(ours.receive(10, SOON).await, Ok(b"bye".to_vec()));
    assert_eq!(ours.send(b"more", SOON).await, Err(TalkError::Closed));
}

#[tokio::test]
async fn a_reset_is_a_reset() {
    let (mut ours, theirs) = pair().await;
    socket2::SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).expect("set");
    drop(theirs);
    assert_eq!(ours.receive(1, SOON).await, Err(TalkError::Reset));
}

#[tokio::test]
async fn a_refused_connection_is_refused() {
    let (listener, peer) = listener().await;
    drop(listener);
    assert_eq!(peer.connect(SOON).await.err(), Some(TalkError::Refused));
}

#[tokio::test]
async fn an_adopted_connection_is_the_one_connection_that_the_server_sees() {
    let (listener, peer) = listener().await;
    let prober = std::net::TcpStream::connect(peer.endpoint.socket).expect("connected");
    let local = prober.local_addr().expect("bound");
    let mut ours = peer.adopt(prober.into()).expect("adopted");
    let (mut theirs, from) = listener.accept().await.expect("accepted");
    assert_eq!(from, local);
    ours.send(b"x", SOON).await.expect("sent");
    drop(ours);
    let mut all = Vec::new();
    theirs.read_to_end(&mut all).await.expect("FIN, not RST");
    assert_eq!(all, b"x");
}

#[tokio::test]
async fn a_connection_that_nobody_takes_over_is_reset() {
    let (listener, peer) = listener().await;
    let prober = std::net::TcpStream::connect(peer.endpoint.socket).expect("connected");
    let (mut theirs, _) = listener.accept().await.expect("accepted");
    drop(crate::net::Connected::from(prober));
    let read = theirs.read(&mut [0; 1]).await;
    assert_eq!(read.err().map(|e| e.kind()), Some(std::io::ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn dropping_with_unread_bytes_still_ends_with_fin() {
    let (ours, mut theirs) = pair().await;
    theirs.write_all(&[7; 40_000]).await.expect("written");
    drop(ours);
    assert_eq!(theirs.read(&mut [0; 1]).await.expect("FIN"), 0);
    theirs.write_all(b"a last word").await.expect("taken in while lingering");
    theirs.shutdown().await.expect("no reset came in between");
}

#[tokio::test]
async fn a_closed_udp_port_refuses() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
    let address = socket.local_addr().expect("bound");
    drop(socket);
    for reply_from in [ReplyFrom::SamePort, ReplyFrom::AnyPort] {
        let peer = Peer { reply_from, ..peer(address, Transport::Udp) };
        let mut ours = peer.connect(SOON).await.expect("a socket");
        ours.send(b"x", SOON).await.expect("sent");
        assert_eq!(ours.receive(1, SOON).await, Err(TalkError::Refused), "{reply_from:?}");
    }
}

/// Asks a peer that answers from its own port and from another one.
async fn ask_two_ports(reply_from: ReplyFrom) -> (Conversation, u16, u16) {
    let (asked, other) =
        (UdpSocket::bind("127.0.0.1:0").await, UdpSocket::bind("127.0.0.1:0").await);
    let (asked, other) = (asked.expect("loopback"), other.expect("loopback"));
    let address = asked.local_addr().expect("bound");
    let peer = Peer { reply_from, ..peer(address, Transport::Udp) };
    let mut ours = peer.connect(SOON).await.expect("a socket");
    ours.send(b"?", SOON).await.expect("sent");
    let (_, from) = asked.recv_from(&mut [0; 9]).await.expect("asked");
    other.send_to(b"other", from).await.expect("sent");
    asked.send_to(b"same", from).await.expect("sent");
    (ours, address.port(), other.local_addr().expect("bound").port())
}

#[tokio::test]
async fn other_ports_are_heard_only_when_the_metadata_says_so() {
    let (mut ours, _, other) = ask_two_ports(ReplyFrom::AnyPort).await;
    let datagram = ours.receive_from(100, SOON).await.expect("the other port's");
    assert_eq!((datagram.bytes.as_slice(), datagram.port), (b"other".as_slice(), other));

    let (mut ours, same, _) = ask_two_ports(ReplyFrom::SamePort).await;
    let datagram = ours.receive_from(100, SOON).await.expect("the same port's");
    assert_eq!((datagram.bytes.as_slice(), datagram.port), (b"same".as_slice(), same));
}

#[tokio::test]
async fn receive_skips_other_ports_even_where_they_are_heard() {
    let (mut ours, ..) = ask_two_ports(ReplyFrom::AnyPort).await;
    assert_eq!(ours.receive(2, SOON).await, Ok(b"sa".to_vec()));
}

#[tokio::test]
async fn calls_that_do_not_fit_the_transport_say_so() {
    let (mut tcp, _theirs) = pair().await;
    assert!(matches!(tcp.receive_from(1, NOW).await, Err(TalkError::Unsupported(_))));
    let mut udp = peer("127.0.0.1:9".parse().expect("address"), Transport::Udp)
        .connect(SOON)
        .await
        .expect("a socket");
    assert!(matches!(udp.finish(NOW).await, Err(TalkError::Unsupported(_))));
    assert!(matches!(
        udp.start_tls(TlsOptions::default(), NOW).await,
        Err(TalkError::Unsupported(_))
    ));
}

/// An authority of the test, and what it can issue.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn named(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        Authority(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// Roots that trust this authority.
    fn roots(&self) -> (tempfile::NamedTempFile, Arc<Roots>) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(&file, self.0.pem()).expect("written");
        let roots = Arc::new(Roots::with_extra(Some(file.path().to_owned())));
        (file, roots)
    }

    fn issue(&self, name: &str, years: (i32, i32)) -> ServerConfig {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a pair");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }
}

/// Upgrades against a server with `config`, says `hello` and returns what the
/// server's read of the end was.
async fn upgrade(
    config: ServerConfig,
    roots: Arc<Roots>,
    options: TlsOptions,
) -> (TlsSession, std::io::Result<usize>) {
    let (listener, peer) = listener().await;
    let server = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.expect("accepted");
        let mut tls = TlsAcceptor::from(Arc::new(config)).accept(tcp).await.expect("handshake");
        let mut hello = [0; 5];
        tls.read_exact(&mut hello).await.expect("hello");
        tls.write_all(&hello).await.expect("echoed");
        tls.read(&mut [0; 1]).await
    });
    let mut ours = Peer { roots, ..peer }.connect(SOON).await.expect("connected");
    let session = ours.start_tls(options, SOON).await.expect("upgraded");
    ours.send(b"hello", SOON).await.expect("sent");
    assert_eq!(ours.receive(5, SOON).await, Ok(b"hello".to_vec()));
    assert!(matches!(
        ours.start_tls(TlsOptions::default(), SOON).await,
        Err(TalkError::Unsupported(_))
    ));
    drop(ours);
    (session, server.await.expect("no panic"))
}

#[tokio::test]
async fn a_certificate_of_a_known_authority_is_trusted_and_the_end_is_orderly() {
    let authority = Authority::named("test authority");
    let (_file, roots) = authority.roots();
    let options = TlsOptions { server_name: None, alpn: vec!["http/1.1".to_owned()] };
    let (session, end) = upgrade(authority.issue("localhost", (2020, 4000)), roots, options).await;
    assert_eq!(session.trust, Trust::Trusted);
    assert_eq!(session.version, "TLSv1.3");
    assert!(session.cipher.starts_with("TLS_"), "{}", session.cipher);
    assert_eq!(session.alpn.as_deref(), Some("http/1.1"));
    assert_eq!(session.certificates[0].names, ["localhost"]);
    assert!(!session.certificates[0].self_signed);
    // Without close_notify rustls reports an unexpected end.
    assert_eq!(end.expect("close_notify"), 0);
}

#[tokio::test]
async fn bad_certificates_complete_the_handshake_and_say_why_they_are_bad() {
    let authority = Authority::named("test authority");
    let (_file, roots) = authority.roots();
    let cases = [
        (authority.issue("localhost", (2001, 2002)), roots.clone(), "expired on 2002-01-01"),
        (authority.issue("localhost", (3999, 4000)), roots.clone(), "not valid before 3999-01-01"),
        (authority.issue("other.example", (2020, 4000)), roots.clone(), "not valid for localhost"),
        (
            Authority::named("stranger").issue("localhost", (2020, 4000)),
            roots,
            "issued by an authority that this machine does not know",
        ),
    ];
    for (config, roots, why) in cases {
        let (session, _) = upgrade(config, roots, TlsOptions::default()).await;
        assert_eq!(session.trust, Trust::Untrusted(why.to_owned()));
    }
}

#[tokio::test]
async fn the_name_that_the_plugin_gives_is_the_name_that_is_verified() {
    let authority = Authority::named("test authority");
    let (_file, roots) = authority.roots();
    let options = TlsOptions { server_name: Some("other.example".to_owned()), alpn: Vec::new() };
    let (session, _) =
        upgrade(authority.issue("other.example", (2020, 4000)), roots, options).await;
    assert_eq!(session.trust, Trust::Trusted);
}

#[tokio::test]
async fn a_peer_that_speaks_no_tls_fails_the_handshake_and_ends_the_conversation() {
    let (mut ours, mut theirs) = pair().await;
    theirs.write_all(b"220 mail.example ESMTP\r\n").await.expect("written");
    assert!(matches!(ours.start_tls(TlsOptions::default(), SOON).await, Err(TalkError::Tls(_))));
    assert_eq!(ours.send(b"x", SOON).await, Err(TalkError::Closed));
}

#[tokio::test]
async fn a_handshake_that_never_ends_times_out() {
    let (mut ours, _theirs) = pair().await;
    let outcome = ours.start_tls(TlsOptions::default(), NOW).await;
    assert_eq!(outcome.err(), Some(TalkError::TimedOut));
}
