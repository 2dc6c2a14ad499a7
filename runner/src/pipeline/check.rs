//! `portscan check`: what ought to be, beside what is.

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::probe::{self, Measured};
use crate::check::{Assigned, Checks};
use crate::exit::ExitStatus;
use crate::expect::{self, Check, Known, Plan};
use crate::model::{Endpoint, Family, Transport};
use crate::render;
use crate::report::Report;
use crate::settings::{CheckSettings, Format, ProbeSettings};

/// Largest file of expectations.
const MAX_FILE: u64 = 8 * 1024 * 1024;

/// Holds what is there against a file, or writes one that says what is there.
pub(super) fn run(settings: &CheckSettings) -> ExitStatus {
    let ended = match &settings.file {
        Some(file) => check(settings, file),
        None => init(&settings.probe),
    };
    match ended {
        Ok(status) if settings.probe.format == Format::Nagios => status.for_nagios(),
        Ok(status) => status,
        Err(message) => {
            render::talk::error(&message);
            ExitStatus::CannotRun
        }
    }
}

fn check(settings: &CheckSettings, file: &Path) -> Result<ExitStatus, String> {
    let asked = Asked::read(&settings.probe, file)?;
    let outputs = Outputs::open(settings)?;
    let Held { mut check, report, status } = asked.hold()?;
    if !settings.probe.advice {
        check.expectations.iter_mut().for_each(|case| case.advise_nothing());
    }
    outputs.write(&check, &report)?;
    Ok(match status {
        ExitStatus::Interrupted => ExitStatus::Interrupted,
        _ => ended(&check),
    })
}

/// A file of expectations, read and ready to be held against what is there, as often
/// as one likes.
pub(super) struct Asked {
    plan: Plan,
    probe: ProbeSettings,
    assigned: Vec<Assigned>,
}

/// What a file came to, and what it was held against.
pub(super) struct Held {
    /// What became of every expectation.
    pub check: Check,
    /// What is there.
    pub report: Report,
    /// How the probe ended.
    pub status: ExitStatus,
}

impl Asked {
    /// Reads the file; `settings` say how to probe.
    ///
    /// # Errors
    /// What is wrong with the file, a line each.
    pub fn read(settings: &ProbeSettings, file: &Path) -> Result<Asked, String> {
        let plan = plan(settings, file)?;
        plan.warnings.iter().for_each(|warning| render::talk::note(warning));
        let vantage = settings.vantage.as_deref();
        let assigned = plan.plugins_from(vantage).map(|(target, port, transport, expected)| {
            let plugin = expected.plugin.iter().map(|(_, name)| name.clone()).collect();
            let own = expected.settings.iter().map(|(_, n, v)| (n.clone(), v.clone()));
            Assigned { target: target.clone(), port, transport, plugin, settings: own.collect() }
        });
        let assigned = assigned.collect();
        let targets = plan.targets_from(vantage);
        fits(&targets, settings.family)?;
        Ok(Asked { plan, probe: ProbeSettings { targets, ..settings.clone() }, assigned })
    }

    /// Probes, and holds what is there against the file.
    ///
    /// # Errors
    /// A sentence that says why it could not run.
    pub fn hold(&self) -> Result<Held, String> {
        let Measured { report, status, resolved } =
            probe::measure(&self.probe, self.assigned.clone())?;
        let check = expect::compare(&self.plan, &report, &resolved);
        Ok(Held { check, report, status })
    }
}

/// The worse wins: what could not be measured over what differs.
fn ended(check: &Check) -> ExitStatus {
    match (check.counts.not_measured, check.counts.differ) {
        (0, 0) => ExitStatus::AllOpen,
        (0, _) => ExitStatus::NotAllOpen,
        (_, _) => ExitStatus::CannotRun,
    }
}

/// Reads the file, and holds it to the plugins that there are.
fn plan(settings: &ProbeSettings, file: &Path) -> Result<Plan, String> {
    let checks = probe::checks(settings, Vec::new())?;
    expect::read(file, &mut read, &Catalogued(&checks)).map_err(|wrong| wrong.to_string())
}

/// A family of a target that the run leaves out would be asked about nothing.
fn fits(targets: &[crate::target::TargetSpec], family: Family) -> Result<(), String> {
    match targets.iter().find(|target| !family.allows(target.family)) {
        None => Ok(()),
        Some(target) => Err(format!(
            "{} is expected over {}, and the run is only for {}",
            target.text,
            target.family.name(),
            family.name()
        )),
    }
}

/// A file's text, or why it cannot be read.
fn read(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let most = MAX_FILE + 1;
    let read = match path == Path::new("-") {
        true => io::stdin().lock().take(most).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)),
    };
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("larger than {MAX_FILE} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())
}

/// The plugins that there are, as the reader of the file asks about them.
struct Catalogued<'a>(&'a Checks);

impl Known for Catalogued<'_> {
    fn plugins(&self) -> Vec<String> {
        self.0.catalog().plugins.iter().map(|plugin| plugin.metadata.name.clone()).collect()
    }

    fn findings(&self, plugin: &str) -> Option<Vec<&str>> {
        self.0.catalog().get(plugin)?.findings().map(<[&str]>::to_vec)
    }

    fn by_itself(&self, port: u16, transport: Transport) -> Option<String> {
        let anywhere = Endpoint::new(SocketAddr::from(([0, 0, 0, 0], port)), transport);
        self.0.service(&anywhere, "").map(|metadata| metadata.name.clone())
    }

    fn speaks(&self, plugin: &str, transport: Transport) -> bool {
        self.0.speaks(plugin, transport)
    }

    fn setting(&self, plugin: &str, name: &str, value: &str) -> Result<(), String> {
        let told = |error: crate::check::CheckSetupError| format!("{error}; {}", error.hint());
        self.0.accepts(plugin, name, value).map_err(told)
    }
}

/// Every place that the check is written to, opened before a packet leaves.
struct Outputs<'a> {
    settings: &'a CheckSettings,
    files: Vec<(Format, PathBuf, render::FileOutput)>,
}

impl Outputs<'_> {
    fn open(settings: &CheckSettings) -> Result<Outputs<'_>, String> {
        let open = |(format, path): &(Format, PathBuf)| {
            render::FileOutput::create(path)
                .map(|file| (*format, path.clone(), file))
                .map_err(|error| format!("--output {}: {error}", path.display()))
        };
        let files = settings.probe.outputs.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Outputs { settings, files })
    }

    fn write(self, check: &Check, report: &Report) -> Result<(), String> {
        let CheckSettings { probe, all, .. } = self.settings;
        let style = probe::style(probe);
        let out = &mut *render::stdout();
        let format = probe::format(probe.format);
        match render::check::write(out, format, style, check, report, *all) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written.map_err(|error| format!("cannot write: {error}"))?,
        }
        for (format, path, mut file) in self.files {
            let style = render::Style { color: false, ..style };
            let format = probe::format(format);
            render::check::write(&mut file, format, style, check, report, *all)
                .map_err(|error| format!("--output {}: {error}", path.display()))?;
        }
        Ok(())
    }
}

/// Prints a file that expects what is there.
fn init(settings: &ProbeSettings) -> Result<ExitStatus, String> {
    let Measured { report, status, resolved } = probe::measure(settings, Vec::new())?;
    if status == ExitStatus::Interrupted {
        return Ok(status);
    }
    let named = match &settings.plugins.choice {
        crate::settings::PluginChoice::Named(_) => true,
        crate::settings::PluginChoice::Default | crate::settings::PluginChoice::Nothing => false,
    };
    let written = expect::init(&report, &resolved, settings.family, named);
    written.left_out.iter().for_each(|what| render::talk::note(what));
    let out = &mut *render::stdout();
    out.write_all(written.text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| format!("cannot write: {error}"))?;
    Ok(match written.left_out.is_empty() {
        true => ExitStatus::AllOpen,
        false => ExitStatus::CannotRun,
    })
}
