use std::collections::BTreeMap;
use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::plain;
use crate::model::{PortState, Transport, Verdict};
use crate::report::{EndpointRow, Report};

/// nmap's XML, so that ndiff and every importer reads it (nmap.dtd, version 1.05).
///
/// The document type allows one scanner's name only; `args` says who it was.
pub fn nmap(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let (started, finished) = (seconds(&report.head.started), seconds(&report.tail.finished));
    let mut hosts: BTreeMap<(&str, &str), Vec<&EndpointRow<'_>>> = BTreeMap::new();
    for row in &report.endpoints {
        hosts.entry((&row.target, &row.address)).or_default().push(row);
    }
    let up = hosts.values().filter(|rows| is_up(rows)).count();
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 1);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.write_event(Event::DocType(BytesText::new("nmaprun")))?;
    xml.create_element("nmaprun")
        .with_attribute(("scanner", "nmap"))
        .with_attribute(("args", &*format!("portscan {}", plain(&report.head.portscan))))
        .with_attribute(("start", &*started.to_string()))
        .with_attribute(("version", &*plain(&report.head.portscan)))
        .with_attribute(("xmloutputversion", "1.05"))
        .write_inner_content(|xml| {
            scans(xml, report)?;
            for level in ["verbose", "debugging"] {
                xml.create_element(level).with_attribute(("level", "0")).write_empty()?;
            }
            for ((target, address), rows) in &hosts {
                host(xml, target, address, rows)?;
            }
            xml.create_element("runstats").write_inner_content(|xml| {
                let elapsed = (finished - started).max(0).to_string();
                xml.create_element("finished")
                    .with_attribute(("time", &*finished.to_string()))
                    .with_attribute(("elapsed", &*elapsed))
                    .with_attribute(("exit", "success"))
                    .write_empty()?;
                xml.create_element("hosts")
                    .with_attribute(("up", &*up.to_string()))
                    .with_attribute(("down", &*(hosts.len() - up).to_string()))
                    .with_attribute(("total", &*hosts.len().to_string()))
                    .write_empty()?;
                Ok(())
            })?;
            Ok(())
        })?;
    out.write_all(&xml.into_inner())?;
    writeln!(out)
}

fn scans(xml: &mut Writer<Vec<u8>>, report: &Report) -> io::Result<()> {
    for (transport, kind) in [(Transport::Tcp, "connect"), (Transport::Udp, "udp")] {
        let mut ports: Vec<u16> = report
            .endpoints
            .iter()
            .filter(|row| row.transport == transport)
            .map(|row| row.port)
            .collect();
        ports.sort_unstable();
        ports.dedup();
        if ports.is_empty() {
            continue;
        }
        let services: Vec<String> = ports.iter().map(u16::to_string).collect();
        xml.create_element("scaninfo")
            .with_attribute(("type", kind))
            .with_attribute(("protocol", transport.name()))
            .with_attribute(("numservices", &*ports.len().to_string()))
            .with_attribute(("services", &*services.join(",")))
            .write_empty()?;
    }
    Ok(())
}

fn host(
    xml: &mut Writer<Vec<u8>>,
    target: &str,
    address: &str,
    rows: &[&EndpointRow<'_>],
) -> io::Result<()> {
    let (state, reason) = match is_up(rows) {
        true => ("up", "user-set"),
        false => ("unknown", "no-response"),
    };
    let kind = if address.contains(':') { "ipv6" } else { "ipv4" };
    xml.create_element("host").write_inner_content(|xml| {
        xml.create_element("status")
            .with_attribute(("state", state))
            .with_attribute(("reason", reason))
            .with_attribute(("reason_ttl", "0"))
            .write_empty()?;
        xml.create_element("address")
            .with_attribute(("addr", &*plain(address)))
            .with_attribute(("addrtype", kind))
            .write_empty()?;
        if target != address {
            xml.create_element("hostnames").write_inner_content(|xml| {
                xml.create_element("hostname")
                    .with_attribute(("name", &*plain(target)))
                    .with_attribute(("type", "user"))
                    .write_empty()?;
                Ok(())
            })?;
        }
        xml.create_element("ports")
            .write_inner_content(|xml| rows.iter().try_for_each(|row| port(xml, row)))?;
        Ok(())
    })?;
    Ok(())
}

fn port(xml: &mut Writer<Vec<u8>>, row: &EndpointRow<'_>) -> io::Result<()> {
    xml.create_element("port")
        .with_attribute(("protocol", row.transport.name()))
        .with_attribute(("portid", &*row.port.to_string()))
        .write_inner_content(|xml| {
            let mut state = xml
                .create_element("state")
                .with_attribute(("state", &*row.state.to_string()))
                .with_attribute(("reason", &*row.reason.to_string()))
                .with_attribute(("reason_ttl", "0"));
            if let Some(from) = row.evidence.from.as_deref().filter(|from| *from != row.address) {
                state = state.with_attribute(("reason_ip", &*plain(from)));
            }
            state.write_empty()?;
            if let Some(check) = row.check.as_ref().filter(|c| c.verdict == Verdict::Confirmed) {
                xml.create_element("service")
                    .with_attribute(("name", &*plain(&check.plugin)))
                    .with_attribute(("extrainfo", &*plain(&check.summary)))
                    .with_attribute(("method", "probed"))
                    .with_attribute(("conf", "10"))
                    .write_empty()?;
            }
            Ok(())
        })?;
    Ok(())
}

/// Whether anything of a host was heard.
fn is_up(rows: &[&EndpointRow<'_>]) -> bool {
    rows.iter().any(|row| matches!(row.state, PortState::Open | PortState::Closed))
}

/// A time of a report in seconds since 1970; 0 where it is none.
fn seconds(time: &str) -> i64 {
    time.parse::<jiff::Timestamp>().map_or(0, |time| time.as_second())
}
