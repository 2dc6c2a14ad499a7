//! Peers that do not behave as any service should.
//!
//! They live in one small runtime each and end with their value.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::runtime::Runtime;

use super::place;

/// What an odd TCP peer does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddTcp {
    /// Takes it and says nothing.
    Silent,
    /// Speaks a protocol that nobody here checks for (SMTP, RFC 5321).
    OtherProtocol,
    /// Says noise at once, and again after whatever it hears.
    Garbage,
    /// Says noise one byte at a time.
    SlowGarbage,
    /// Never stops to send, as fast as it can.
    Endless,
    /// Sends one endless line, without a line's end.
    EndlessLine,
    /// Sends back whatever it hears.
    Echo,
    /// Closes at once.
    EarlyClose,
    /// Resets at once.
    Reset,
    /// Hears the question, then resets.
    ResetAfterQuestion,
}

impl OddTcp {
    /// Every one of them.
    pub const ALL: [OddTcp; 10] = [
        OddTcp::Silent,
        OddTcp::OtherProtocol,
        OddTcp::Garbage,
        OddTcp::SlowGarbage,
        OddTcp::Endless,
        OddTcp::EndlessLine,
        OddTcp::Echo,
        OddTcp::EarlyClose,
        OddTcp::Reset,
        OddTcp::ResetAfterQuestion,
    ];
}

/// What an odd UDP peer does with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddUdp {
    /// Takes it and says nothing.
    Silent,
    /// Answers with noise.
    Garbage,
    /// Answers with an empty datagram.
    Empty,
    /// Sends it back.
    Echo,
    /// Answers a hundred times with noise.
    Flood,
    /// Answers with one byte.
    OneByte,
    /// Answers with as much noise as a datagram holds on loopback.
    Huge,
}

impl OddUdp {
    /// Every one of them.
    pub const ALL: [OddUdp; 7] = [
        OddUdp::Silent,
        OddUdp::Garbage,
        OddUdp::Empty,
        OddUdp::Echo,
        OddUdp::Flood,
        OddUdp::OneByte,
        OddUdp::Huge,
    ];

    /// Whether anything comes back.
    pub fn answers(self) -> bool {
        self != OddUdp::Silent
    }
}

/// A running odd peer.
pub struct OddPeer {
    place: SocketAddr,
    _runtime: Runtime,
}

impl OddPeer {
    /// Where it listens.
    pub fn place(&self) -> SocketAddr {
        self.place
    }

    /// A TCP peer with these manners.
    pub fn tcp(manners: OddTcp) -> OddPeer {
        OddPeer::listen(move |stream| behave(stream, manners))
    }

    /// A TCP peer that hears a question, says what `answer` makes of it, and then
    /// says `again` for ever, if it is not empty.
    pub fn lying(answer: fn(&[u8]) -> Vec<u8>, again: &'static [u8]) -> OddPeer {
        OddPeer::listen(move |mut stream| async move {
            let mut heard = [0; 4096];
            // Some protocols are begun by the server.
            let patience = Duration::from_millis(100);
            let asked = tokio::time::timeout(patience, stream.read(&mut heard)).await;
            let len = asked.unwrap_or(Ok(0))?;
            stream.write_all(&answer(&heard[..len])).await?;
            let flood: Vec<u8> = again.iter().copied().cycle().take(again.len() * 512).collect();
            while !flood.is_empty() {
                stream.write_all(&flood).await?;
            }
            swallow(&mut stream).await
        })
    }

    /// A UDP peer that answers what `answer` makes of a question.
    pub fn lying_udp(answer: fn(&[u8]) -> Vec<u8>) -> OddPeer {
        let (runtime, place) = (runtime(), place::reserve());
        let socket = runtime
            .block_on(UdpSocket::bind(place))
            .unwrap_or_else(|error| panic!("cannot bind {place}/udp: {error}"));
        runtime.spawn(async move {
            let mut heard = [0; 4096];
            loop {
                let Ok((len, from)) = socket.recv_from(&mut heard).await else { continue };
                let _ = socket.send_to(&answer(&heard[..len]), from).await;
            }
        });
        OddPeer { place, _runtime: runtime }
    }

    /// A way to the server at `behind` that hands on what the server says one
    /// byte at a time.
    pub fn chopping(behind: SocketAddr) -> OddPeer {
        OddPeer::listen(move |stream| chop(stream, behind))
    }

    /// A UDP peer with these manners.
    pub fn udp(manners: OddUdp) -> OddPeer {
        let (runtime, place) = (runtime(), place::reserve());
        let socket = runtime
            .block_on(UdpSocket::bind(place))
            .unwrap_or_else(|error| panic!("cannot bind {place}/udp: {error}"));
        runtime.spawn(answer(socket, manners));
        OddPeer { place, _runtime: runtime }
    }

    fn listen<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> OddPeer
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let (runtime, place) = (runtime(), place::reserve());
        let listener = runtime
            .block_on(TcpListener::bind(place))
            .unwrap_or_else(|error| panic!("cannot listen on {place}/tcp: {error}"));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream));
            }
        });
        OddPeer { place, _runtime: runtime }
    }
}

/// A place at which nobody listens.
pub fn closed_place() -> SocketAddr {
    place::reserve()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("odd-peer")
        .enable_all()
        .build()
        .expect("a runtime can be made")
}

async fn behave(mut stream: TcpStream, manners: OddTcp) -> io::Result<()> {
    /// Slow enough to be one segment a byte, fast enough for a test.
    const BYTE_EVERY: Duration = Duration::from_millis(20);
    let mut heard = [0; 4096];
    match manners {
        OddTcp::Silent => swallow(&mut stream).await,
        OddTcp::OtherProtocol => {
            stream.write_all(b"220 mail.example ESMTP\r\n").await?;
            while stream.read(&mut heard).await? > 0 {
                stream.write_all(b"500 5.5.2 Error: command not recognized\r\n").await?;
            }
            Ok(())
        }
        OddTcp::Garbage => loop {
            stream.write_all(&noise(512)).await?;
            if stream.read(&mut heard).await? == 0 {
                return Ok(());
            }
        },
        OddTcp::SlowGarbage => {
            stream.set_nodelay(true)?;
            for byte in noise(4096) {
                stream.write_all(&[byte]).await?;
                tokio::time::sleep(BYTE_EVERY).await;
            }
            swallow(&mut stream).await
        }
        OddTcp::Endless => {
            let noise = noise(64 * 1024);
            loop {
                stream.write_all(&noise).await?;
            }
        }
        OddTcp::EndlessLine => loop {
            stream.write_all(&[b'a'; 64 * 1024]).await?;
        },
        OddTcp::Echo => {
            let (mut read, mut write) = stream.split();
            tokio::io::copy(&mut read, &mut write).await.map(drop)
        }
        OddTcp::EarlyClose => stream.shutdown().await,
        OddTcp::Reset => stream.set_zero_linger(),
        OddTcp::ResetAfterQuestion => {
            // Whatever the question is, one byte of it is enough.
            stream.readable().await?;
            stream.set_zero_linger()
        }
    }
}

/// Reads until the other end closes.
async fn swallow(stream: &mut TcpStream) -> io::Result<()> {
    tokio::io::copy(stream, &mut tokio::io::sink()).await.map(drop)
}

async fn chop(client: TcpStream, behind: SocketAddr) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect(behind).await?.into_split();
    let questions = async {
        tokio::io::copy(&mut from_client, &mut to_server).await?;
        to_server.shutdown().await
    };
    let answers = async {
        let mut heard = [0; 4096];
        loop {
            let len = from_server.read(&mut heard).await?;
            if len == 0 {
                return to_client.shutdown().await;
            }
            for byte in &heard[..len] {
                to_client.write_all(std::slice::from_ref(byte)).await?;
                // The other end sees each byte on its own, not a burst.
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::try_join!(questions, answers).map(drop)
}

async fn answer(socket: UdpSocket, manners: OddUdp) -> io::Result<()> {
    /// UDP over IPv4: 65,535 less both headers.
    const LARGEST: usize = 65_507;
    let mut heard = [0; 2048];
    loop {
        // An ICMP error of an earlier answer is no reason to end.
        let Ok((len, from)) = socket.recv_from(&mut heard).await else { continue };
        let answers = match manners {
            OddUdp::Silent => vec![],
            OddUdp::Garbage => vec![noise(64)],
            OddUdp::Empty => vec![vec![]],
            OddUdp::Echo => vec![heard[..len].to_vec()],
            OddUdp::Flood => vec![noise(512); 100],
            OddUdp::OneByte => vec![noise(1)],
            OddUdp::Huge => vec![noise(LARGEST)],
        };
        for answer in answers {
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

/// Bytes without meaning, the same in each run (SplitMix64: Steele, Lea, Flood 2014).
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x706f_7274_7363_616e_u64;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}
