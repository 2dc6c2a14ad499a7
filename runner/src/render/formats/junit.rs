use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::{is_fine, name, plain, verdict};
use crate::model::PortState;
use crate::report::Report;

/// JUnit's XML, as CI systems read it: a test per endpoint. What is not open or not
/// healthy has failed; what could not be measured is an error.
pub fn junit(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let unknown = report.endpoints.iter().filter(|row| row.state == PortState::Unknown).count();
    let failed = report.endpoints.iter().filter(|row| !is_fine(row)).count() - unknown;
    let unresolved = report.tail.unresolved.len();
    let mut xml = Writer::new_with_indent(&mut *out, b' ', 1);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.create_element("testsuite")
        .with_attribute(("name", "portscan"))
        .with_attribute(("timestamp", report.head.started.as_str()))
        .with_attribute(("hostname", &*plain(report.head.vantage.shown_name())))
        .with_attribute(("tests", &*(report.endpoints.len() + unresolved).to_string()))
        .with_attribute(("failures", &*failed.to_string()))
        .with_attribute(("errors", &*(unknown + unresolved).to_string()))
        .write_inner_content(|xml| {
            for row in &report.endpoints {
                let seconds = row.evidence.over_ms / 1e3;
                let test = xml
                    .create_element("testcase")
                    .with_attribute(("classname", &*plain(&row.target)))
                    .with_attribute(("name", &*plain(&name(row))))
                    .with_attribute(("time", &*format!("{seconds:.3}")));
                if is_fine(row) {
                    test.write_empty()?;
                    continue;
                }
                let kind = if row.state == PortState::Unknown { "error" } else { "failure" };
                test.write_inner_content(|xml| {
                    let said = row.check.as_ref().map(|check| plain(&check.summary));
                    let advice = row.advice.iter().map(|text| plain(text));
                    let text: Vec<String> = said.into_iter().chain(advice).collect();
                    xml.create_element(kind)
                        .with_attribute(("message", &*plain(&verdict(row))))
                        .with_attribute(("type", &*row.state.to_string()))
                        .write_text_content(BytesText::new(&text.join("\n")))?;
                    Ok(())
                })?;
            }
            for name in &report.tail.unresolved {
                xml.create_element("testcase")
                    .with_attribute(("classname", &*plain(&name.target)))
                    .with_attribute(("name", &*plain(&name.target)))
                    .write_inner_content(|xml| {
                        let message = format!("unresolved ({})", name.reason.name());
                        xml.create_element("error")
                            .with_attribute(("message", &*message))
                            .with_attribute(("type", "unresolved"))
                            .write_empty()?;
                        Ok(())
                    })?;
            }
            Ok(())
        })?;
    writeln!(out)
}
