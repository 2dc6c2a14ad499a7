//! A trace as text.

use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

/// What one hop answered.
#[derive(Clone, Debug)]
pub struct HopLine {
    /// Distance, from 1.
    pub hop: u8,
    /// Who answered, if anybody did.
    pub from: Option<IpAddr>,
    /// How long it took.
    pub rtt: Option<Duration>,
    /// What it said, when that was more than "time exceeded".
    pub said: String,
}

/// Writes hops and the sentence that follows from them.
///
/// # Errors
/// Those of writing.
pub fn write(
    out: &mut dyn Write,
    title: &str,
    hops: &[HopLine],
    conclusion: &str,
) -> io::Result<()> {
    writeln!(out, "{title}")?;
    for hop in hops {
        let from = hop.from.map_or_else(|| "*".to_string(), |ip| ip.to_string());
        let rtt =
            hop.rtt.map_or_else(String::new, |rtt| format!("{:.1} ms", rtt.as_secs_f64() * 1e3));
        writeln!(
            out,
            "{}",
            format!("  {:>2}  {from:<39} {rtt:>9}  {}", hop.hop, hop.said).trim_end()
        )?;
    }
    writeln!(out, "{conclusion}")?;
    out.flush()
}
