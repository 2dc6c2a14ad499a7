use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::{advice, name, plain, sentences};
use crate::expect::{Case, Check, Status};

/// JUnit's XML, as CI systems read it: a test per expectation. What differs has
/// failed, what could not be measured is an error.
pub(super) fn junit(out: &mut dyn Write, check: &Check) -> io::Result<()> {
    let counts = check.counts;
    let mut text = Vec::new();
    let mut xml = Writer::new_with_indent(&mut text, b' ', 1);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.create_element("testsuite")
        .with_attribute(("name", "portscan check"))
        .with_attribute(("timestamp", check.started.as_str()))
        .with_attribute(("hostname", &*plain(check.vantage.shown_name())))
        .with_attribute(("tests", &*check.expectations.len().to_string()))
        .with_attribute(("failures", &*counts.differ.to_string()))
        .with_attribute(("errors", &*counts.not_measured.to_string()))
        .with_attribute(("skipped", &*counts.skipped.to_string()))
        .write_inner_content(|xml| {
            check.expectations.iter().try_for_each(|case| test(xml, case))
        })?;
    text.push(b'\n');
    out.write_all(&text)
}

fn test(xml: &mut Writer<&mut Vec<u8>>, case: &Case) -> io::Result<()> {
    let seconds = case.endpoint.as_ref().map_or(0.0, |row| row.evidence.over_ms / 1e3);
    let element = xml
        .create_element("testcase")
        .with_attribute(("classname", &*plain(&case.target)))
        .with_attribute(("name", &*format!("{}: {}", name(case), plain(&case.expected))))
        .with_attribute(("time", &*format!("{seconds:.3}")));
    let kind = match case.status {
        Status::AsExpected => return element.write_empty().map(drop),
        Status::Differs => "failure",
        Status::NotMeasured => "error",
        Status::Skipped => "skipped",
    };
    let why = sentences(case);
    let mut text = advice(case);
    text.push(format!("at {}", plain(&case.place)));
    element.write_inner_content(|xml| {
        let element = xml.create_element(kind).with_attribute(("message", &*why.join("; ")));
        match case.status {
            Status::Skipped => element.write_empty()?,
            _ => element
                .with_attribute(("type", case.status.name()))
                .write_text_content(BytesText::new(&text.join("\n")))?,
        };
        Ok(())
    })?;
    Ok(())
}
