//! A peer on loopback that says what a transcript says.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use portscan_plugin::transcript::{Ending, Step, Transcript};

/// The longest that a peer waits for the plugin; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A peer at work. Its result says where the plugin left the transcript.
pub type Work = JoinHandle<Result<(), String>>;

/// Starts a TCP peer and connects to it. The connection is what a prober would
/// hand to a check.
pub fn stream(transcript: &Transcript) -> std::io::Result<(OwnedFd, Work)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let ours = TcpStream::connect(listener.local_addr()?)?;
    let (theirs, _) = listener.accept()?;
    theirs.set_read_timeout(Some(PATIENCE))?;
    let steps = transcript.step.clone();
    Ok((ours.into(), thread::spawn(move || talk(theirs, &steps))))
}

fn talk(mut stream: TcpStream, steps: &[Step]) -> Result<(), String> {
    let mut sent = Vec::new();
    for step in steps {
        match step {
            Step::ToPeer(wanted) => {
                sent = vec![0; wanted.count()?];
                stream.read_exact(&mut sent).map_err(|error| format!("{step:?}: {error}"))?;
                wanted.compare(&sent)?;
            }
            // The plugin may have heard enough and be gone.
            Step::FromPeer(bytes) => drop(stream.write_all(&bytes.fill(&sent)?)),
            Step::Finish => nothing_more(&mut stream)?,
            Step::Peer(Ending::Closes) => return Ok(()),
            Step::Peer(Ending::Resets) => return reset(&stream),
            Step::Peer(Ending::FallsSilent) => break,
            Step::Tls(_) | Step::Reconnect => return Err(format!("{step:?} is not played here")),
        }
    }
    // Silent until the plugin closes, and it has nothing more to say.
    nothing_more(&mut stream)
}

fn nothing_more(stream: &mut TcpStream) -> Result<(), String> {
    let mut rest = Vec::new();
    match stream.take(1024).read_to_end(&mut rest) {
        Ok(0) => Ok(()),
        Ok(_) => Err(format!("the plugin sent {rest:02x?} besides")),
        Err(error) => Err(format!("the plugin does not close: {error}")),
    }
}

/// Closes with a RST.
fn reset(stream: &TcpStream) -> Result<(), String> {
    let socket = socket2::SockRef::from(stream);
    socket.set_linger(Some(Duration::ZERO)).map_err(|error| error.to_string())
}

/// Starts a UDP peer at the address returned. It gives up, without complaint,
/// when the plugin asks less often than the transcript says and `PATIENCE` is over.
pub fn datagrams(transcript: &Transcript) -> std::io::Result<(SocketAddr, Work)> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let address = socket.local_addr()?;
    let steps = transcript.step.clone();
    Ok((address, thread::spawn(move || exchange(&socket, &steps))))
}

fn exchange(socket: &UdpSocket, steps: &[Step]) -> Result<(), String> {
    let mut buffer = [0; 2048];
    let (mut sent, mut asker) = (Vec::new(), None);
    for step in steps {
        match step {
            Step::ToPeer(wanted) => {
                let (len, from) =
                    socket.recv_from(&mut buffer).map_err(|error| format!("{step:?}: {error}"))?;
                sent = buffer[..len].to_vec();
                wanted.compare(&sent)?;
                asker = Some(from);
            }
            Step::FromPeer(bytes) => {
                let asker = asker.ok_or("a peer cannot answer before it is asked")?;
                socket.send_to(&bytes.fill(&sent)?, asker).map_err(|error| error.to_string())?;
            }
            other => return Err(format!("{other:?} is not played over UDP")),
        }
    }
    Ok(())
}
