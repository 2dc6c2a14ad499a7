//! Every plugin's judge and every plugin's dialogue, natively. The first byte of the
//! data chooses the plugin.

use std::time::Duration;

use portscan_plugin::{
    Answer, Certificate, Check, CheckError, Connection, Datagram, Endpoint, IoError, Plugin,
    Settings, TlsOptions, TlsSession, Transport, Trust, UdpProbe, Wire,
};

const SEED: u64 = 0x0102_0304_0506_0708;

/// What a plugin makes of bytes.
type Reader = fn(&[u8]);

/// The judges of all plugins that have one.
const JUDGES: &[Reader] = &[
    judge::<plugin_coap::Coap>,
    judge::<plugin_dns::Dns>,
    judge::<plugin_dtls::Dtls>,
    judge::<plugin_ipmi::Ipmi>,
    judge::<plugin_mdns::Mdns>,
    judge::<plugin_memcached::Memcached>,
    judge::<plugin_mssql_browser::MssqlBrowser>,
    judge::<plugin_netbios_ns::NetbiosNs>,
    judge::<plugin_ntp::Ntp>,
    judge::<plugin_quic::Quic>,
    judge::<plugin_rpcbind::Rpcbind>,
    judge::<plugin_sip::Sip>,
    judge::<plugin_snmp::Snmp>,
    judge::<plugin_ssdp::Ssdp>,
    judge::<plugin_stun::Stun>,
    judge::<plugin_tftp::Tftp>,
];

/// The dialogues of all plugins that have one, over each transport that they have.
const DIALOGUES: &[Reader] = &[
    dialogue::<plugin_dns::Dns, 0>,
    dialogue::<plugin_dns::Dns, 1>,
    dialogue::<plugin_http::Http, 0>,
    dialogue::<plugin_ntp::Ntp, 1>,
    dialogue::<plugin_postgres::Postgres, 0>,
    dialogue::<plugin_redis::Redis, 0>,
    dialogue::<plugin_ssh::Ssh, 0>,
];

/// An answer, judged by the plugin that the first byte chooses.
pub fn judges(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    JUDGES[usize::from(*first) % JUDGES.len()](data);
}

/// A peer that says this, met by the plugin that the first byte chooses.
pub fn dialogues(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    DIALOGUES[usize::from(*first) % DIALOGUES.len()](data);
}

fn endpoint(transport: Transport) -> Endpoint {
    let (target, address) = ("peer.example".to_owned(), "192.0.2.1".to_owned());
    Endpoint { target, address, port: 7, transport }
}

/// An answer as it is, and one that repeats the ids of the question.
fn judge<P: UdpProbe>(data: &[u8]) {
    let endpoint = endpoint(Transport::Udp);
    let settings = Settings::default();
    let payloads = P::payloads(&endpoint, SEED, &settings).unwrap_or_default();
    let mut echoing = data.to_vec();
    if let Some(payload) = payloads.first() {
        let head = payload.data.len().min(8).min(echoing.len());
        echoing[..head].copy_from_slice(&payload.data[..head]);
    }
    for (index, data) in [(0, data.to_vec()), (0, echoing), (u32::MAX, data.to_vec())] {
        let judged = P::judge(&endpoint, SEED, &Answer { index, data, port: 7 }, &settings);
        within_limits::<P>(&judged);
    }
}

fn dialogue<P: Check, const UDP: usize>(data: &[u8]) {
    let transport = if UDP == 1 { Transport::Udp } else { Transport::Tcp };
    let peer =
        Peer { transport, said: data.to_vec(), at: 0, sent: Vec::new(), now: Duration::ZERO };
    let ran = P::run(&mut Connection::new(peer), &endpoint(transport), &Settings::default());
    match ran {
        Ok(concluded) => within_limits::<P>(&concluded),
        Err(CheckError::Conversation(_)) => {}
        Err(other) => panic!("a peer is no reason for {other:?}"),
    }
}

/// What the host would cut or refuse, a built-in plugin does not say.
fn within_limits<P: Plugin>(conclusion: &portscan_plugin::Conclusion) {
    let bytes = format!("{conclusion:?}").len();
    assert!(bytes < 256 << 10, "{}: a conclusion of {bytes} bytes", P::describe().name);
}

/// Says the data, in pieces whose lengths are in it, and repeats our own ids where
/// a byte says so.
struct Peer {
    transport: Transport,
    said: Vec<u8>,
    at: usize,
    sent: Vec<u8>,
    now: Duration,
}

impl Wire for Peer {
    fn transport(&self) -> Transport {
        self.transport
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), IoError> {
        self.sent = bytes.to_vec();
        Ok(())
    }

    fn receive(&mut self, max: u32, _: Duration) -> Result<Vec<u8>, IoError> {
        self.now += Duration::from_millis(1);
        let rest = &self.said[self.at.min(self.said.len())..];
        let Some((length, rest)) = rest.split_first() else { return Err(IoError::Closed) };
        let taken = usize::from(*length).min(rest.len()).min(max as usize);
        let mut piece = rest[..taken].to_vec();
        // Every fourth length repeats what we sent: ids are not to be guessed.
        if length % 4 == 3 {
            let head = self.sent.len().min(piece.len()).min(6);
            piece[..head].copy_from_slice(&self.sent[..head]);
        }
        self.at += 1 + taken;
        match piece.is_empty() && self.transport == Transport::Tcp {
            true => Err(IoError::Closed),
            false => Ok(piece),
        }
    }

    fn receive_from(&mut self, max: u32, wait: Duration) -> Result<Datagram, IoError> {
        Ok(Datagram { data: self.receive(max, wait)?, port: 9 })
    }

    fn finish(&mut self) -> Result<(), IoError> {
        Ok(())
    }

    fn start_tls(&mut self, _: &TlsOptions) -> Result<TlsSession, IoError> {
        let word = |n: usize| -> String {
            self.said.iter().skip(n).take(20).map(|b| *b as char).collect()
        };
        let number =
            i64::from_le_bytes(std::array::from_fn(|n| self.said.get(n).copied().unwrap_or(0)));
        Ok(TlsSession {
            version: word(0),
            cipher: word(1),
            alpn: Some(word(2)),
            certificates: vec![Certificate {
                subject: word(3),
                issuer: word(4),
                names: vec![word(5)],
                serial: word(6),
                not_before: number,
                not_after: number.wrapping_mul(3),
                key: word(7),
                signature_algorithm: word(8),
                fingerprint: word(9),
                self_signed: number % 2 == 0,
            }],
            trust: if number % 3 == 0 { Trust::Trusted } else { Trust::Untrusted(word(1)) },
        })
    }

    fn reconnect(&mut self) -> Result<Box<dyn Wire>, IoError> {
        Err(IoError::Refused)
    }

    fn local_port(&self) -> u16 {
        9
    }

    fn log(&mut self, _: &str) {}

    fn elapsed(&self) -> Duration {
        self.now
    }

    fn unix_now_nanos(&self) -> i64 {
        1_700_000_000_000_000_000
    }

    fn time_left(&self) -> Duration {
        Duration::from_secs(10).saturating_sub(self.now)
    }

    fn random_bytes(&mut self, len: u32) -> Vec<u8> {
        vec![0x5a; len as usize]
    }
}
