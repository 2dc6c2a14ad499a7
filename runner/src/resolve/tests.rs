//! Every outcome of a lookup, against a scripted name server on loopback.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use hickory_resolver::Hosts;
use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::CNAME;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use super::*;

/// What the server does with a question.
#[derive(Clone, Debug)]
enum Reply {
    Records(Vec<RData>),
    Code(ResponseCode),
    /// An alias, and nothing about what it leads to but the code.
    Dangling(&'static str, ResponseCode),
    Truncated(Vec<RData>),
    Garbage,
    Silence,
}

use Reply::{Code, Dangling, Garbage, Records, Silence, Truncated};

type Script = HashMap<(&'static str, RecordType), Reply>;

/// A name server on a port of its own, until it is dropped.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    udp: Option<JoinHandle<()>>,
}

impl Server {
    fn start(script: impl IntoIterator<Item = (&'static str, RecordType, Reply)>) -> Server {
        let script: Script =
            script.into_iter().map(|(n, kind, reply)| ((n, kind), reply)).collect();
        // The same port for both transports: another try when TCP's is taken.
        let (udp, tcp) = std::iter::repeat_with(|| {
            let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
            let tcp = TcpListener::bind(udp.local_addr().unwrap());
            tcp.ok().map(|tcp| (udp, tcp))
        })
        .flatten()
        .next()
        .unwrap();
        let address = udp.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, for_tcp) = (asked.clone(), script.clone());
        // One whole answer over TCP is all that a truncated one needs; the thread
        // ends with the process when nobody connects.
        std::thread::spawn(move || serve_tcp(&tcp, &for_tcp));
        let udp = std::thread::spawn(move || serve_udp(&udp, &script, &log));
        Server { address, asked, udp: Some(udp) }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An empty datagram is the sign to stop.
        let _ = UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&[], self.address);
        let _ = self.udp.take().unwrap().join();
    }
}

fn serve_udp(socket: &UdpSocket, script: &Script, asked: &Mutex<Vec<String>>) {
    let mut buffer = [0; 1500];
    while let Ok((length @ 1.., from)) = socket.recv_from(&mut buffer) {
        let question = Message::from_vec(&buffer[..length]).unwrap();
        let query = &question.queries[0];
        asked.lock().unwrap().push(format!("{} {}", query.name(), query.query_type()));
        if let Some(bytes) = answer(&question, script, true) {
            socket.send_to(&bytes, from).unwrap();
        }
    }
}

fn serve_tcp(listener: &TcpListener, script: &Script) {
    while let Ok((mut stream, _)) = listener.accept() {
        let mut length = [0; 2];
        while stream.read_exact(&mut length).is_ok() {
            let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
            if stream.read_exact(&mut bytes).is_err() {
                break;
            }
            let Some(bytes) = answer(&Message::from_vec(&bytes).unwrap(), script, false) else {
                break;
            };
            let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
            stream.write_all(&[&length[..], &bytes].concat()).unwrap();
        }
    }
}

fn answer(question: &Message, script: &Script, udp: bool) -> Option<Vec<u8>> {
    let query = &question.queries[0];
    let name = query.name().to_ascii();
    let found = script.iter().find(|((n, kind), _)| *n == name && *kind == query.query_type());
    let reply = found.map_or(Code(ResponseCode::NXDomain), |(_, reply)| reply.clone());
    let mut response = Message::response(question.id, question.op_code);
    response.metadata.message_type = MessageType::Response;
    response.metadata.recursion_available = true;
    response.add_query(query.clone());
    let record = |data| Record::from_rdata(query.name().clone(), 60, data);
    match reply {
        Silence => return None,
        Garbage => return Some([&question.id.to_be_bytes()[..], &[0xff; 20]].concat()),
        Code(code) => response.metadata.response_code = code,
        Dangling(alias, code) => {
            response.metadata.response_code = code;
            response.add_answer(record(RData::CNAME(CNAME(alias.parse().unwrap()))));
        }
        Truncated(_) if udp => response.metadata.truncation = true,
        Truncated(records) | Records(records) => {
            response.add_answers(records.into_iter().map(record));
        }
    }
    Some(response.to_vec().unwrap())
}

fn a(text: &str) -> RData {
    RData::from(text.parse::<IpAddr>().unwrap())
}

/// Long enough for a loaded machine to answer in, short enough to wait for.
const TIMEOUT: Duration = Duration::from_millis(700);

fn config(servers: &[&Server]) -> Config {
    let mut config = Config::from_resolv_conf(b"", Hosts::default());
    config.servers = servers.iter().map(|server| server.address).collect();
    (config.timeout, config.attempts, config.search) = (TIMEOUT, 1, Vec::new());
    config
}

fn resolve(config: &Config, name: &str, family: Family) -> Resolution {
    resolve_names(config, &[name.into()], family).unwrap().remove(0)
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

const A: RecordType = RecordType::A;
const AAAA: RecordType = RecordType::AAAA;

#[test]
fn a_name_leads_to_all_its_addresses_in_both_families() {
    let server = Server::start([
        ("dual.test.", A, Records(vec![a("10.0.0.1"), a("10.0.0.2"), a("10.0.0.1")])),
        ("dual.test.", AAAA, Records(vec![a("2001:db8::1")])),
    ]);
    let config = config(&[&server]);
    let found = resolve(&config, "dual.test", Family::Any).unwrap();
    assert_eq!(found.addresses, addresses(&["10.0.0.1", "10.0.0.2", "2001:db8::1"]));
    assert_eq!(found.failed, None);
    assert_eq!(resolve(&config, "dual.test", Family::Ipv4).unwrap().addresses.len(), 2);
    assert_eq!(resolve(&config, "dual.test", Family::Ipv6).unwrap().addresses.len(), 1);
}

#[test]
fn each_way_to_fail_has_its_reason() {
    let server = Server::start([
        ("empty.test.", A, Records(vec![])),
        ("empty.test.", AAAA, Records(vec![])),
        ("broken.test.", A, Code(ResponseCode::ServFail)),
        ("broken.test.", AAAA, Code(ResponseCode::ServFail)),
        ("refused.test.", A, Code(ResponseCode::Refused)),
        ("refused.test.", AAAA, Code(ResponseCode::Refused)),
        ("v4.test.", A, Records(vec![a("10.0.0.1")])),
        ("v4.test.", AAAA, Records(vec![])),
        ("dangling.test.", A, Dangling("gone.test.", ResponseCode::NXDomain)),
        ("dangling.test.", AAAA, Dangling("gone.test.", ResponseCode::NXDomain)),
    ]);
    let config = config(&[&server]);
    let reason = |name, family| resolve(&config, name, family).unwrap_err();
    assert_eq!(reason("nowhere.test", Family::Any), UnresolvedReason::Nxdomain);
    assert_eq!(reason("empty.test", Family::Any), UnresolvedReason::NoData);
    assert_eq!(reason("v4.test", Family::Ipv6), UnresolvedReason::NoData);
    assert_eq!(reason("broken.test", Family::Any), UnresolvedReason::Servfail);
    assert_eq!(reason("refused.test", Family::Any), UnresolvedReason::Servfail);
    assert_eq!(reason("dangling.test", Family::Any), UnresolvedReason::Nxdomain);
}

#[test]
fn a_silent_server_is_a_timeout_within_the_configured_time() {
    let server = Server::start([("mute.test.", A, Silence), ("mute.test.", AAAA, Silence)]);
    let started = std::time::Instant::now();
    let found = resolve(&config(&[&server]), "mute.test", Family::Any);
    assert_eq!(found, Err(UnresolvedReason::Timeout));
    assert!(started.elapsed() >= TIMEOUT, "gave up after {:?}", started.elapsed());
}

#[test]
fn a_family_that_is_never_answered_does_not_hide_the_other() {
    let server = Server::start([
        ("half.test.", A, Records(vec![a("10.0.0.1")])),
        ("half.test.", AAAA, Silence),
        ("bad6.test.", A, Records(vec![a("10.0.0.2")])),
        ("bad6.test.", AAAA, Code(ResponseCode::ServFail)),
    ]);
    let config = config(&[&server]);
    let half = resolve(&config, "half.test", Family::Any).unwrap();
    assert_eq!(half.addresses, addresses(&["10.0.0.1"]));
    assert_eq!(half.failed, Some((Family::Ipv6, UnresolvedReason::Timeout)));
    let bad = resolve(&config, "bad6.test", Family::Any).unwrap();
    assert_eq!(bad.failed, Some((Family::Ipv6, UnresolvedReason::Servfail)));
}

#[test]
fn an_alias_is_followed() {
    let server = Server::start([
        ("alias.test.", A, Records(vec![RData::CNAME(CNAME("real.test.".parse().unwrap()))])),
        ("alias.test.", AAAA, Records(vec![RData::CNAME(CNAME("real.test.".parse().unwrap()))])),
        ("real.test.", A, Records(vec![a("10.0.0.1")])),
        ("real.test.", AAAA, Records(vec![])),
    ]);
    let found = resolve(&config(&[&server]), "alias.test", Family::Any).unwrap();
    assert_eq!(found.addresses, addresses(&["10.0.0.1"]));
}

#[test]
fn a_truncated_answer_is_asked_for_again_over_tcp() {
    let server = Server::start([("big.test.", A, Truncated(vec![a("10.0.0.1"), a("10.0.0.2")]))]);
    let found = resolve(&config(&[&server]), "big.test", Family::Ipv4).unwrap();
    assert_eq!(found.addresses.len(), 2);
}

#[test]
fn an_answer_that_cannot_be_read_is_a_failure_of_the_server() {
    let server = Server::start([("odd.test.", A, Garbage)]);
    let found = resolve(&config(&[&server]), "odd.test", Family::Ipv4);
    assert_eq!(found, Err(UnresolvedReason::Servfail));
}

#[test]
fn the_next_server_is_asked_when_one_fails_but_not_when_it_denies_the_name() {
    let failing = Server::start([("web.test.", A, Code(ResponseCode::Refused))]);
    let knowing = Server::start([
        ("web.test.", A, Records(vec![a("10.0.0.1")])),
        ("gone.test.", A, Records(vec![a("10.0.0.2")])),
    ]);
    let config = config(&[&failing, &knowing]);
    assert_eq!(resolve(&config, "web.test", Family::Ipv4).unwrap().addresses.len(), 1);
    let denied = resolve(&config, "gone.test", Family::Ipv4);
    assert_eq!(denied, Err(UnresolvedReason::Nxdomain));
    assert_eq!(knowing.asked(), ["web.test. A"]);
}

#[test]
fn each_name_is_asked_for_once_and_the_order_is_kept() {
    let server = Server::start([
        ("one.test.", A, Records(vec![a("10.0.0.1")])),
        ("two.test.", A, Records(vec![a("10.0.0.2")])),
    ]);
    let names = ["one.test", "two.test", "ONE.test", "nowhere.test"].map(Arc::from);
    let found = resolve_names(&config(&[&server]), &names, Family::Ipv4).unwrap();
    let first = |i: usize| found[i].as_ref().unwrap().addresses[0].to_string();
    assert_eq!(
        (first(0), first(1), first(2)),
        ("10.0.0.1".into(), "10.0.0.2".into(), "10.0.0.1".into())
    );
    assert_eq!(found[3], Err(UnresolvedReason::Nxdomain));
    let mut asked = server.asked();
    asked.sort();
    assert_eq!(asked, ["nowhere.test. A", "one.test. A", "two.test. A"]);
}

#[test]
fn a_short_name_is_found_in_a_search_domain() {
    let server = Server::start([("web.corp.test.", A, Records(vec![a("10.0.0.1")]))]);
    let mut config = config(&[&server]);
    config.search = vec!["corp.test".parse::<Name>().unwrap()];
    let found = resolve(&config, "web", Family::Ipv4).unwrap();
    assert_eq!(found.addresses, addresses(&["10.0.0.1"]));
    assert_eq!(resolve(&config, "web.", Family::Ipv4), Err(UnresolvedReason::Nxdomain));
}

#[test]
fn the_hosts_file_goes_before_the_name_servers() {
    let server = Server::start([("db.test.", AAAA, Records(vec![a("2001:db8::bad")]))]);
    let mut config = config(&[&server]);
    config.hosts.read_hosts_conf("10.0.0.7 db.test db\n10.0.0.8 db.test\n".as_bytes()).unwrap();
    for name in ["db.test", "DB.test.", "db"] {
        let found = resolve(&config, name, Family::Any).unwrap();
        assert_eq!(found.addresses[0], addresses(&["10.0.0.7"])[0], "{name}");
    }
    assert_eq!(resolve(&config, "db.test", Family::Any).unwrap().addresses.len(), 2);
    assert!(server.asked().is_empty(), "{:?}", server.asked());
}

#[test]
fn localhost_is_this_machine_and_no_server_is_asked() {
    let server = Server::start([]);
    let config = config(&[&server]);
    for name in ["localhost", "LocalHost.", "app.localhost"] {
        let found = resolve(&config, name, Family::Any).unwrap();
        assert_eq!(found.addresses, addresses(&["127.0.0.1", "::1"]), "{name}");
    }
    assert_eq!(resolve(&config, "localhost", Family::Ipv6).unwrap().addresses, addresses(&["::1"]));
    assert!(server.asked().is_empty());
}

#[test]
fn a_name_in_another_script_is_asked_for_in_its_xn_form() {
    let server = Server::start([("xn--bcher-kva.test.", A, Records(vec![a("10.0.0.1")]))]);
    let found = resolve(&config(&[&server]), "bücher.test", Family::Ipv4).unwrap();
    assert_eq!(found.addresses.len(), 1);
}

#[test]
fn a_server_that_is_not_there_is_a_timeout() {
    // Bound and not read: nothing is refused, nothing answers.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut config = Config::from_resolv_conf(b"", Hosts::default());
    (config.servers, config.timeout, config.attempts, config.search) =
        (vec![silent.local_addr().unwrap()], TIMEOUT, 1, Vec::new());
    assert_eq!(resolve(&config, "a.test", Family::Ipv4), Err(UnresolvedReason::Timeout));
}

#[test]
fn many_names_are_resolved_together() {
    let names: Vec<Arc<str>> = (0..500).map(|i| format!("n{i}.test").into()).collect();
    let server = Server::start([]);
    let found = resolve_names(&config(&[&server]), &names, Family::Any).unwrap();
    assert_eq!(found.len(), 500);
    assert!(found.iter().all(|found| *found == Err(UnresolvedReason::Nxdomain)), "{found:?}");
}
