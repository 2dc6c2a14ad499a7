use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use super::budget::Decision;
use crate::model::{Control, Moment};

/// Endpoints of one peer that may wait for their first answer at once, at the
/// start. It doubles with every round trip that brings answers.
const FIRST_WINDOW: f64 = 64.0;

/// Most of it. Beyond, a peer's own queues are what is measured.
const MAX_WINDOW: f64 = 8192.0;

/// What is known of the machine behind one address.
#[derive(Debug)]
pub(super) struct Peer {
    pub ip: IpAddr,
    /// Unique in the run; 0 once the peer is gone.
    pub serial: u32,
    /// Asked endpoints of this peer in the plan.
    pub active: u32,
    pub window: f64,
    pub in_window: u32,
    /// Entries waiting for the window, by slab index and generation.
    pub waiting: VecDeque<(u32, u32)>,
    /// Packets whose fate is known, and how many of them were lost.
    pub packets: u32,
    pub lost: u32,
    /// The window was made smaller because of loss, and whoever watches was told.
    pub slowed: bool,
    /// The slowest answer so far.
    pub slowest: Duration,
    /// The fastest answer so far.
    pub fastest: Duration,
    pub tcp: TcpPeer,
    pub udp: UdpPeer,
}

/// What is known of a peer's TCP ports.
#[derive(Debug, Default)]
pub(super) struct TcpPeer {
    pub admitted: u32,
    pub refused: u32,
    pub not_open: u32,
    /// The control entries, at most two, by slab index.
    pub controls: Vec<u32>,
    pub control: Option<Control>,
    /// Control ports that were open.
    pub open_controls: u8,
    /// Open entries held back.
    pub parked: Vec<(u32, u32)>,
}

/// What is known of a peer's UDP ports and the ICMP budget in front of them.
#[derive(Debug)]
pub(super) struct UdpPeer {
    /// Asked UDP entries of this peer, by slab index and generation.
    pub entries: Vec<(u32, u32)>,
    /// ICMP errors that came for any of its ports, controls included.
    pub proofs: u32,
    pub last_proof: Moment,
    pub control_entry: Option<u32>,
    /// When the next control probe is due.
    pub control_at: Option<Moment>,
    pub control_sent: Moment,
    pub controls_sent: u32,
    /// An entry of this peer, to make the control entry beside.
    pub beside: u32,
    pub decision: Option<Decision>,
    pub control: Option<Control>,
    /// Silent entries whose proof the budget holds back.
    pub proving: VecDeque<(u32, u32)>,
    /// Time between two proofs when they are asked for all the time.
    pub interval: Duration,
    /// When the next turn of proving is due.
    pub turn_at: Option<Moment>,
    pub proving_since: Moment,
}

/// The interval of a stock Linux target, until the real one is seen
/// (ip-sysctl: icmp_ratelimit 1000).
const FIRST_INTERVAL: Duration = Duration::from_millis(1000);

impl Peer {
    pub fn new(ip: IpAddr, serial: u32) -> Peer {
        Peer {
            ip,
            serial,
            active: 0,
            window: FIRST_WINDOW,
            in_window: 0,
            waiting: VecDeque::new(),
            packets: 0,
            lost: 0,
            slowed: false,
            slowest: Duration::ZERO,
            fastest: Duration::MAX,
            tcp: TcpPeer::default(),
            udp: UdpPeer {
                entries: Vec::new(),
                proofs: 0,
                last_proof: Moment::START,
                control_entry: None,
                control_at: None,
                control_sent: Moment::START,
                controls_sent: 0,
                beside: 0,
                decision: None,
                control: None,
                proving: VecDeque::new(),
                interval: FIRST_INTERVAL,
                turn_at: None,
                proving_since: Moment::START,
            },
        }
    }

    pub fn has_room(&self) -> bool {
        f64::from(self.in_window) < self.window
    }

    /// An endpoint was answered: the path carries what we send.
    pub fn grow(&mut self, by: f64) {
        self.window = (self.window + by).min(MAX_WINDOW);
    }

    /// Learns the fate of some packets, and slows down when so many are lost
    /// that it cannot be the line. A few per cent are left alone: taking every
    /// lost packet for congestion turns seconds into minutes. True the first
    /// time that it slows down.
    pub fn learn_loss(&mut self, packets: u32, lost: u32) -> bool {
        self.packets += packets;
        self.lost += lost;
        let slower = lost > 0 && self.packets >= 32 && self.share_lost() > 0.3;
        if slower {
            self.window = (self.window * 0.7).max(FIRST_WINDOW / 4.0);
        }
        if self.packets > 4096 {
            self.packets /= 2;
            self.lost /= 2;
        }
        slower && !std::mem::replace(&mut self.slowed, true)
    }

    /// Share of lost packets; nothing is claimed from fewer than eight.
    pub fn share_lost(&self) -> f64 {
        match self.packets {
            0..8 => 0.0,
            n => f64::from(self.lost) / f64::from(n),
        }
    }

    /// What control ports or other ports of this peer said of silence over TCP.
    pub fn tcp_control(&self) -> Option<Control> {
        match self.tcp.refused {
            0 => self.tcp.control,
            _ => Some(Control::Closed),
        }
    }
}
