//! What may be typed. No meaning, no I/O.

mod trace;

pub use trace::TraceArgs;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  portscan db.example.com 5432                 one port, TCP
  portscan ns1.example.com 53/udp 53/tcp       transport by suffix
  portscan example.com:443 '[2001:db8::1]:22' 10.0.0.0/29:22,80
  portscan db.example.com 15432 --plugin postgres
  portscan --targets hosts.txt --format json
  portscan trace example.com 443               where do packets die?
  portscan check expected.toml                 is everything as it ought to be?
  portscan watch db 5432 --until open          what changes, as it does
  portscan plugin list

Targets are names, addresses, blocks (10.0.0.0/29) and ranges (10.0.0.1-9); ports are
numbers, ranges, lists and service names, each with /tcp (default) or /udp.
A host whose name is a command is probed by 'portscan probe NAME PORT'.

Exit codes:
  0    every endpoint is open, and no check found it unhealthy
  1    something is not open or not healthy
  2    could not run as asked, or an endpoint could not be measured
       (a name that does not resolve, a state 'unknown')
  130  interrupted; what was known by then is shown
With --format nagios they are that tool's: 0 OK, 2 CRITICAL, 3 UNKNOWN";

/// Can I reach this service from here, and if not, who is in the way?
#[derive(Debug, Parser)]
#[command(name = "portscan", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Cli {
    /// The command, when it is not a probe.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The probe.
    #[command(flatten)]
    pub probe: ProbeArgs,
}

/// Commands. A first word that is none of them is a target.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Probe targets (the default; needed only for a host named like a command)
    Probe(Box<ProbeArgs>),
    /// Look at an audit log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Probe again and again, and show what changes
    Watch(Box<WatchArgs>),
    /// Hold what is there against a file that says what ought to be
    Check(Box<CheckArgs>),
    /// Show options that are set by files and the environment
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Find the hop after which packets to a port die
    Trace(Box<TraceArgs>),
    /// List, show or build plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Say what a state or a reason proves, and what to do next
    Explain {
        /// A state or a reason, for example 'filtered' or 'admin-prohibited'
        term: String,
    },
    /// Show what changed from one JSON report to another
    Diff {
        /// The earlier report; '-' is standard input
        before: PathBuf,
        /// The later report; '-' is standard input
        after: PathBuf,
        /// Output format
        #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
        format: ReportFormat,
    },
    /// Put JSON reports from different places side by side
    Compare {
        /// Reports, each with its --vantage
        #[arg(required = true, num_args = 2..)]
        reports: Vec<PathBuf>,
        /// Output format
        #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
        format: ReportFormat,
    },
    /// Keep a JSON report under a name, and hold later ones against it
    #[command(subcommand)]
    Baseline(BaselineCommand),
    /// Write manual pages, one for each command, into a folder
    Man {
        /// Where; it must be there
        dir: PathBuf,
    },
    /// Write completions for a shell, to be sourced from its start-up file
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Compile a component (used by portscan itself)
    #[command(name = "__compile", hide = true)]
    Compile,
}

/// What to do with baselines.
#[derive(Debug, Subcommand)]
pub enum BaselineCommand {
    /// Keep a report under a new name
    Save(BaselineArgs),
    /// Show what changed since
    Diff(BaselineArgs),
    /// Take a later report as the new baseline, and show what changed
    Accept(BaselineArgs),
}

/// A baseline and a report.
#[derive(Debug, Args)]
pub struct BaselineArgs {
    /// The baseline's name
    pub name: String,
    /// A report of --format json; '-' is standard input
    #[arg(default_value = "-")]
    pub report: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub format: ReportFormat,
}

/// How comparisons are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people
    Table,
    /// One document
    Json,
}

/// What to do with plugins.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// List the plugins that are there
    List {
        /// Where to look for plugins besides the user's own folder
        #[arg(long, value_name = "DIR")]
        plugin_dir: Vec<PathBuf>,
    },
    /// Show what a plugin is, may do and sends
    Show {
        /// A plugin's name or file
        plugin: String,
        /// Where to look for plugins besides the user's own folder
        #[arg(long, value_name = "DIR")]
        plugin_dir: Vec<PathBuf>,
    },
    /// Install a plugin, and pin its bytes: a file, https://..., or oci://REGISTRY/NAME:TAG
    Add {
        /// Where it comes from
        source: String,
    },
    /// Remove an installed plugin
    Remove {
        /// Its name
        name: String,
    },
    /// Fetch installed plugins again from where they came, and pin what came
    Update {
        /// Which [default: all]
        names: Vec<String>,
    },
    /// Push a component to an OCI registry
    Publish {
        /// The component
        file: PathBuf,
        /// oci://REGISTRY/NAME:TAG
        place: String,
    },
    /// Begin a plugin: a folder that builds and passes its tests
    New {
        /// Its name, which is the folder's too
        name: String,
        /// What it is written in
        #[arg(long, value_enum, default_value_t = Lang::Rust)]
        lang: Lang,
    },
    /// Run a plugin's transcripts through the real host, and then with trouble
    Test {
        /// The plugin's folder, which is built first, a component, or a plugin's name
        /// [default with --replay: the one that was recorded]
        #[arg(required_unless_present = "replay")]
        plugin: Option<PathBuf>,
        /// Where the transcripts are [default: `transcripts` beside it]
        #[arg(long, value_name = "DIR", conflicts_with = "replay")]
        transcripts: Option<PathBuf>,
        /// Only this transcript, as written (repeatable)
        #[arg(long, value_name = "FILE")]
        replay: Vec<PathBuf>,
        /// From which flipped bits and garbage are made [default: another each time]
        #[arg(long, value_name = "N")]
        seed: Option<u64>,
        /// Only as written: nothing cut, split, flipped, silent or flooded
        #[arg(long)]
        no_trouble: bool,
    },
    /// Say whether a plugin fits this portscan, and how to mend it when not
    Doctor {
        /// A component, or a crate's folder, which is built first
        plugin: PathBuf,
    },
    /// Compile a plugin into a component
    Build {
        /// The folder of its crate, or of its plugin.c, plugin.js or plugin.py
        dir: PathBuf,
        /// Where to write the component [default: NAME.wasm in that folder]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// What a plugin is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// Rust, with the SDK; 40 to 90 KB
    Rust,
    /// C, by clang or zig; 8 to 20 KB
    C,
    /// JavaScript, by componentize-qjs from npm; 1.1 MB
    Javascript,
    /// Python, by componentize-py from PyPI; 18 MB
    Python,
}

/// What to do with options that need not be typed.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every option that a file can set, with its value and where it comes from
    Show {
        /// With this profile: lan, wan, polite, or one of portscan.toml
        #[arg(long, value_name = "NAME")]
        profile: Option<String>,
    },
}

/// What to do with an audit log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Find edited, removed and moved entries, and a tail that was cut
    Verify {
        /// The log
        log: PathBuf,
        /// The last entry that is known, as 'audit head' printed it
        #[arg(long, value_name = "NUMBER:SHA-256")]
        head: Option<String>,
    },
    /// Print the last entry's number and digest, to be kept elsewhere
    Head {
        /// The log
        log: PathBuf,
    },
}

/// What watching needs.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// What to probe each time.
    #[command(flatten)]
    pub probe: ProbeArgs,
    /// End with 0 as soon as every endpoint is so
    #[arg(long, value_enum, help_heading = "Watching")]
    pub until: Option<Until>,
    /// Give up after this time, with 1
    #[arg(long, value_name = "TIME", help_heading = "Watching")]
    pub within: Option<String>,
    /// Run this by the shell at every change, with the change as JSON on its standard input
    #[arg(long, value_name = "COMMAND", help_heading = "Watching")]
    pub on_change: Option<String>,
    /// Watch what this file of expectations names, and show what is not as expected
    #[arg(long, value_name = "FILE", help_heading = "Watching")]
    pub check: Option<PathBuf>,
    /// A line for every change on a terminal, too, as in a pipe
    #[arg(long, help_heading = "Watching")]
    pub no_live: bool,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Until {
    /// Every endpoint is open
    Open,
    /// Every endpoint is closed
    Closed,
    /// A check found every service healthy
    Healthy,
    /// All is as the file of --check expects
    Met,
}

/// What a check needs.
#[derive(Debug, Args)]
#[command(mut_arg("words", |words| words
    .value_name("FILE")
    .help("A file of expectations, '-' is standard input; with --init targets and ports")))]
pub struct CheckArgs {
    /// How to probe.
    #[command(flatten)]
    pub probe: ProbeArgs,
    /// Show what is as expected, too
    #[arg(long, help_heading = "Checking", conflicts_with = "init")]
    pub all: bool,
    /// Probe these targets, and print a file that expects what is there now
    #[arg(long, help_heading = "Checking")]
    pub init: bool,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// One document, schema portscan/report/1
    Json,
    /// A line per endpoint, as it ends
    Jsonl,
    /// Comma-separated values
    Csv,
    /// A table for tickets and merge requests
    Markdown,
    /// One self-contained page: cards, filter, evidence and advice
    Html,
    /// nmap's XML, for ndiff and importers
    Xml,
    /// JUnit's XML, for CI
    Junit,
    /// Test Anything Protocol
    Tap,
    /// A line for Nagios and its kin, with their exit codes
    Nagios,
    /// Text for Prometheus' node exporter
    Prometheus,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Everything that can be said about a probe.
#[derive(Debug, Args)]
pub struct ProbeArgs {
    /// Targets and ports: HOST PORT..., or HOST:PORTS...
    #[arg(value_name = "TARGET")]
    pub words: Vec<String>,
    /// Read targets from a file, one a line, '#' comments; '-' is standard input
    #[arg(long, value_name = "FILE")]
    pub targets: Vec<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table, help_heading = "Output")]
    pub format: Format,
    /// Colours
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN", help_heading = "Output")]
    pub color: Color,
    /// Write the report in another format as well, into a file (repeatable)
    #[arg(short, long, value_name = "FORMAT=FILE", help_heading = "Output")]
    pub output: Vec<String>,
    /// What to call the place that is probed from, in reports
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    pub vantage: Option<String>,
    /// Run it there: local, or ssh://USER@HOST:PORT, where portscan is, too (repeatable)
    #[arg(long, value_name = "PLACE", help_heading = "Output")]
    pub via: Vec<String>,
    /// No advice under the rows
    #[arg(long, help_heading = "Output")]
    pub no_advice: bool,
    /// Show all evidence and what plugins say of their work
    #[arg(long, help_heading = "Output")]
    pub explain: bool,
    /// Append who probed what, why and with which result to this log (docs/AUDIT.md)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub audit: Option<PathBuf>,
    /// A set of options: lan, wan, polite, or one of portscan.toml
    #[arg(long, value_name = "NAME", help_heading = "Timing")]
    pub profile: Option<String>,
    /// What may be probed, when, how fast (repeatable) [default: scope.toml here and at home]
    #[arg(long, value_name = "FILE", help_heading = "Addresses")]
    pub scope: Vec<PathBuf>,
    /// Many addresses outside private networks: yes, I may probe them
    #[arg(long, help_heading = "Addresses")]
    pub i_am_authorised: bool,
    /// Go on where an earlier run stopped, whose rows are in this file; append the others
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub resume: Option<PathBuf>,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT", requires = "audit", help_heading = "Output")]
    pub reason: Option<String>,
    /// No progress line
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,
    /// Only IPv4
    #[arg(short = '4', conflicts_with = "ipv6", help_heading = "Addresses")]
    pub ipv4: bool,
    /// Only IPv6
    #[arg(short = '6', help_heading = "Addresses")]
    pub ipv6: bool,
    /// Probe only the first address of a name
    #[arg(long, help_heading = "Addresses")]
    pub first_address: bool,
    /// Source address
    #[arg(long, value_name = "ADDRESS", help_heading = "Addresses")]
    pub source: Option<std::net::IpAddr>,
    /// Network interface
    #[arg(long, value_name = "NAME", help_heading = "Addresses")]
    pub interface: Option<String>,
    /// How long an endpoint may stay silent [default: 3.3s, less where controls allow]
    #[arg(long, value_name = "TIME", help_heading = "Timing")]
    pub timeout: Option<String>,
    /// Attempts at a silent endpoint [default: 3 for TCP, 7 for UDP, more on a lossy path]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100), help_heading = "Timing")]
    pub attempts: Option<u8>,
    /// Sockets in use at once
    #[arg(long, value_name = "N", help_heading = "Timing")]
    pub max_in_flight: Option<usize>,
    /// Packets a second, or 'max'
    #[arg(long, value_name = "N", help_heading = "Timing")]
    pub rate: Option<String>,
    /// End the whole run by then, with what is known
    #[arg(long, value_name = "TIME", help_heading = "Timing")]
    pub deadline: Option<String>,
    /// Go on until every closed UDP port is proved, however slow its ICMP budget
    #[arg(long, help_heading = "Timing")]
    pub prove: bool,
    /// No control probes at unused ports
    #[arg(long, help_heading = "Timing")]
    pub no_controls: bool,
    /// Trace the way to every endpoint that is filtered
    #[arg(long, help_heading = "Timing")]
    pub trace: bool,
    /// Probe this many times and show how the answers vary
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000), help_heading = "Timing")]
    pub count: u32,
    /// Time between two probes of --count, or of watch [default: 1s]
    #[arg(long, value_name = "TIME", help_heading = "Timing")]
    pub every: Option<String>,
    /// Check with this plugin, by name or file, whatever the port (repeatable)
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "no_plugins", help_heading = "Plugins")]
    pub plugin: Vec<String>,
    /// Run no plugin at all
    #[arg(long, help_heading = "Plugins")]
    pub no_plugins: bool,
    /// Where to look for plugins besides the user's own folder (repeatable)
    #[arg(long, value_name = "DIR", help_heading = "Plugins")]
    pub plugin_dir: Vec<PathBuf>,
    /// A plugin's setting (repeatable)
    #[arg(long, value_name = "PLUGIN.NAME=VALUE", help_heading = "Plugins")]
    pub set: Vec<String>,
    /// A plugin's secret (repeatable)
    #[arg(long, value_name = "PLUGIN.NAME=env:VAR|file:PATH", help_heading = "Plugins")]
    pub secret: Vec<String>,
    /// Let plugins send to this port, where it may be printed or move something (repeatable)
    #[arg(long, value_name = "PORT/PROTO", help_heading = "Plugins")]
    pub send_to: Vec<String>,
    /// Keep a transcript of every check in this folder, for 'plugin test --replay'
    #[arg(long, value_name = "DIR", help_heading = "Plugins")]
    pub record: Option<PathBuf>,
    /// Let plugins with this side effect run by themselves: state, hardware
    #[arg(long, value_name = "SIDE-EFFECT", help_heading = "Plugins")]
    pub allow: Vec<String>,
}
