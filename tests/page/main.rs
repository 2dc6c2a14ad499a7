//! The page of a report, in headless Chromium: at three widths, light and dark, with
//! and without scripts, and with an accessibility checker.

use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;

#[allow(dead_code)]
#[path = "../support/skip.rs"]
mod skip;

/// What is missing here, if anything is.
fn missing() -> Option<&'static str> {
    let Some(tools) = std::env::var_os("PORTSCAN_PAGE_TOOLS") else {
        return Some("PORTSCAN_PAGE_TOOLS is not set (tests/toolchain/page)");
    };
    if !Path::new(&tools).join("node_modules/axe-core").exists() {
        return Some("PORTSCAN_PAGE_TOOLS holds no axe-core (tests/toolchain/page)");
    }
    let chromium = Command::new("chromium").arg("--version").output();
    chromium.is_err().then_some("no chromium (Debian: chromium)")
}

/// Makes a report of all kinds of rows, with texts that want to be code.
fn page(folder: &Path) -> std::path::PathBuf {
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let shut = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let hostile = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = hostile.local_addr().unwrap();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for mut stream in hostile.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(
                b"HTTP/1.1 200 <script>alert(1)</script>\r\nServer: \"onload=alert(1)\x1b[2J<b>\r\n\
                  Location: javascript:alert(1)\r\n\r\n",
            );
        }
    });
    let targets = folder.join("targets");
    let text = format!(
        "{at}\n{}\n{shut}\n127.0.0.1:{}/udp\nno-such-name.invalid:80\n{}.invalid:1\n",
        open.local_addr().unwrap(),
        silent.local_addr().unwrap().port(),
        "a-name-that-is-as-long-as-a-label-may-be-which-is-63-characters",
    );
    std::fs::write(&targets, text).unwrap();
    let page = folder.join("report.html");
    let ran = Command::new(env!("CARGO_BIN_EXE_portscan"))
        .arg("--targets")
        .arg(&targets)
        .args(["--plugin", "http", "--timeout", "1s", "-o"])
        .arg(format!("html={}", page.display()))
        .env("XDG_CACHE_HOME", folder)
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(2), "{}", String::from_utf8_lossy(&ran.stderr));
    page
}

#[test]
fn the_page_is_readable_everywhere_and_runs_nothing_of_strangers() {
    if let Some(why) = missing() {
        return skip::skip(why);
    }
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path());
    let text = std::fs::read_to_string(&page).unwrap();
    assert!(!text.contains("<script>alert") && !text.contains('\u{1b}'), "{text}");
    let shots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&shots).unwrap();
    let looked = Command::new("node")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/page/check.mjs"))
        .arg(&page)
        .arg(&shots)
        .env("HOME", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&looked.stdout) + String::from_utf8_lossy(&looked.stderr);
    assert!(looked.status.success(), "{said}");
    for name in ["desktop", "phone", "dark"] {
        let png = std::fs::read(shots.join(format!("{name}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG") && png.len() > 10_000, "{name}: {}", png.len());
    }
}
