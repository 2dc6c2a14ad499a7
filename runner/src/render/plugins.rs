//! Plugins as text.

use std::io::{self, Write};

use super::escape;
use crate::model::{Metadata, SideEffect, Silence};

/// What is shown of a plugin beyond what it says of itself.
#[derive(Clone, Debug)]
pub struct PluginLine<'a> {
    /// What it says of itself.
    pub metadata: &'a Metadata,
    /// `built in`, or where its file is.
    pub origin: String,
    /// Where it was installed from; none when it was not.
    pub installed: Option<String>,
    /// SHA-256 of the component, hexadecimal.
    pub digest: String,
    /// Bytes of the component.
    pub size: u64,
    /// The contract's version that it was built against.
    pub contract: String,
    /// What it imports.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
}

/// One line per plugin.
///
/// # Errors
/// Those of writing.
pub fn list(out: &mut dyn Write, plugins: &[PluginLine<'_>]) -> io::Result<()> {
    for plugin in plugins {
        let metadata = plugin.metadata;
        writeln!(
            out,
            "{:<14} {:<8} {:<28} {}",
            escape(&metadata.name),
            escape(&metadata.version),
            ports(metadata),
            escape(&metadata.description)
        )?;
    }
    out.flush()
}

/// The receipt: what a plugin is, may do and sends.
///
/// # Errors
/// Those of writing.
pub fn show(out: &mut dyn Write, plugin: &PluginLine<'_>) -> io::Result<()> {
    let metadata = plugin.metadata;
    let sends = &metadata.sends;
    writeln!(out, "{} {}", escape(&metadata.name), escape(&metadata.version))?;
    writeln!(out, "  {}", escape(&metadata.description))?;
    writeln!(out, "origin       {}", escape(&plugin.origin))?;
    match &plugin.installed {
        Some(source) => writeln!(out, "installed    from {}, pinned", escape(source))?,
        None if plugin.origin == "built in" => {}
        None => writeln!(out, "installed    no: not pinned")?,
    }
    writeln!(out, "sha256       {}", plugin.digest)?;
    writeln!(out, "size         {} bytes", plugin.size)?;
    writeln!(out, "contract     portscan:plugin@{}", escape(&plugin.contract))?;
    writeln!(out, "imports      {}", joined(&plugin.imports))?;
    writeln!(out, "exports      {}", joined(&plugin.exports))?;
    writeln!(out, "ports        {}", ports(metadata))?;
    writeln!(out, "sends        {}", escape(&sends.what))?;
    writeln!(
        out,
        "             at most {} packets of {} bytes on {} connections",
        sends.packets, sends.largest, sends.connections
    )?;
    writeln!(out, "amplifies    {}", format!("{:?}", sends.amplification).to_lowercase())?;
    writeln!(out, "leaves       {}", side_effect(metadata.side_effect))?;
    writeln!(out, "runs         {}", runs(metadata))?;
    match &metadata.silence {
        Silence::Unexpected => writeln!(out, "silence      is not normal for a healthy service")?,
        Silence::Normal(why) => writeln!(out, "silence      is normal: {}", escape(why))?,
    }
    for setting in &metadata.settings {
        let default = setting.default.as_deref().map(|d| format!(" [default: {}]", escape(d)));
        writeln!(
            out,
            "setting      {}.{}  {}{}{}{}",
            escape(&metadata.name),
            escape(&setting.name),
            escape(&setting.help),
            default.unwrap_or_default(),
            if setting.required { " (required)" } else { "" },
            if setting.secret { " (secret: --secret)" } else { "" },
        )?;
    }
    out.flush()
}

/// When it is used.
fn runs(metadata: &Metadata) -> String {
    match (metadata.ports.is_empty(), metadata.side_effect > SideEffect::LogLine) {
        (true, _) => "when it is named with --plugin".into(),
        (false, false) => "by itself at its ports, elsewhere with --plugin".into(),
        (false, true) => {
            let effect = match metadata.side_effect {
                SideEffect::Hardware => "hardware",
                _ => "state",
            };
            format!("when it is named with --plugin, at its ports also with --allow {effect}")
        }
    }
}

fn ports(metadata: &Metadata) -> String {
    let ports: Vec<String> =
        metadata.ports.iter().map(|p| format!("{}/{}", p.port, p.transport)).collect();
    match ports.is_empty() {
        true => "none by default".into(),
        false => ports.join(","),
    }
}

fn joined(names: &[String]) -> String {
    match names.is_empty() {
        true => "nothing".into(),
        false => names.iter().map(|n| escape(n).into_owned()).collect::<Vec<_>>().join(", "),
    }
}

fn side_effect(effect: SideEffect) -> &'static str {
    match effect {
        SideEffect::None => "nothing behind",
        SideEffect::LogLine => "a line in the service's log",
        SideEffect::State => "a changed state of the service",
        SideEffect::Hardware => "possibly disturbed hardware",
    }
}
