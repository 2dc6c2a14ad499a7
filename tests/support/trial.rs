//! What is true in a world, endpoint by endpoint, and whether portscan says it.
//!
//! All endpoints of a trial are probed by one run. Then each row is held
//! against its expectation, and both against what the witness saw: a
//! disagreement is shown with the packets that really passed, and an
//! expectation that the world itself does not keep is told apart.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

use serde_json::Value;

pub use super::expectation::{Expectation, Transport};
use super::packet::Family;
use super::portscan::{Portscan, Ran};
use super::world::World;

/// Expectations about one world.
pub struct Trial<'w> {
    world: &'w World,
    args: Vec<String>,
    expectations: Vec<Expectation>,
}

impl<'w> Trial<'w> {
    /// No expectations yet.
    pub fn new(world: &'w World) -> Trial<'w> {
        Trial { world, args: Vec::new(), expectations: Vec::new() }
    }

    /// Adds arguments to the run.
    pub fn args(&mut self, args: &[&str]) -> &mut Self {
        self.args.extend(args.iter().map(|&arg| arg.to_owned()));
        self
    }

    /// An expectation about a TCP endpoint. `fact` says what is there.
    pub fn tcp(&mut self, ip: IpAddr, port: u16, fact: impl Into<String>) -> &mut Expectation {
        self.expect(Transport::Tcp, ip, port, fact)
    }

    /// An expectation about a UDP endpoint. `fact` says what is there.
    pub fn udp(&mut self, ip: IpAddr, port: u16, fact: impl Into<String>) -> &mut Expectation {
        self.expect(Transport::Udp, ip, port, fact)
    }

    /// An expectation about an endpoint. `fact` says what is there.
    pub fn expect(
        &mut self,
        transport: Transport,
        ip: IpAddr,
        port: u16,
        fact: impl Into<String>,
    ) -> &mut Expectation {
        let socket = SocketAddr::new(ip, port);
        self.expectations.push(Expectation::new(transport, socket, fact.into()));
        self.expectations.last_mut().expect("one was just added")
    }

    /// Probes everything in one run as a user would, and panics with the
    /// whole story when anything is not as expected.
    pub fn run(&self) -> Ran {
        let ran = self.portscan().run();
        self.judge(&ran);
        ran
    }

    /// The run that [`Trial::run`] makes, for a test that changes it.
    pub fn portscan(&self) -> Portscan<'w> {
        let lines: Vec<&str> = self.expectations.iter().map(Expectation::target).collect();
        self.world.witness.forget();
        Portscan::new(self.world)
            .args(["--format", "json", "--no-plugins"])
            .args(&self.args)
            .targets(lines.join("\n") + "\n")
    }

    /// Holds a run against the expectations.
    ///
    /// # Panics
    /// When anything is not as expected.
    pub fn judge(&self, ran: &Ran) {
        /// Endpoints whose packets are shown, and those that get a line at all.
        const MOST_STORIES: usize = 5;
        const MOST_LINES: usize = 25;
        self.world.witness.catch_up();
        let report = ran.report();
        let rows = report["endpoints"].as_array().expect("the schema asks for it");
        let mut story = String::new();
        let mut wrong = 0;
        for expectation in &self.expectations {
            let (protocol, socket) = expectation.endpoint();
            let sightings = self.world.witness.of_endpoint(protocol, socket);
            let found: Vec<&Value> = rows.iter().filter(|row| expectation.is_row(row)).collect();
            let mut complaints = match found[..] {
                [row] => expectation.complaints(row, &sightings),
                _ => vec![format!("portscan: {} rows instead of one", found.len())],
            };
            complaints.extend(expectation.doubts(&sightings));
            if !complaints.is_empty() {
                wrong += 1;
                if wrong <= MOST_STORIES {
                    expectation.tell(&mut story, &complaints, &found, &sightings);
                } else if wrong <= MOST_LINES {
                    let _ =
                        writeln!(story, "  {}: {}", expectation.target(), complaints.join("; "));
                }
            }
        }
        if rows.len() != self.expectations.len() {
            let _ =
                writeln!(story, "  {} rows for {} endpoints", rows.len(), self.expectations.len());
            wrong += 1;
        }
        if ran.code() != due_exit_code(&report) {
            let _ = writeln!(story, "  exit code {}, want {}", ran.code(), due_exit_code(&report));
            wrong += 1;
        }
        let all = self.expectations.len();
        assert!(wrong == 0, "{wrong} of {all} are not as this world is:\n{story}\n{ran:?}");
    }
}

/// The exit code that the states of a report ask for.
fn due_exit_code(report: &Value) -> i32 {
    let rows = report["endpoints"].as_array().map_or(&[][..], Vec::as_slice);
    let unresolved = report["unresolved"].as_array().is_some_and(|names| !names.is_empty());
    if unresolved || rows.iter().any(|row| row["state"] == "unknown") {
        2
    } else if rows.iter().any(|row| row["state"] != "open") {
        1
    } else {
        0
    }
}

/// The promise that every JSON report keeps.
static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/schema/report-1.schema.json");
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let schema = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{path}: {error}"))
});

/// Where a report breaks the committed JSON Schema.
pub fn schema_complaints(report: &Value) -> Vec<String> {
    SCHEMA.iter_errors(report).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Both families and both transports, for scenarios that exist in all four.
pub fn everywhere() -> impl Iterator<Item = (Family, Transport)> {
    Family::BOTH.into_iter().flat_map(|family| Transport::BOTH.map(|transport| (family, transport)))
}
