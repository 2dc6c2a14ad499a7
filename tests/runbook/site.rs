//! The site: an office, a firewall that answers for names, and machines with real
//! servers behind it.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::mistakes::Mistake;
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
    /// Whether the name that was given up is back.
    back: Arc<AtomicBool>,
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
    database: Option<Server>,
    time: Option<Server>,
    _names: Option<Server>,
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
        let [stale, back, slow] = [(); 3].map(|()| Arc::<AtomicBool>::default());
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
        let (is_stale, is_back) = (stale.clone(), back.clone());
        let answer = Udp::Answer(Arc::new(move |query| {
            let api = if is_stale.load(Ordering::Relaxed) { 16 } else { 15 };
            let mut names = vec![
                ("web.test", Answer::Addresses(vec![host(10)])),
                ("api.test", Answer::Addresses(vec![host(api)])),
            ];
            if is_back.load(Ordering::Relaxed) {
                names.push(("old.test", Answer::Addresses(vec![host(16)])));
            }
            Zone::new(names).answer(query)
        }));
        world.udp(&router, address(Family::V4, NEAR, 1), &[53], &answer);
        router.filter("forward", &rules(&[]));
        world.tcp(&peer, host(15), &[9000], Tcp::Silent);
        world.tcp(&peer, host(17), &[9000], Tcp::Silent);
        let (servers, authority) = (Servers::default(), Authority::new());
        Some(Site { servers, world, router, peer, stale, back, slow, authority })
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
            database: Some(place::at(at(12, 5432), || postgres(Postgres::Serving))?),
            time: Some(place::at(at(13, 123), || chrony(Chrony::Synchronised))?),
            _names: Some(place::at(at(13, 53), || unbound(Unbound::Resolving))?),
        };
        Some(self)
    }

    fn tls(&self, validity: Validity) -> Option<Server> {
        let identity = |place: SocketAddr| self.authority.issue(place.ip(), validity);
        place::at(at(10, 443), || nginx_tls(Page::Fine, identity))
    }

    /// Makes these mistakes, all at once.
    pub fn make(&mut self, mistakes: &[Mistake]) {
        self.router.nft("delete table inet at_forward\n");
        self.router.filter("forward", &rules(mistakes));
        for mistake in mistakes {
            self.make_one(*mistake);
        }
    }

    fn make_one(&mut self, mistake: Mistake) {
        match mistake {
            Mistake::SshStopped => self.servers.ssh = None,
            Mistake::WebBoundToLoopback => {
                self.servers.web = None;
                let inside = SocketAddr::from(([127, 0, 0, 1], 80));
                self.servers.web = place::at(inside, || nginx(Page::Fine));
            }
            Mistake::CertificateExpired => {
                self.servers.tls = None;
                self.servers.tls = self.tls(Validity::Expired);
            }
            Mistake::UnknownPortOpen => self.world.tcp(&self.peer, host(14), &[23], Tcp::Banner),
            Mistake::StaleName => self.stale.store(true, Ordering::Relaxed),
            Mistake::PasswordAsked => {
                self.servers.redis = None;
                self.servers.redis = place::at(at(11, 6379), || redis(Redis::Protected));
            }
            Mistake::SlowWay => self.slow.store(true, Ordering::Relaxed),
            Mistake::DatabaseStopped => self.servers.database = None,
            Mistake::TimeStopped => self.servers.time = None,
            Mistake::DevelopersServer => {
                self.world.tcp(&self.peer, host(10), &[8080], Tcp::Silent);
            }
            Mistake::ManagementOpen => {
                self.world.udp(&self.peer, host(13), &[161], &Udp::Echo);
            }
            Mistake::OldNameBack => self.back.store(true, Ordering::Relaxed),
            // The firewall's: see `rules`.
            Mistake::RuleGone
            | Mistake::RejectIsDrop
            | Mistake::OtherCode
            | Mistake::NamesDropped => {}
        }
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

/// The firewall: what becomes of ssh to the web server, of MySQL, of MS SQL and of
/// questions for names.
fn rules(mistakes: &[Mistake]) -> String {
    let choose = |mistake, right, wrong| if mistakes.contains(&mistake) { wrong } else { right };
    let ssh = choose(Mistake::RuleGone, "drop", "accept");
    let mysql = choose(Mistake::RejectIsDrop, "reject with icmp admin-prohibited", "drop");
    let mssql = choose(Mistake::OtherCode, "host-prohibited", "port-unreachable");
    let names = choose(Mistake::NamesDropped, "accept", "drop");
    format!(
        "ip daddr {} tcp dport 22 {ssh}\n\
         ip daddr {} tcp dport 3306 {mysql}\n\
         ip daddr {1} tcp dport 1433 reject with icmp {mssql}\n\
         ip daddr {} udp dport 53 {names}\n",
        host(10),
        host(12),
        host(13),
    )
}
