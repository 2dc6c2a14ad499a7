use std::net::SocketAddr;
use std::time::Duration;

use rustls::ClientConnection;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::{Peer, TalkError};

/// How long a closed connection may still take bytes from the peer.
///
/// The kernel answers bytes that arrive after close(2) with RST, which servers
/// log as an error. A server that was told the end answers within a round trip.
const LINGER: Duration = Duration::from_millis(250);

/// Most bytes that are read and thrown away while closing.
const MAX_LINGER_BYTES: usize = 1024 * 1024;

/// A TCP connection, in the clear or under TLS.
pub(super) struct Stream {
    layer: Layer,
    /// Our direction is shut.
    finished: bool,
}

pub(super) enum Layer {
    Clear(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
    /// A TLS handshake failed half way, or the stream was closed.
    Gone,
}

impl Stream {
    pub(super) async fn connect(peer: &Peer, wait: Duration) -> Result<Stream, TalkError> {
        let address = peer.endpoint.socket;
        let socket = match address {
            SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4(),
            SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6(),
        }?;
        peer.source.apply(&SockRef::from(&socket), address)?;
        let tcp =
            timeout(wait, socket.connect(address)).await.map_err(|_| TalkError::TimedOut)??;
        // A check writes whole messages; waiting for more only costs time.
        let _ = tcp.set_nodelay(true);
        Ok(Stream { layer: Layer::Clear(tcp), finished: false })
    }

    /// Goes on with a non-blocking stream.
    pub(super) fn adopt(tcp: std::net::TcpStream) -> Result<Stream, TalkError> {
        let _ = tcp.set_nodelay(true);
        let tcp = TcpStream::from_std(tcp)?;
        Ok(Stream { layer: Layer::Clear(tcp), finished: false })
    }

    /// The port that it leaves from; asked before the stream becomes TLS.
    pub(super) fn local_port(&self) -> u16 {
        match &self.layer {
            Layer::Clear(tcp) => tcp.local_addr().map_or(0, |address| address.port()),
            _ => 0,
        }
    }

    pub(super) async fn send(&mut self, bytes: &[u8], wait: Duration) -> Result<(), TalkError> {
        if self.finished {
            return Err(TalkError::Closed);
        }
        let secure = matches!(self.layer, Layer::Secure(_));
        let all = async {
            let io = self.layer.io()?;
            io.write_all(bytes).await.map_err(|e| classify(secure, e))?;
            io.flush().await.map_err(|e| classify(secure, e))
        };
        timeout(wait, all).await.map_err(|_| TalkError::TimedOut)?
    }

    pub(super) async fn receive(
        &mut self,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<u8>, TalkError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let secure = matches!(self.layer, Layer::Secure(_));
        let io = self.layer.io()?;
        // Grows with what arrives, not with what the guest asks for.
        let mut bytes = Vec::with_capacity(max.min(4096));
        let mut limited = io.take(max as u64);
        let read =
            timeout(wait, limited.read_buf(&mut bytes)).await.map_err(|_| TalkError::TimedOut)?;
        match read.map_err(|e| classify(secure, e))? {
            0 => Err(TalkError::Closed),
            _ => Ok(bytes),
        }
    }

    pub(super) async fn finish(&mut self, wait: Duration) -> Result<(), TalkError> {
        if std::mem::replace(&mut self.finished, true) {
            return Ok(());
        }
        let io = self.layer.io()?;
        timeout(wait, io.shutdown())
            .await
            .map_err(|_| TalkError::TimedOut)?
            .map_err(TalkError::from)
    }

    /// Takes the clear connection out for a TLS handshake.
    pub(super) fn take_clear(&mut self) -> Result<TcpStream, TalkError> {
        if self.finished {
            return Err(TalkError::Unsupported("start-tls after finish"));
        }
        match std::mem::replace(&mut self.layer, Layer::Gone) {
            Layer::Clear(tcp) => Ok(tcp),
            other => {
                self.layer = other;
                Err(TalkError::Unsupported("TLS was started already"))
            }
        }
    }

    pub(super) fn set_secure(&mut self, tls: TlsStream<TcpStream>) {
        self.layer = Layer::Secure(Box::new(tls));
    }
}

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

impl Layer {
    fn io(&mut self) -> Result<&mut dyn Io, TalkError> {
        match self {
            Layer::Clear(tcp) => Ok(tcp),
            Layer::Secure(tls) => Ok(tls),
            Layer::Gone => Err(TalkError::Closed),
        }
    }
}

/// rustls reports its own errors as `InvalidData`; the rest is the socket's.
pub(super) fn classify(secure: bool, error: std::io::Error) -> TalkError {
    match error.kind() {
        std::io::ErrorKind::InvalidData if secure => TalkError::Tls(error.to_string()),
        _ => TalkError::from(error),
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let tcp = match std::mem::replace(&mut self.layer, Layer::Gone) {
            Layer::Clear(tcp) => tcp,
            Layer::Secure(tls) => {
                let (tcp, mut session) = tls.into_inner();
                say_goodbye(&tcp, &mut session);
                tcp
            }
            Layer::Gone => return,
        };
        let _ = SockRef::from(&tcp).shutdown(std::net::Shutdown::Write);
        if drain_now(&tcp) == Drained::SawEnd {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(linger(tcp));
        }
    }
}

/// Sends `close_notify` (RFC 8446 6.1) as far as the socket takes it now.
fn say_goodbye(tcp: &TcpStream, session: &mut ClientConnection) {
    session.send_close_notify();
    let mut records = Vec::new();
    while session.wants_write() && session.write_tls(&mut records).is_ok_and(|n| n > 0) {}
    let _ = tcp.try_write(&records);
}

#[derive(PartialEq, Eq)]
enum Drained {
    SawEnd,
    MayGoOn,
}

/// Throws away what has arrived: unread bytes turn close(2) into a RST.
fn drain_now(tcp: &TcpStream) -> Drained {
    let mut waste = [0u8; 8192];
    let mut left = MAX_LINGER_BYTES;
    while left > 0 {
        match tcp.try_read(&mut waste) {
            Ok(0) => return Drained::SawEnd,
            Ok(n) => left = left.saturating_sub(n),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => return Drained::MayGoOn,
            Err(_) => return Drained::SawEnd,
        }
    }
    Drained::SawEnd
}

async fn linger(tcp: TcpStream) {
    let until_end = async {
        while tcp.readable().await.is_ok() {
            if drain_now(&tcp) == Drained::SawEnd {
                break;
            }
        }
    };
    let _ = timeout(LINGER, until_end).await;
}
