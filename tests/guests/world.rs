//! A host of the test's own, peers on loopback, and one call for each way to
//! use a guest.

use std::sync::Arc;
use std::time::Duration;

use portscan::host::{CheckJob, Compiler, Guest, Host, HostOptions, LoadError, Origin};
use portscan::model::{CheckResult, Endpoint, ReplyFrom, Transport};
use portscan::net::SourceBinding;
use portscan::net::conversation::{Peer, Roots};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::plugin::Plugin;

/// More than any check of these tests needs, on a busy machine.
pub const AMPLE: Duration = Duration::from_secs(20);

/// The real executable as compiler, and a cache of the test's own.
pub fn options(cache: &tempfile::TempDir) -> HostOptions {
    let compiler = Compiler {
        program: env!("CARGO_BIN_EXE_portscan").into(),
        arguments: vec![portscan::host::COMPILE_COMMAND.into()],
    };
    let cache = Some(cache.path().join("cache"));
    HostOptions { slots: 16, compiler, cache, ..HostOptions::default() }
}

/// Loads a component without the compiler's process: what is tested is the guest.
pub fn load(component: &[u8]) -> Result<Guest, LoadError> {
    let cache = tempfile::tempdir().expect("a directory");
    Host::new(options(&cache)).load(component, Origin::BuiltIn)
}

/// A check with `body`, loaded.
pub fn guest(body: &str) -> Guest {
    load(&Plugin::check(body).build()).expect("an obedient rest")
}

/// What the peer does with its one connection.
#[derive(Clone, Copy)]
pub enum Service {
    /// Sends back what it gets.
    Echo,
    /// Accepts and says nothing.
    Silent,
    /// Sends without end.
    Endless,
}

/// Runs the guest's check against a service on loopback.
pub async fn check(guest: &Guest, service: Service) -> CheckResult {
    check_within(guest, service, AMPLE).await
}

/// As [`check`], with a deadline.
pub async fn check_within(guest: &Guest, service: Service, deadline: Duration) -> CheckResult {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let peer = peer(listener.local_addr().expect("bound"));
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, service));
        }
    });
    let job = CheckJob {
        peer,
        stream: None,
        settings: Arc::from([]),
        deadline,
        player: None,
        recorder: None,
    };
    let result = guest.check(job).await;
    server.abort();
    result
}

async fn serve(mut stream: TcpStream, service: Service) {
    let mut bytes = vec![0; 65_536];
    match service {
        Service::Echo => {
            while let Ok(n @ 1..) = stream.read(&mut bytes).await {
                if stream.write_all(&bytes[..n]).await.is_err() {
                    break;
                }
            }
        }
        Service::Silent => {
            // Until the guest's end closes.
            while let Ok(1..) = stream.read(&mut bytes).await {}
        }
        Service::Endless => while stream.write_all(&bytes).await.is_ok() {},
    }
}

/// The peer at a TCP address.
pub fn peer(address: std::net::SocketAddr) -> Peer {
    Peer {
        endpoint: Endpoint::new(address, Transport::Tcp),
        target: "localhost".into(),
        source: SourceBinding::default(),
        reply_from: ReplyFrom::SamePort,
        roots: Arc::new(Roots::default()),
    }
}

/// A UDP endpoint for the pure half, which never touches it.
pub fn udp() -> Endpoint {
    Endpoint::new("192.0.2.1:7".parse().expect("an address"), Transport::Udp)
}

/// The kind of the fault, or what there was instead.
pub fn kind(result: &CheckResult) -> &str {
    match &result.fault {
        Some(fault) => fault.kind,
        None => result.conclusion.verdict.name(),
    }
}
