//! Made-up networks with known truth.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use portscan::model::{Endpoint, Outcome, PortState, Transport};

use crate::random::Random;

/// What a port really does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Accepts, or answers every datagram after `slow`.
    Open { slow: Duration },
    /// UDP only: something listens and never answers.
    OpenSilent,
    /// Nobody listens.
    Closed,
    /// A rule drops what comes.
    Dropped,
    /// A rule at the router answers with this ICMP code (unreachable).
    RejectedByRouter { code: u8 },
    /// A rule at the target itself answers with this ICMP code.
    RejectedByTarget { code: u8 },
    /// UDP: answers from another port of the same address.
    AnswersElsewhere,
}

/// How many ICMP errors a machine sends: `burst` at once, then one an `interval`.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    pub burst: f64,
    pub interval: Duration,
}

#[derive(Clone, Debug)]
pub struct Peer {
    pub address: IpAddr,
    pub router: IpAddr,
    pub rtt: Duration,
    /// Share of packets lost, each way.
    pub loss: f64,
    /// Share of packets that arrive twice.
    pub duplicated: f64,
    /// Extra delay of a packet, at most; packets overtake each other.
    pub jitter: Duration,
    pub budget: Budget,
    pub ports: BTreeMap<(Transport, u16), Behaviour>,
    /// What every port not listed does.
    pub default: [Behaviour; 2],
    /// Stray datagrams from another address come with every probe.
    pub strays: bool,
}

#[derive(Clone, Debug)]
pub struct World {
    pub seed: u64,
    pub own: IpAddr,
    pub peers: Vec<Peer>,
}

const NO_LIMIT: Budget = Budget { burst: 1e9, interval: Duration::from_nanos(1) };
const STOCK: Budget = Budget { burst: 6.0, interval: Duration::from_secs(1) };
const OPEN: Behaviour = Behaviour::Open { slow: Duration::ZERO };

impl World {
    pub fn random(seed: u64) -> World {
        let mut random = Random(seed);
        let v6 = random.chance(0.4);
        let peers =
            (0..1 + random.below(3)).map(|n| Peer::random(&mut random, n as u8, v6)).collect();
        World { seed, own: address(v6, 0, 1), peers }
    }

    fn of(peer: Peer) -> World {
        World { seed: 1, own: address(false, 0, 1), peers: vec![peer] }
    }

    pub fn closed_udp(ports: u16, interval: Duration) -> World {
        let mut peer = Peer::quiet(Duration::from_millis(2));
        peer.budget = Budget { burst: 6.0, interval };
        peer.ports =
            (0..ports).map(|p| ((Transport::Udp, 20_000 + p), Behaviour::Closed)).collect();
        World::of(peer)
    }

    pub fn mixed_udp(closed: u16, silent: u16) -> World {
        let mut peer = Peer::quiet(Duration::from_micros(300));
        peer.budget = STOCK;
        for p in 0..closed + silent {
            let behaviour = if p < silent { Behaviour::OpenSilent } else { Behaviour::Closed };
            peer.ports.insert((Transport::Udp, 7_000 + p), behaviour);
        }
        World::of(peer)
    }

    pub fn dropped_tcp(ports: u16) -> World {
        let mut peer = Peer::quiet(Duration::from_millis(5));
        peer.ports = (0..ports).map(|p| ((Transport::Tcp, 1 + p), Behaviour::Dropped)).collect();
        World::of(peer)
    }

    pub fn open_for_everything(ports: u16) -> World {
        let mut peer = Peer::quiet(Duration::from_millis(5));
        peer.default = [OPEN, Behaviour::Closed];
        peer.ports = (0..ports).map(|p| ((Transport::Tcp, 1 + p), OPEN)).collect();
        World::of(peer)
    }

    pub fn peer(&self, address: IpAddr) -> Option<&Peer> {
        self.peers.iter().find(|p| p.address == address)
    }

    pub fn port(&self, endpoint: Endpoint) -> Option<Behaviour> {
        self.peer(endpoint.ip()).map(|p| p.behaviour(endpoint))
    }

    /// Whether the verdict is true of this world.
    pub fn allows(&self, said: &Outcome) -> bool {
        use PortState::{Closed, Filtered, Open, OpenFiltered};
        let Some(behaviour) = self.port(said.endpoint) else { return false };
        let tcp = said.endpoint.transport == Transport::Tcp;
        let budget_said = format!("{:?}", said.notes).contains("IcmpBudgetSpent");
        match behaviour {
            Behaviour::Open { .. } | Behaviour::AnswersElsewhere => said.state == Open,
            Behaviour::Closed if tcp => said.state == Closed,
            // A proof that the budget withholds is allowed to be missing, when that is said.
            Behaviour::Closed => said.state == Closed || said.state == OpenFiltered && budget_said,
            Behaviour::OpenSilent => said.state == OpenFiltered,
            Behaviour::Dropped if tcp => said.state == Filtered,
            Behaviour::Dropped => said.state == OpenFiltered,
            Behaviour::RejectedByTarget { code: 3 } if !tcp => {
                said.state == Closed || said.state == OpenFiltered && budget_said
            }
            Behaviour::RejectedByRouter { .. } | Behaviour::RejectedByTarget { .. } => {
                // Silence instead of the error is still "filtered" for TCP.
                said.state == Filtered || !tcp && said.state == OpenFiltered && budget_said
            }
        }
    }
}

impl Peer {
    fn quiet(rtt: Duration) -> Peer {
        Peer {
            address: address(false, 1, 1),
            router: address(false, 1, 254),
            rtt,
            loss: 0.0,
            duplicated: 0.0,
            jitter: Duration::ZERO,
            budget: NO_LIMIT,
            ports: BTreeMap::new(),
            default: [Behaviour::Closed, Behaviour::Closed],
            strays: false,
        }
    }

    fn random(random: &mut Random, n: u8, v6: bool) -> Peer {
        let mut peer = Peer::quiet(Duration::ZERO);
        peer.address = address(v6, n + 1, 1);
        peer.router = address(v6, n + 1, 254);
        peer.rtt =
            Duration::from_micros([200, 2_000, 20_000, 150_000, 900_000][random.below(5) as usize]);
        peer.loss = [0.0, 0.0, 0.01, 0.05][random.below(4) as usize];
        peer.duplicated = [0.0, 0.1][random.below(2) as usize];
        peer.jitter = peer.rtt / [1, 4, 1000][random.below(3) as usize];
        peer.budget =
            [NO_LIMIT, STOCK, Budget { burst: 6.0, interval: Duration::from_millis(100) }]
                [random.below(3) as usize];
        peer.strays = random.chance(0.1);
        let dark = random.chance(0.15);
        if dark {
            peer.default = [Behaviour::Dropped, Behaviour::Dropped];
        }
        for _ in 0..1 + random.below(14) {
            let transport = if random.chance(0.5) { Transport::Tcp } else { Transport::Udp };
            let port = 1 + random.below(40_000) as u16;
            let behaviour = if dark { Behaviour::Dropped } else { behaviour(random, transport) };
            peer.ports.insert((transport, port), behaviour);
        }
        peer
    }

    pub fn behaviour(&self, endpoint: Endpoint) -> Behaviour {
        let default = self.default[usize::from(endpoint.transport == Transport::Udp)];
        self.ports.get(&(endpoint.transport, endpoint.port())).copied().unwrap_or(default)
    }
}

fn behaviour(random: &mut Random, transport: Transport) -> Behaviour {
    let code = [0, 1, 3, 9, 10, 13][random.below(6) as usize];
    match (random.below(8), transport) {
        (0 | 1, _) => OPEN,
        (2, Transport::Udp) => Behaviour::OpenSilent,
        (3, Transport::Udp) => Behaviour::AnswersElsewhere,
        (2 | 3, Transport::Tcp) | (4 | 5, _) => Behaviour::Closed,
        (6, _) => Behaviour::Dropped,
        _ if random.chance(0.5) => Behaviour::RejectedByRouter { code },
        _ => Behaviour::RejectedByTarget { code },
    }
}

fn address(v6: bool, net: u8, host: u8) -> IpAddr {
    match v6 {
        true => {
            IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, u16::from(net), 0, 0, 0, u16::from(host)))
        }
        false => IpAddr::V4(Ipv4Addr::new(192, 0, net, host)),
    }
}
