//! A peer on loopback that says what a transcript says, in its own way.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use portscan_plugin::transcript::{Ending, Step, Transcript};

use super::trouble::{Delivery, FLOOD, flip, garbage};

/// A peer at work. Its result says where the plugin left the transcript.
pub(super) type Work = JoinHandle<Result<(), String>>;

/// Between two pieces of one answer: long enough that the plugin reads the first.
const GAP: Duration = Duration::from_millis(2);

/// Starts a TCP peer and connects to it. The connection is what a prober would
/// hand to a check. `patience` is how long the peer waits for the plugin.
pub(super) fn stream(
    transcript: &Transcript,
    delivery: Delivery,
    patience: Duration,
) -> io::Result<(OwnedFd, Work)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let ours = TcpStream::connect(listener.local_addr()?)?;
    let (theirs, _) = listener.accept()?;
    theirs.set_read_timeout(Some(patience))?;
    theirs.set_write_timeout(Some(patience))?;
    theirs.set_nodelay(true)?;
    let steps = transcript.step.clone();
    let work = move || match delivery {
        Delivery::Whole | Delivery::ByteByByte | Delivery::SplitAt(_) => {
            talk(theirs, &steps, &delivery)
        }
        _ => {
            misbehave(theirs, &steps, &delivery);
            Ok(())
        }
    };
    Ok((ours.into(), thread::spawn(work)))
}

fn talk(mut stream: TcpStream, steps: &[Step], delivery: &Delivery) -> Result<(), String> {
    let mut sent = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let wrong = |why: String| format!("step {}: {why}", at + 1);
        match step {
            Step::ToPeer(wanted) => {
                sent = vec![0; wanted.count().map_err(wrong)?];
                stream.read_exact(&mut sent).map_err(|e| wrong(format!("nothing sent: {e}")))?;
                wanted.compare(&sent).map_err(wrong)?;
            }
            // The plugin may have heard enough and be gone.
            Step::FromPeer(bytes) => {
                drop(deliver(&mut stream, &bytes.fill(&sent).map_err(wrong)?, delivery));
            }
            Step::Finish => nothing_more(&mut stream).map_err(wrong)?,
            Step::Peer(Ending::Closes) => return Ok(()),
            Step::Peer(Ending::Resets) => return reset(&stream),
            Step::Peer(Ending::FallsSilent) => break,
            Step::Tls(_) | Step::Reconnect => return Err(wrong("it is not played here".into())),
        }
    }
    // Silent until the plugin closes, and it has nothing more to say.
    nothing_more(&mut stream)
}

fn deliver(stream: &mut TcpStream, bytes: &[u8], delivery: &Delivery) -> io::Result<()> {
    match delivery {
        Delivery::ByteByByte => {
            for byte in bytes {
                stream.write_all(&[*byte])?;
                // Each a segment of its own; a pause for every one would take seconds.
                thread::yield_now();
            }
            Ok(())
        }
        Delivery::SplitAt(place) if *place < bytes.len() => {
            stream.write_all(&bytes[..*place])?;
            thread::sleep(GAP);
            stream.write_all(&bytes[*place..])
        }
        _ => stream.write_all(bytes),
    }
}

/// Answers whatever the plugin sends, as the trouble wants it.
fn misbehave(mut stream: TcpStream, steps: &[Step], delivery: &Delivery) {
    match delivery {
        Delivery::Closes => return,
        Delivery::Garbage(seed) => {
            drop(stream.write_all(&garbage(*seed, FLOOD)));
            return;
        }
        Delivery::Silent => {
            drop(stream.read_to_end(&mut Vec::new()));
            return;
        }
        _ => {}
    }
    let mut sent = Vec::new();
    let mut left = match delivery {
        Delivery::CutAfter(place) => *place,
        _ => usize::MAX,
    };
    for step in steps {
        match step {
            Step::ToPeer(wanted) => {
                sent = vec![0; wanted.count().unwrap_or(0)];
                if stream.read_exact(&mut sent).is_err() {
                    return;
                }
            }
            Step::FromPeer(bytes) => {
                let Ok(mut bytes) = bytes.fill(&sent) else { return };
                if let Delivery::Flipped(seed) = delivery {
                    flip(&mut bytes, *seed);
                }
                bytes.truncate(left);
                left -= bytes.len();
                if stream.write_all(&bytes).is_err() || left == 0 {
                    return;
                }
            }
            _ => {}
        }
    }
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
/// when the plugin asks less often than the transcript says and `patience` is over.
pub(super) fn datagrams(
    transcript: &Transcript,
    delivery: Delivery,
    patience: Duration,
) -> io::Result<(SocketAddr, Work)> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(patience))?;
    let address = socket.local_addr()?;
    let steps = transcript.step.clone();
    let work = move || match exchange(&socket, &steps, &delivery) {
        Err(why) if delivery == Delivery::Whole => Err(why),
        _ => Ok(()),
    };
    Ok((address, thread::spawn(work)))
}

fn exchange(socket: &UdpSocket, steps: &[Step], delivery: &Delivery) -> Result<(), String> {
    let mut buffer = [0; 2048];
    let (mut sent, mut asker) = (Vec::new(), None);
    for (at, step) in steps.iter().enumerate() {
        let wrong = |why: String| format!("step {}: {why}", at + 1);
        match step {
            Step::ToPeer(wanted) => {
                let (len, from) = socket
                    .recv_from(&mut buffer)
                    .map_err(|error| wrong(format!("nothing sent: {error}")))?;
                sent = buffer[..len].to_vec();
                if *delivery == Delivery::Whole {
                    wanted.compare(&sent).map_err(wrong)?;
                }
                asker = Some(from);
            }
            Step::FromPeer(bytes) => {
                let asker = asker.ok_or("a peer cannot answer before it is asked")?;
                if let Some(bytes) = changed(bytes.fill(&sent).map_err(wrong)?, delivery) {
                    socket.send_to(&bytes, asker).map_err(|error| error.to_string())?;
                }
            }
            _ => return Err(wrong("it is not played over UDP".into())),
        }
    }
    Ok(())
}

/// A datagram after the trouble; none when none is sent.
pub(super) fn changed(mut bytes: Vec<u8>, delivery: &Delivery) -> Option<Vec<u8>> {
    match delivery {
        Delivery::Silent | Delivery::Closes => return None,
        Delivery::CutAfter(place) => bytes.truncate(*place),
        Delivery::Flipped(seed) => flip(&mut bytes, *seed),
        Delivery::Garbage(seed) => bytes = garbage(*seed, bytes.len().max(64)),
        Delivery::Whole | Delivery::ByteByByte | Delivery::SplitAt(_) => {}
    }
    Some(bytes)
}
