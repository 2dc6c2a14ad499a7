use std::path::PathBuf;

use clap::Args;

/// What a trace needs.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// Host and port: HOST PORT, or HOST:PORT
    #[arg(required = true, num_args = 1..=2)]
    pub words: Vec<String>,
    /// Most hops to try
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub max_hops: u8,
    /// How long to wait for each hop
    #[arg(long, value_name = "TIME", default_value = "1500ms")]
    pub timeout: String,
    /// Only IPv4
    #[arg(short = '4', conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// Only IPv6
    #[arg(short = '6')]
    pub ipv6: bool,
    /// What may be probed, when, how fast (repeatable) [default: scope.toml here and at home]
    #[arg(long, value_name = "FILE")]
    pub scope: Vec<PathBuf>,
    /// Append who traced what, why and with which result to this log (docs/AUDIT.md)
    #[arg(long, value_name = "FILE")]
    pub audit: Option<PathBuf>,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT", requires = "audit")]
    pub reason: Option<String>,
}
