//! The site: an office, a firewall that answers for names, and machines with real
//! servers behind it.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::servers::certificate::{Authority, Validity};
use crate::servers::dns::{Unbound, unbound};
use crate::servers::nginx::{Page, nginx, nginx_tls};
use crate::servers::ntp::{Chrony, chrony};
use crate::servers::place;
use crate::servers::postgres::{Postgres, postgres};
use crate::servers::process::Server;
use crate::servers::redis::{Redis, redis};
use crate::servers::ssh::sshd;
use crate::support::dns::{Answer, Zone};
use crate::support::namespace::Namespace;
use crate::support::packet::Family;
use crate::support::services::{Tcp, Udp};
use crate::support::world::{FAR, NEAR, Routed, World, address};

/// What a slow way adds to a round trip; the limit is 40 ms.
const SLOW: Duration = Duration::from_millis(80);

/// The site. Fields end in this order.
pub struct Site {
    servers: Servers,
    pub world: World,
    router: Namespace,
    peer: Namespace,
    /// Whether the name leads to its old address.
    stale: Arc<AtomicBool>,
    /// Whether the way to the far machine is slow.
    slow: Arc<AtomicBool>,
    authority: Authority,
}

/// Those that mistakes are made with, and the others.
#[derive(Default)]
struct Servers {
    ssh: Option<Server>,
    web: Option<Server>,
    tls: Option<Server>,
    redis: Option<Server>,
    _others: Vec<Server>,
}

fn host(number: u8) -> IpAddr {
    address(Family::V4, FAR, number)
}

fn at(number: u8, port: u16) -> SocketAddr {
    SocketAddr::new(host(number), port)
}

impl Site {
    /// The network, its names and its rules, without servers.
    pub fn new() -> Option<Site> {
        let (stale, slow) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let far = host(17);
        let is_slow = slow.clone();
        let hosts = [10, 11, 12, 13, 14, 15, 16, 17];
        let Routed { world, router, peer } = Routed::new(
            &hosts,
            Box::new(move |packet, _, outlet| {
                let late = packet.target == far && is_slow.load(Ordering::Relaxed);
                outlet.forward_after(if late { SLOW } else { Duration::ZERO }, packet);
            }),
        )?;
        // Servers run as nobody, at the ports that everybody knows.
        peer.sysctls(&[("ipv4/ip_unprivileged_port_start", "0")]);
        let is_stale = stale.clone();
        let names = move |api: u8| {
            Zone::new([
                ("web.test", Answer::Addresses(vec![host(10)])),
                ("api.test", Answer::Addresses(vec![host(api)])),
            ])
        };
        let (now, past) = (names(15), names(16));
        let answer = Udp::Answer(Arc::new(move |query| match is_stale.load(Ordering::Relaxed) {
            false => now.answer(query),
            true => past.answer(query),
        }));
        world.udp(&router, address(Family::V4, NEAR, 1), &[53], &answer);
        router.filter(
            "forward",
            &rules("drop", "reject with icmp admin-prohibited", "host-prohibited"),
        );
        world.tcp(&peer, host(15), &[9000], Tcp::Silent);
        world.tcp(&peer, host(17), &[9000], Tcp::Silent);
        let (servers, authority) = (Servers::default(), Authority::new());
        Some(Site { servers, world, router, peer, stale, slow, authority })
    }

    /// Where the servers are.
    pub fn peer(&self) -> &Namespace {
        &self.peer
    }

    /// Starts the servers, in the network of the calling thread; none, and said so,
    /// where one is not installed.
    pub fn furnished(mut self) -> Option<Site> {
        self.servers = Servers {
            ssh: Some(place::at(at(11, 22), || sshd(10))?),
            web: Some(place::at(at(10, 80), || nginx(Page::Fine))?),
            tls: Some(self.tls(Validity::Now)?),
            redis: Some(place::at(at(11, 6379), || redis(Redis::Open))?),
            _others: vec![
                place::at(at(12, 5432), || postgres(Postgres::Serving))?,
                place::at(at(13, 53), || unbound(Unbound::Resolving))?,
                place::at(at(13, 123), || chrony(Chrony::Synchronised))?,
            ],
        };
        Some(self)
    }

    fn tls(&self, validity: Validity) -> Option<Server> {
        let identity = |place: SocketAddr| self.authority.issue(place.ip(), validity);
        place::at(at(10, 443), || nginx_tls(Page::Fine, identity))
    }

    /// The ten of the runbook, in its order.
    pub fn make_mistakes(&mut self) {
        self.servers.ssh = None;
        self.servers.web = None;
        let inside = SocketAddr::from(([127, 0, 0, 1], 80));
        self.servers.web = place::at(inside, || nginx(Page::Fine));
        self.router.nft("delete table inet at_forward\n");
        self.router.filter("forward", &rules("accept", "drop", "port-unreachable"));
        self.servers.tls = None;
        self.servers.tls = self.tls(Validity::Expired);
        self.world.tcp(&self.peer, host(14), &[23], Tcp::Banner);
        self.stale.store(true, Ordering::Relaxed);
        self.servers.redis = None;
        self.servers.redis = place::at(at(11, 6379), || redis(Redis::Protected));
        self.slow.store(true, Ordering::Relaxed);
    }

    /// A file that portscan can read.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.world.stage().join(name);
        std::fs::write(&path, text).expect("the stage is ours");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))
            .expect("the stage is ours");
        path
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

/// The firewall: what becomes of ssh to the web server, of MySQL and of MS SQL.
fn rules(ssh: &str, mysql: &str, mssql: &str) -> String {
    format!(
        "ip daddr {} tcp dport 22 {ssh}\n\
         ip daddr {} tcp dport 3306 {mysql}\n\
         ip daddr {1} tcp dport 1433 reject with icmp {mssql}\n",
        host(10),
        host(12),
    )
}
