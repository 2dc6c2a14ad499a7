//! Plugins installed from a file, the web and a real OCI registry, pinned, and
//! refused when they are not what was installed. And registries that lie.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::{shell, top};

/// A registry of Debian's `docker-registry`, on loopback.
struct Registry {
    server: Child,
    place: SocketAddr,
}

impl Registry {
    fn start(folder: &Path) -> Option<Registry> {
        if Command::new("docker-registry").arg("--version").output().is_err() {
            crate::skip::skip("docker-registry is not installed (Debian: docker-registry)");
            return None;
        }
        let place = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let data = folder.join("registry");
        let config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\n\
             http:\n  addr: {place}\n",
            data.display()
        );
        std::fs::write(folder.join("registry.yml"), config).unwrap();
        let server = Command::new("docker-registry")
            .arg("serve")
            .arg(folder.join("registry.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let registry = Registry { server, place };
        let began = Instant::now();
        while TcpStream::connect(place).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "the registry does not start");
            thread::sleep(Duration::from_millis(20));
        }
        Some(registry)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Runs a command that must end so; returns all that it said.
#[track_caller]
fn run(folder: &Path, line: &str, code: i32) -> String {
    let ended = shell(line, folder);
    let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(code), "{line}\n{said}");
    said.into_owned()
}

#[test]
fn a_plugin_is_published_added_pinned_updated_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let Some(registry) = Registry::start(folder) else { return };
    let place = format!("oci://{}/team/hello", registry.place);
    let hello = top().join("plugins/prebuilt/examples/hello.wasm");
    let hello = hello.display();
    let ssh = top().join("plugins/prebuilt/ssh.wasm");

    let said = run(folder, &format!("portscan plugin publish {hello} {place}:1"), 0);
    let pinned = said.split("pinned: ").nth(1).unwrap().trim().to_owned();
    run(folder, &format!("portscan plugin add {place}:1"), 0);
    assert!(run(folder, "portscan plugin list", 0).contains("hello"));
    let shown = run(folder, "portscan plugin show hello", 0);
    assert!(shown.contains(&format!("from {place}:1, pinned")), "{shown}");
    // The same again changes nothing; by its digest it is the same too.
    run(folder, &format!("portscan plugin add {pinned} && portscan plugin add {place}:1"), 0);
    assert!(run(folder, "portscan plugin update", 0).contains("is as it was"));

    // Somebody puts another component in its place.
    let file = folder.join("data/portscan/plugins/hello.wasm");
    let honest = std::fs::read(&file).unwrap();
    std::fs::copy(&ssh, &file).unwrap();
    let said = run(folder, "portscan 127.0.0.1 1 --plugin hello", 2);
    let digest = |bytes: &[u8]| portscan::host::digest(bytes);
    let (old, new) = (digest(&honest), digest(&std::fs::read(&ssh).unwrap()));
    assert!(said.contains(&old) && said.contains(&new), "{said}");
    assert!(said.contains("portscan plugin remove"), "{said}");
    // What is refused does not stop anything else.
    let said = run(folder, "portscan 127.0.0.1 1", 1);
    assert!(said.contains("refused") && said.contains("closed"), "{said}");
    assert!(run(folder, "portscan plugin update hello", 0).contains("restored"));
    assert_eq!(std::fs::read(&file).unwrap(), honest);

    // The tag moves on: what is installed stays until it is updated. The name must.
    run(folder, &format!("portscan plugin publish {} {place}:1", ssh.display()), 0);
    assert!(run(folder, "portscan plugin list", 0).contains("hello"));
    let pin = format!("portscan plugin add {place}:1 && portscan plugin update hello");
    assert!(run(folder, &pin, 2).contains("is now the plugin ssh"), "{pin}");
    // A digest does not move.
    run(folder, "portscan plugin remove hello && portscan plugin remove ssh", 0);
    run(folder, &format!("portscan plugin add {pinned} && portscan plugin update"), 0);
    run(folder, "portscan plugin remove hello", 0);
    assert!(!file.exists());

    // From a file, and by a name that is there already.
    run(folder, &format!("portscan plugin add {hello}"), 0);
    std::fs::copy(&ssh, folder.join("ssh.wasm")).unwrap();
    for (line, says) in [
        ("portscan plugin add nothere.wasm", "No such file"),
        ("portscan plugin add registry.yml", "not WebAssembly"),
        ("portscan plugin add http://example.invalid/x.wasm", "https"),
        ("portscan plugin add oci://127.0.0.1/no-tag", "names no tag"),
        ("portscan plugin remove nobody", "plugin list"),
        ("portscan plugin publish ssh.wasm ./elsewhere", "oci://"),
        (&format!("portscan plugin add oci://{}/team/none:1", registry.place), "not there"),
    ] {
        assert!(run(folder, line, 2).contains(says), "{line}");
    }
    std::fs::write(folder.join("data/portscan/plugins/plugins.lock"), "version = ?").unwrap();
    let said = run(folder, "portscan plugin list", 0);
    assert!(said.contains("plugins.lock") && !said.contains("hello"), "{said}");
}

/// A registry that answers every request with what `answer` makes of its path.
fn liar(answer: impl Fn(&str, SocketAddr) -> Vec<u8> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let said = answer(path, place);
            let endless = said.ends_with(b"AND SO ON");
            let mut alive = stream.write_all(&said).is_ok();
            while endless && alive {
                alive = stream.write_all(&[b'x'; 65_536]).is_ok();
            }
        }
    });
    place
}

fn response(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .into()
}

#[test]
fn a_registry_that_lies_installs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = |digest: &str, size: u64, kind: &str| {
        response(
            "200 OK",
            &format!(
                "{{\"layers\":[{{\"mediaType\":\"{kind}\",\"digest\":\"{digest}\",\"size\":{size}}}]}}"
            ),
        )
    };
    let announced = format!("sha256:{}", "a".repeat(64));
    let endless = b"HTTP/1.1 200 OK\r\n\r\nAND SO ON".to_vec();
    type Lie = Box<dyn Fn(&str, SocketAddr) -> Vec<u8> + Send>;
    let layer = move |path: &str, blob: Vec<u8>, size, kind: &str| match path.contains("/blobs/") {
        true => blob,
        false => manifest(&announced, size, kind),
    };
    let (a, b, c) = (layer.clone(), layer.clone(), layer.clone());
    let flood = endless.clone();
    let lies: Vec<(Lie, &str)> = vec![
        (
            Box::new(move |p, _| a(p, response("200 OK", "other"), 5, "application/wasm")),
            "announced",
        ),
        (Box::new(move |p, _| b(p, flood.clone(), 5, "application/wasm")), "larger than"),
        (Box::new(move |p, _| c(p, vec![], 1 << 40, "application/wasm")), "larger than"),
        (Box::new(move |p, _| layer(p, vec![], 5, "text/\\u001b[2Jhtml")), "not application/wasm"),
        (Box::new(move |_, _| endless.clone()), "larger than"),
        (Box::new(|_, _| response("200 OK", "{}")), "0 layers"),
        (Box::new(|_, _| response("200 OK", "[")), "its manifest is none"),
        (Box::new(|_, _| response("500 Oops", "")), "answers 500"),
        (Box::new(|_, _| b"SSH-2.0-OpenSSH\r\n".to_vec()), "oci://"),
        (Box::new(|_, _| Vec::new()), "oci://"),
        (
            Box::new(|p, me| {
                format!(
                    "HTTP/1.1 302 Found\r\nLocation: http://{me}{p}x\r\nContent-Length: 0\r\n\r\n"
                )
                .into()
            }),
            "redirect",
        ),
        (
            Box::new(|_, me| {
                format!(
                    "HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm=\"http://{me}/t\"\r\n\
                     Content-Length: 0\r\n\r\n"
                )
                .into()
            }),
            "does not let us",
        ),
    ];
    for (lie, says) in lies {
        let place = liar(lie);
        let said = run(folder.path(), &format!("portscan plugin add oci://{place}/x:1"), 2);
        assert!(said.contains(says), "{says}: {said}");
        assert!(!said.contains('\u{1b}'), "{said}");
    }
    assert!(!folder.path().join("data").exists());
}
