//! Servers that answer a stranger over UDP, at a port that can be chosen.
//!
//! Each is ready when it has answered a question of its own protocol, which
//! is not the question that portscan's plugin asks.

use std::net::SocketAddr;

use super::certificate::Identity;
use super::place::is_taken_udp;
use super::process::{Recipe, RunAs, Server, installed};
use super::{answers, certificate};
use crate::support::skip;

/// tftpd-hpa with an empty folder. Its errors come from another port (RFC 1350 4).
pub fn tftpd() -> Option<Server> {
    let program = installed("in.tftpd", "tftpd-hpa")?;
    if !nix::unistd::geteuid().is_root() {
        skip::skip("in.tftpd changes its user, which needs root");
        return None;
    }
    let recipe = Recipe::new("tftpd").run_as(RunAs::Caller);
    let files = recipe.subfolder("files");
    let args = [
        "--foreground".into(),
        "--secure".into(),
        "--user".into(),
        "nobody".into(),
        "--address".into(),
        recipe.place().to_string().into(),
        files.into_os_string(),
    ];
    // A write request (opcode 2) is refused with an error (opcode 5).
    Some(
        recipe.start(&program, args, |place| {
            tells_from_anywhere(place, b"\0\x02x\0octet\0", b"\0\x05")
        }),
    )
}

/// Whether an answer with this beginning comes from any port of the address.
fn tells_from_anywhere(place: SocketAddr, question: &[u8], beginning: &[u8]) -> bool {
    let ask = || {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(super::LOOK))?;
        socket.send_to(question, place)?;
        let mut bytes = vec![0; 512];
        let (len, from) = socket.recv_from(&mut bytes)?;
        std::io::Result::Ok(from.ip() == place.ip() && bytes[..len].starts_with(beginning))
    };
    ask().unwrap_or(false)
}

/// net-snmp's agent, which strangers may ask for nothing but its engine.
pub fn snmpd() -> Option<Server> {
    let program = installed("snmpd", "snmpd")?;
    let recipe = Recipe::new("snmpd");
    let config = recipe.file("snmpd.conf", "rocommunity secret\n");
    let listen = format!("udp:{}", recipe.place());
    let pid = recipe.folder().join("snmpd.pid").into_os_string();
    // -C: no other configuration than -c. -Le: log to standard error.
    let args = [
        "-f".into(),
        "-Le".into(),
        "-C".into(),
        "-c".into(),
        config.into_os_string(),
        "-p".into(),
        pid,
        listen.into(),
    ];
    // GetRequest for sysUpTime.0 with the community (RFC 3416), in BER.
    let question =
        b"\x30\x26\x02\x01\x01\x04\x06secret\xa0\x19\x02\x01\x01\x02\x01\x00\x02\x01\x00\
        \x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x03\x00\x05\x00";
    Some(recipe.start(&program, args, |place| answers(place, question).is_some()))
}

/// memcached, over UDP alone.
pub fn memcached() -> Option<Server> {
    let program = installed("memcached", "memcached")?;
    let recipe = Recipe::new("memcached");
    let (ip, port) = (recipe.place().ip().to_string(), recipe.place().port().to_string());
    let args = ["-l", &ip, "-p", "0", "-U", &port, "-m", "8"].map(str::to_owned);
    // The frame's head (request 1, datagram 0 of 1), then a command.
    let question = b"\0\x01\0\0\0\x01\0\0get nothing\r\n";
    Some(recipe.start(&program, args, |place| answers(place, question).is_some()))
}

/// coturn as a STUN server.
pub fn coturn() -> Option<Server> {
    let program = installed("turnserver", "coturn")?;
    let recipe = Recipe::new("coturn");
    let (ip, port) = (recipe.place().ip().to_string(), recipe.place().port().to_string());
    let pid = recipe.folder().join("coturn.pid").display().to_string();
    let database = recipe.folder().join("coturn.db").display().to_string();
    // -n: no configuration file.
    let args = [
        "-n",
        "-L",
        &ip,
        "-p",
        &port,
        "--stun-only",
        "--no-tcp",
        "--no-tls",
        "--no-dtls",
        "--no-cli",
        "--log-file",
        "stdout",
        "--pidfile",
        &pid,
        "--userdb",
        &database,
    ]
    .map(str::to_owned);
    // Binding request (RFC 8489 5) with a transaction id of our own.
    let question = b"\0\x01\0\0\x21\x12\xa4\x42readiness???";
    Some(recipe.start(&program, args, |place| answers(place, question).is_some()))
}

/// OpenSSL's DTLS test server, which asks for a cookie first.
pub fn dtls() -> Option<Server> {
    let program = installed("openssl", "openssl")?;
    let recipe = Recipe::new("dtls");
    let Identity { certificate, key } = certificate::self_signed(recipe.place().ip());
    let args = [
        "s_server".into(),
        "-dtls".into(),
        "-listen".into(),
        "-quiet".into(),
        "-accept".into(),
        recipe.place().to_string().into(),
        "-cert".into(),
        recipe.file("server.pem", certificate).into_os_string(),
        "-key".into(),
        recipe.file("server.key", key).into_os_string(),
    ];
    // It answers nothing but a ClientHello; that it took the port must do.
    Some(recipe.start(&program, args, is_taken_udp))
}

/// ngtcp2's example server: a QUIC server as it is packaged in Debian bookworm,
/// whose nginx has no QUIC.
pub fn quic() -> Option<Server> {
    let program = installed("gtlsserver", "ngtcp2-server")?;
    let recipe = Recipe::new("quic");
    let Identity { certificate, key } = certificate::self_signed(recipe.place().ip());
    let args = [
        "--quiet".into(),
        recipe.place().ip().to_string().into(),
        recipe.place().port().to_string().into(),
        recipe.file("server.key", key).into_os_string(),
        recipe.file("server.pem", certificate).into_os_string(),
    ];
    // A packet of an unknown version (RFC 9000 17.2) is answered with the known ones.
    let mut question = b"\xc0\x0a\x0a\x0a\x0a\x08whitelis\x08readynow".to_vec();
    question.resize(1200, 0);
    Some(recipe.start(&program, args, move |place| answers(place, &question).is_some()))
}

/// Kamailio as a SIP server that has an answer for every request.
pub fn kamailio() -> Option<Server> {
    let program = installed("kamailio", "kamailio")?;
    let recipe = Recipe::new("kamailio");
    let place = recipe.place();
    let config = recipe.file(
        "kamailio.cfg",
        format!(
            "debug=1\nlog_stderror=yes\nfork=no\nchildren=1\nlisten=udp:{place}\n\
             loadmodule \"sl.so\"\nrequest_route {{ sl_send_reply(\"200\", \"OK\"); }}\n"
        ),
    );
    let folder = recipe.folder().as_os_str().to_owned();
    // -DD -E: stay and log here. -Y, -w: runtime and working folder. -m, -M: MiB.
    let args = [
        "-DD".into(),
        "-E".into(),
        "-f".into(),
        config.into_os_string(),
        "-Y".into(),
        folder.clone(),
        "-w".into(),
        folder,
        "-m".into(),
        "16".into(),
        "-M".into(),
        "8".into(),
    ];
    let question = format!(
        "INFO sip:ready@{place} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKready;rport\r\n\
         From: <sip:ready@test>;tag=1\r\nTo: <sip:ready@test>\r\nCall-ID: ready\r\nCSeq: 1 INFO\r\n\
         Max-Forwards: 1\r\nContent-Length: 0\r\n\r\n"
    );
    Some(recipe.start(&program, args, move |place| answers(place, question.as_bytes()).is_some()))
}

/// libcoap's example server.
pub fn coap() -> Option<Server> {
    let program = installed("coap-server-notls", "libcoap3-bin")?;
    let recipe = Recipe::new("coap");
    let (ip, port) = (recipe.place().ip().to_string(), recipe.place().port().to_string());
    // GET / (RFC 7252 3), message id 1.
    let question = b"\x40\x01\0\x01";
    Some(recipe.start(&program, ["-A".to_owned(), ip, "-p".to_owned(), port], |place| {
        answers(place, question).is_some()
    }))
}

/// OpenIPMI's simulator of a management controller.
pub fn ipmi() -> Option<Server> {
    let program = installed("ipmi_sim", "openipmi")?;
    let recipe = Recipe::new("ipmi");
    let state = recipe.subfolder("state").into_os_string();
    let config = recipe.file(
        "lan.conf",
        format!(
            "name \"sim\"\nset_working_mc 0x20\nstartlan 1\naddr {} {}\npriv_limit admin\n\
             allowed_auths_callback none\nallowed_auths_user none\nallowed_auths_operator none\n\
             allowed_auths_admin none\nguid a123456789abcdefa123456789abcdef\nendlan\n",
            recipe.place().ip(),
            recipe.place().port(),
        ),
    );
    let machine = recipe.file("machine.emu", "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nmc_enable 0x20\n");
    let args = [
        "-n".into(),
        "-c".into(),
        config.into_os_string(),
        "-f".into(),
        machine.into_os_string(),
        "-s".into(),
        state,
    ];
    // Get Channel Authentication Capabilities (IPMI 2.0 22.13) outside of a session.
    let question = b"\x06\0\xff\x07\0\0\0\0\0\0\0\0\0\x09\x20\x18\xc8\x81\0\x38\x8e\x04\xb5";
    Some(recipe.start(&program, args, |place| answers(place, question).is_some()))
}
