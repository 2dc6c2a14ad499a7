//! `portscan plugin`: what there is, and how to make one.

use std::io;
use std::path::{Path, PathBuf};

use crate::author::build::{BuildOptions, build as build_component};
use crate::author::new::Language;
use crate::check::catalog::{Plugin, Source};
use crate::check::{CheckOptions, Checks, PluginChoice};
use crate::exit::ExitStatus;
use crate::host::{Host, HostOptions, Origin};
use crate::render::{self, plugins::PluginLine};
use crate::settings::Lang;

/// Lists the plugins that are there.
pub(super) fn list(dirs: Vec<PathBuf>) -> ExitStatus {
    with_checks(PluginChoice::Default, dirs, |checks| {
        let plugins = &checks.catalog().plugins;
        let lines: Vec<PluginLine<'_>> = plugins.iter().filter_map(|p| line(p)).collect();
        written(render::plugins::list(&mut *render::stdout(), &lines))
    })
}

/// Shows one plugin.
pub(super) fn show(plugin: &str, dirs: Vec<PathBuf>) -> ExitStatus {
    with_checks(PluginChoice::Named(vec![plugin.to_string()]), dirs, |checks| {
        let plugins = &checks.catalog().plugins;
        let is_it = |p: &&std::sync::Arc<Plugin>| {
            p.metadata.name == plugin
                || p.source.path().is_some_and(|path| path == Path::new(plugin))
        };
        match plugins.iter().find(is_it).and_then(|p| line(p)) {
            Some(line) => written(render::plugins::show(&mut *render::stdout(), &line)),
            None => {
                render::talk::error(&format!(
                    "no plugin '{plugin}': portscan plugin list shows what there is"
                ));
                ExitStatus::CannotRun
            }
        }
    })
}

fn with_checks(
    choice: PluginChoice,
    dirs: Vec<PathBuf>,
    run: impl FnOnce(&Checks) -> ExitStatus,
) -> ExitStatus {
    match Checks::new(CheckOptions { choice, dirs, ..CheckOptions::default() }) {
        Ok(mut checks) => {
            checks.take_notes().iter().for_each(|note| render::talk::note(note));
            run(&checks)
        }
        Err(error) => {
            render::talk::error(&format!("{error}\n{}", error.hint()));
            ExitStatus::CannotRun
        }
    }
}

fn line(plugin: &Plugin) -> Option<PluginLine<'_>> {
    let inspection = match plugin.inspection() {
        Ok(inspection) => inspection,
        Err(error) => {
            render::talk::note(&format!("{}: {error}", plugin.metadata.name));
            return None;
        }
    };
    Some(PluginLine {
        metadata: &plugin.metadata,
        origin: match &plugin.source {
            Source::BuiltIn { .. } => "built in".into(),
            other => other.path().map_or_else(String::new, |path| path.display().to_string()),
        },
        installed: plugin.pin.as_ref().map(|pin| pin.source.clone()),
        digest: inspection.digest.clone(),
        size: inspection.size as u64,
        contract: inspection.interface_version.clone(),
        imports: inspection.imports.clone(),
        exports: inspection.exports.clone(),
    })
}

/// Begins a plugin in the working directory.
pub(super) fn new(name: &str, lang: Lang) -> ExitStatus {
    let language = match lang {
        Lang::Rust => Language::Rust,
        Lang::C => Language::C,
        Lang::Javascript => Language::JavaScript,
        Lang::Python => Language::Python,
    };
    match crate::author::new::new(Path::new(""), name, language) {
        Ok(folder) => {
            let folder = folder.display();
            render::talk::note(&format!("{folder}/ is there; next: portscan plugin test {folder}"));
            ExitStatus::AllOpen
        }
        Err(error) => {
            render::talk::error(&error.to_string());
            ExitStatus::CannotRun
        }
    }
}

/// Builds a plugin crate into a component.
pub(super) fn build(dir: &Path, output: Option<PathBuf>) -> ExitStatus {
    match built(dir, output) {
        Ok(_) => ExitStatus::AllOpen,
        Err(error) => {
            render::talk::error(&error);
            ExitStatus::CannotRun
        }
    }
}

/// Builds a plugin crate, and returns the component's file.
///
/// # Errors
/// A sentence with what to do.
pub(super) fn built(dir: &Path, output: Option<PathBuf>) -> Result<PathBuf, String> {
    let host = Host::new(HostOptions::for_named());
    let describe = |component: &[u8]| {
        let guest = host.load(component, Origin::Foreign).map_err(|e| e.to_string())?;
        Ok(guest.metadata().clone())
    };
    let built = build_component(dir, &BuildOptions::from_environment(), &describe)
        .map_err(|error| format!("{error}\n{}", error.hint()))?;
    let file = output.unwrap_or_else(|| dir.join(format!("{}.wasm", built.metadata.name)));
    std::fs::write(&file, &built.component)
        .map_err(|error| format!("{}: {error}", file.display()))?;
    render::talk::note(&format!(
        "{} {} built: {} ({} bytes)",
        built.metadata.name,
        built.metadata.version,
        file.display(),
        built.component.len()
    ));
    Ok(file)
}

fn written(result: io::Result<()>) -> ExitStatus {
    match result {
        Ok(()) => ExitStatus::AllOpen,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitStatus::AllOpen,
        Err(error) => {
            render::talk::error(&format!("cannot write: {error}"));
            ExitStatus::CannotRun
        }
    }
}
