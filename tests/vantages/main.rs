//! One site seen from three places: `portscan compare` tells for each service who
//! reaches it, who does not, and who is in the way.
//!
//! The office, a cloud and a build machine each run portscan in a network of their
//! own. A router and the servers themselves treat them differently. The whole
//! matrix is written down beside this file, as a user would read it. `--via` brings the same.

mod bastion;
#[path = "../services/servers/mod.rs"]
#[allow(dead_code)]
mod servers;
mod site;
#[path = "../support/mod.rs"]
#[allow(unused_imports)]
mod support;
mod via;

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use serde_json::Value;

use site::{HOSTS, Site};
use support::portscan::{Portscan, Ran};

/// What a user reads.
const MATRIX: &str = include_str!("matrix.txt");

/// The name server of every place.
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 99, 2, 53));

#[test]
fn three_places_side_by_side_say_who_is_in_the_way() {
    let Some(site) = Site::new() else { return };
    // Servers end with the thread that started them, so all of it runs in this one.
    let servers = site.servers().clone();
    servers.enter(move || {
        let Some(site) = site.furnished() else { return };
        let out = site.folder();
        let reports = ["office", "vpc", "ci"].map(|place| {
            let file = out.join(format!("{place}.json"));
            let ran = Portscan::new(&site.world)
                .in_ns(site.place(place))
                .args(HOSTS)
                .args(site.only_from(place))
                .args(["--vantage", place, "-o"])
                .args([format!("json={}", file.display())])
                // Nobody is asked: the targets are addresses.
                .resolver(SERVER)
                .run();
            assert!(ran.stderr.is_empty(), "{ran:?}");
            says_from_where(place, &file);
            file.into_os_string()
        });
        is_the_matrix(&site, &reports);
        via::is_the_matrix(&site, MATRIX);
    });
}

/// A report says from which address of which interface it looked, and whom it would
/// have asked for names.
fn says_from_where(place: &str, file: &Path) {
    let text = std::fs::read_to_string(file).expect("portscan wrote it");
    let report: Value = serde_json::from_str(&text).expect("a document");
    let complaints = support::trial::schema_complaints(&report);
    assert!(complaints.is_empty(), "{complaints:#?}");
    let vantage = &report["vantage"];
    let (addresses, gateways) = match place {
        "office" => (["10.99.1.2", "fd99:1::2"], &["10.99.1.1", "fd99:1::1"][..]),
        "vpc" => (["10.99.3.2", "fd99:3::2"], &["10.99.3.1", "fd99:3::1"][..]),
        _ => (["10.99.4.2", "fd99:4::2"], &["10.99.4.1"][..]),
    };
    assert_eq!(vantage["name"], place);
    assert_eq!(vantage["user"], "nobody");
    assert_eq!(vantage["source_addresses"], serde_json::json!(addresses));
    assert_eq!(vantage["interfaces"], serde_json::json!(["eth0", "eth0"]));
    assert_eq!(vantage["gateways"], serde_json::json!(gateways));
    assert_eq!(vantage["name_servers"], serde_json::json!([SERVER.to_string()]));
}

/// Both formats against what is written down, line by line.
fn is_the_matrix(site: &Site, reports: &[OsString]) {
    let compare = |more: &[&str]| -> Ran {
        let ran = Portscan::new(&site.world).args(["compare"]).args(reports).args(more).run();
        assert_eq!(ran.code(), 1, "{ran:?}");
        ran
    };
    let table = compare(&[]);
    let shown: Vec<&str> = table.stdout.lines().map(str::trim_end).collect();
    let written: Vec<&str> = MATRIX.lines().collect();
    assert_eq!(shown, written, "{table:?}");

    let ran = compare(&["--format", "json"]);
    let shown: Value = serde_json::from_str(&ran.stdout).expect("a document");
    assert_eq!(shown["schema"], "portscan/matrix/1");
    assert_eq!(shown["vantages"], serde_json::json!(["office", "vpc", "ci"]));
    let lines = shown["lines"].as_array().expect("a list");
    assert_eq!(table_of(lines), written[1..], "{ran:?}");
}

/// The table's lines, made of the document.
fn table_of(lines: &[Value]) -> Vec<String> {
    let texts = |line: &Value| -> Vec<String> {
        let name = format!(
            "{} {}/{}",
            line["target"].as_str().expect("a text"),
            line["port"],
            line["transport"].as_str().expect("a text")
        );
        let cells = line["cells"].as_array().expect("a list");
        let cell = |cell: &Value| match cell.is_null() {
            true => "-".to_owned(),
            false => {
                let (state, text) = (cell["state"].as_str(), cell["text"].as_str());
                assert_eq!(state, text.and_then(|text| text.split(' ').next()), "{line:#}");
                text.expect("a text").to_owned()
            }
        };
        std::iter::once(name).chain(cells.iter().map(cell)).collect()
    };
    let rows: Vec<Vec<String>> = lines.iter().map(texts).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let mut table = Vec::new();
    for (line, row) in lines.iter().zip(&rows) {
        let padded: Vec<String> = row
            .iter()
            .enumerate()
            .map(|(column, text)| format!("{text:<0$}", width(column)))
            .collect();
        table.push(padded.join("  ").trim_end().to_owned());
        if let Some(conclusion) = line["conclusion"].as_str() {
            table.push(format!("  -> {conclusion}"));
        }
    }
    table
}
