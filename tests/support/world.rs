//! A world: the prober's namespace and whatever stands around it.
//!
//! Everything in it ends with the value: servers, wires, namespaces, files.
//! Worlds share nothing, so tests may run at the same time, and all use the
//! same address plan (see [`address`]).

use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Once;

use tempfile::TempDir;

use super::namespace::Namespace;
pub use super::namespace::address;
use super::services::{Services, Tcp, Udp};
use super::skip;
use super::wire::{Course, Wire};
use super::witness::Witness;

/// The whole of it. Fields end in this order.
pub struct World {
    wires: Vec<Wire>,
    services: Services,
    pub witness: Witness,
    /// Where portscan runs.
    pub prober: Namespace,
    stage: TempDir,
}

impl World {
    /// A world with nothing but a prober; none, and said so, where worlds
    /// cannot be made.
    pub fn new() -> Option<World> {
        if let Some(why) = skip::missing_for_worlds() {
            skip::skip(&why);
            return None;
        }
        let prober = Namespace::new("prober");
        static SWEEP: Once = Once::new();
        SWEEP.call_once(|| sweep_folders(STAGE_PREFIX));
        let stage = tempfile::Builder::new()
            .prefix(&format!("{STAGE_PREFIX}{}-", std::process::id()))
            .tempdir()
            .expect("a temporary folder can be made");
        // The program under test runs as nobody and reads its files here.
        std::fs::set_permissions(stage.path(), std::fs::Permissions::from_mode(0o755))
            .expect("the folder is ours");
        Some(World {
            wires: Vec::new(),
            services: Services::new(),
            witness: Witness::of(&prober),
            prober,
            stage,
        })
    }

    /// A folder of this world that `nobody` can read.
    pub fn stage(&self) -> &Path {
        self.stage.path()
    }

    /// Joins two namespaces by a pair of virtual Ethernet devices. Each end is
    /// (namespace, device, host number), both in network `net`.
    pub fn join(&self, a: (&Namespace, &str, u8), b: (&Namespace, &str, u8), net: u8) {
        a.0.ip(&format!("link add {} type veth peer name {} netns {}", a.1, b.1, b.0.path()));
        for (namespace, device, host) in [a, b] {
            namespace.ip(&format!("link set {device} up"));
            namespace.address(device, net, host);
        }
    }

    /// Joins the prober (`wire0`, host 2) and `far` (`wire0`, host 1) in
    /// network `net` by a wire of [`BASE_DELAY`](super::wire::BASE_DELAY).
    pub fn wire(&mut self, far: &Namespace, net: u8, course: Course) {
        let ends = ((&self.prober, "wire0"), (far, "wire0"));
        self.wires.push(Wire::between(ends.0, ends.1, course));
        self.prober.address("wire0", net, 2);
        far.address("wire0", net, 1);
    }

    /// Starts TCP services at these ports of an address.
    pub fn tcp(&self, at: &Namespace, ip: IpAddr, ports: &[u16], manners: Tcp) {
        for &port in ports {
            self.services.tcp(at, SocketAddr::new(ip, port), manners);
        }
    }

    /// Starts UDP services at these ports of an address.
    pub fn udp(&self, at: &Namespace, ip: IpAddr, ports: &[u16], manners: &Udp) {
        for &port in ports {
            self.services.udp(at, SocketAddr::new(ip, port), manners.clone());
        }
    }

    /// Starts a TCP service at a socket address that has a zone.
    pub fn tcp_at(&self, at: &Namespace, socket: SocketAddr, manners: Tcp) {
        self.services.tcp(at, socket, manners);
    }
}

/// How the folders of worlds begin; the maker's process id follows.
const STAGE_PREFIX: &str = "portscan-world-";

/// Removes the temporary folders that killed test runs left behind: those that
/// begin so, followed by the process id of a maker that is gone. (Of everything
/// else the kernel takes care.)
pub fn sweep_folders(prefix: &str) {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|n| n.strip_prefix(prefix)?.split('-').next());
        let Some(maker) = maker.and_then(|pid| pid.parse::<u32>().ok()) else { continue };
        if !Path::new(&format!("/proc/{maker}")).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// The number of the network between the prober and the first router.
pub const NEAR: u8 = 1;
/// The number of the network behind the first router.
pub const FAR: u8 = 2;

/// The commonest world: the prober (host 2 of [`NEAR`]) on a wire, a router
/// (host 1 of [`NEAR`] and of [`FAR`]), and one machine behind it that has
/// many addresses in [`FAR`].
pub struct Routed {
    pub world: World,
    pub router: Namespace,
    pub peer: Namespace,
}

impl Routed {
    /// The world with a peer at these hosts of [`FAR`] and a wire that does
    /// as `course` says.
    pub fn new(hosts: &[u8], course: Course) -> Option<Routed> {
        let mut world = World::new()?;
        let router = Namespace::new("router");
        world.wire(&router, NEAR, course);
        world.prober.default_route((NEAR, 1));
        router.forward();
        let peer = Namespace::new("peer");
        let (&first, others) = hosts.split_first().expect("a peer has an address");
        world.join((&router, "far0", 1), (&peer, "eth0", first), FAR);
        for &host in others {
            peer.address("eth0", FAR, host);
        }
        peer.default_route((FAR, 1));
        Some(Routed { world, router, peer })
    }

    /// The same with a wire that only forwards.
    pub fn plain(hosts: &[u8]) -> Option<Routed> {
        Routed::new(hosts, Box::new(|packet, _, outlet| outlet.forward(packet)))
    }
}
