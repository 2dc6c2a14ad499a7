//! The site: three places, the router between them and the servers, and the
//! servers' own firewall.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::servers::dns::{Unbound, unbound};
use crate::servers::nginx::{Page, nginx};
use crate::servers::place;
use crate::servers::postgres::{Postgres, postgres};
use crate::servers::process::Server;
use crate::servers::redis::{Redis, redis};
use crate::servers::ssh::sshd;
use crate::support::namespace::Namespace;
use crate::support::packet::Family;
use crate::support::world::{FAR, World, address};

/// The networks of the three places; the router is host 1 of each.
const OFFICE: u8 = 1;
const VPC: u8 = 3;
const CI: u8 = 4;

/// What every place asks.
pub const HOSTS: [&str; 5] = [
    "10.99.2.10:22,53/udp,5432,6379,8080",
    "10.99.2.11:80",
    "10.99.2.12:80,81",
    "10.99.2.13:80",
    "[fd99:2::14]:80",
];

/// The site. Fields end in this order.
pub struct Site {
    _running: Vec<Server>,
    pub world: World,
    servers: Namespace,
    vpc: Namespace,
    ci: Namespace,
    _router: Namespace,
}

impl Site {
    /// The networks and their rules, without servers.
    pub fn new() -> Option<Site> {
        let world = World::new()?;
        let [router, servers, vpc, ci] = ["router", "servers", "vpc", "ci"].map(Namespace::new);
        router.forward();
        for (place, device, net) in
            [(&world.prober, "office0", OFFICE), (&vpc, "vpc0", VPC), (&ci, "ci0", CI)]
        {
            world.join((&router, device, 1), (place, "eth0", 2), net);
            place.default_route((net, 1));
        }
        world.join((&router, "far0", 1), (&servers, "eth0", 10), FAR);
        for host in 11..=14 {
            servers.address("eth0", FAR, host);
        }
        servers.default_route((FAR, 1));
        // Servers run as nobody, at the ports that everybody knows.
        servers.sysctls(&[("ipv4/ip_unprivileged_port_start", "0")]);
        // PostgreSQL: the office is told so, the build machine is not, the cloud may.
        // Redis resets the build machine; its questions about names are dropped.
        router.filter(
            "forward",
            "ip saddr 10.99.1.0/24 tcp dport 5432 reject with icmp admin-prohibited\n\
             ip saddr 10.99.4.0/24 tcp dport 5432 drop\n\
             ip saddr 10.99.4.0/24 tcp dport 6379 reject with tcp reset\n\
             ip saddr 10.99.4.0/24 udp dport 53 drop\n",
        );
        // The router knows no way on for the build machine to one server...
        router.ip("rule add from 10.99.4.0/24 to 10.99.2.11 unreachable");
        // ...one server rejects the cloud by itself...
        servers.filter(
            "input",
            "ip saddr 10.99.3.0/24 ip daddr 10.99.2.12 tcp dport 80 reject with icmp port-unreachable\n",
        );
        // ...the office takes another to be on its own link...
        world.prober.ip("route add 10.99.2.13/32 dev eth0");
        // ...and the build machine has no IPv6.
        ci.ip("route del ::/0 via fd99:4::1");
        Some(Site { _running: Vec::new(), world, servers, vpc, ci, _router: router })
    }

    /// Where the servers are.
    pub fn servers(&self) -> &Namespace {
        &self.servers
    }

    /// Where portscan runs.
    pub fn place(&self, name: &str) -> &Namespace {
        match name {
            "vpc" => &self.vpc,
            "ci" => &self.ci,
            _ => &self.world.prober,
        }
    }

    /// What this place alone asks.
    pub fn only_from(&self, name: &str) -> &'static [&'static str] {
        if name == "office" { &["10.99.2.14:80"] } else { &[] }
    }

    /// Starts the servers, in the network of the calling thread; none, and said so,
    /// where one is not installed.
    pub fn furnished(mut self) -> Option<Site> {
        let at = |host, port| SocketAddr::new(address(Family::V4, FAR, host), port);
        let v6: IpAddr = address(Family::V6, FAR, 14);
        self._running = vec![
            place::at(at(10, 22), || sshd(10))?,
            place::at(at(10, 53), || unbound(Unbound::Resolving))?,
            place::at(at(10, 5432), || postgres(Postgres::Serving))?,
            place::at(at(10, 6379), || redis(Redis::Open))?,
            place::at(at(11, 80), || nginx(Page::Fine))?,
            place::at(at(12, 80), || nginx(Page::Fine))?,
            place::at(at(13, 80), || nginx(Page::Fine))?,
            place::at(SocketAddr::new(v6, 80), || nginx(Page::Fine))?,
        ];
        Some(self)
    }

    /// A folder that portscan can write to.
    pub fn folder(&self) -> PathBuf {
        let path = self.world.stage().join("out");
        std::fs::create_dir(&path).expect("the stage is ours");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777))
            .expect("the stage is ours");
        path
    }
}
