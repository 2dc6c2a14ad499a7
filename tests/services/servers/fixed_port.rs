//! Servers whose port cannot be chosen: each in a network of its own, with one
//! link between it and portscan.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use super::process::{Recipe, RunAs, Server, installed};
use crate::support::namespace::Namespace;
use crate::support::packet::Family;
use crate::support::world::{FAR, World, address};

/// A server on the other end of portscan's link. Fields end in this order.
pub struct Neighbour {
    _server: Server,
    pub world: World,
    pub place: SocketAddr,
}

/// The server's host number; portscan's is the next one.
const HOST: u8 = 1;

/// The network of a server that listens at `port`, without the server.
fn street(port: u16) -> Option<(World, Namespace, SocketAddr)> {
    let world = World::new()?;
    let peer = Namespace::new("peer");
    world.join((&peer, "eth0", HOST), (&world.prober, "eth0", HOST + 1), FAR);
    Some((world, peer, SocketAddr::new(address(Family::V4, FAR, HOST), port)))
}

/// Whether a UDP port of the address is taken, seen from inside its network.
fn is_taken(peer: &Namespace, place: SocketAddr) -> bool {
    // A wildcard listener keeps an address from being bound, and so does one
    // on the address itself.
    let wildcard = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), place.port());
    peer.enter(|| UdpSocket::bind(place).is_err() || UdpSocket::bind(wildcard).is_err())
}

/// rpcbind at its port, 111.
pub fn rpcbind() -> Option<Neighbour> {
    let program = installed("rpcbind", "rpcbind")?;
    let (world, peer, place) = street(111)?;
    let recipe = Recipe::new("rpcbind").run_as(RunAs::Caller).inside(&peer);
    let server = recipe.start(&program, ["-f"], |_| is_taken(&peer, place));
    Some(Neighbour { _server: server, world, place })
}

/// Samba's NetBIOS name server at its port, 137, under the name NODE.
pub fn nmbd() -> Option<Neighbour> {
    let program = installed("nmbd", "samba")?;
    let (world, peer, place) = street(137)?;
    let recipe = Recipe::new("nmbd").run_as(RunAs::Caller).inside(&peer);
    let folder = recipe.folder().display().to_string();
    let mut config =
        "[global]\nworkgroup = TEST\nnetbios name = NODE\ninterfaces = eth0\n".to_owned();
    // nmbd makes this one itself, and wants to be its owner.
    config.push_str(&format!("nmbd:socket dir = {folder}/sockets\n"));
    for what in [
        "private dir",
        "lock directory",
        "state directory",
        "cache directory",
        "pid directory",
        "ncalrpc dir",
    ] {
        config.push_str(&format!("{what} = {folder}\n"));
    }
    let config = recipe.file("smb.conf", config).into_os_string();
    let args = [
        "--foreground".into(),
        "--no-process-group".into(),
        "--debug-stdout".into(),
        "-s".into(),
        config,
    ];
    let server = recipe
        .start(&program, args, |_| peer.enter(|| super::answers(place, NAME_QUERY).is_some()));
    Some(Neighbour { _server: server, world, place })
}

/// A name query for NODE<00> (RFC 1002 4.2.12), unicast.
const NAME_QUERY: &[u8] =
    b"\0\x01\0\0\0\x01\0\0\0\0\0\0\x20EOEPEEEFCACACACACACACACACACACAAA\0\0\x20\0\x01";

/// Avahi at the port of multicast DNS, 5353, as node.local.
pub fn avahi() -> Option<Neighbour> {
    let program = installed("avahi-daemon", "avahi-daemon")?;
    let (world, peer, place) = street(5353)?;
    let recipe = Recipe::new("avahi").run_as(RunAs::Caller).inside(&peer);
    let config = recipe.file(
        "avahi.conf",
        "[server]\nhost-name=node\nuse-ipv4=yes\nuse-ipv6=no\nallow-interfaces=eth0\nenable-dbus=no\n\
         [publish]\npublish-workstation=yes\n",
    );
    let args = [
        "--no-drop-root".into(),
        "--no-chroot".into(),
        "--no-rlimits".into(),
        "-f".into(),
        config.into_os_string(),
    ];
    // PTR for the service types, in one datagram: the question of a plain
    // resolver, which gets a plain answer (RFC 6762 6.7).
    let question = b"\0\x01\0\0\0\x01\0\0\0\0\0\0\x0c_workstation\x04_tcp\x05local\0\0\x0c\0\x01";
    let server =
        recipe.start(&program, args, |_| peer.enter(|| super::answers(place, question).is_some()));
    Some(Neighbour { _server: server, world, place })
}
