//! `portscan plugin add`, `remove`, `update`, `publish`.

use std::path::Path;

use crate::exit::ExitStatus;
use crate::host::{Host, HostOptions, inspect_up_to, limits};
use crate::install::{self, InstallError, Installed, Source, SourceError};
use crate::model::SideEffect;
use crate::render;

/// Installs a plugin from `source`.
pub(super) fn add(source: &str) -> ExitStatus {
    ended(|| {
        let mut installed = Installed::open()?;
        let fetched = install::fetch(source, &host())?;
        let path = installed.add(&fetched)?;
        let metadata = &fetched.metadata;
        let mut line = format!(
            "{} {} is installed, pinned to sha256 {}: {}",
            metadata.name,
            metadata.version,
            fetched.sha256,
            path.display()
        );
        if metadata.side_effect > SideEffect::LogLine {
            line.push_str("\nIt runs only when it is named, or with --allow.");
        }
        Ok(line + &format!("\nWhat it may do: portscan plugin show {}", metadata.name))
    })
}

/// Removes an installed plugin.
pub(super) fn remove(name: &str) -> ExitStatus {
    ended(|| {
        Installed::open()?.remove(name)?;
        Ok(format!("{name} is removed"))
    })
}

/// Fetches installed plugins again, all of them when none is named.
pub(super) fn update(names: &[String]) -> ExitStatus {
    ended(|| {
        let mut installed = Installed::open()?;
        let all: Vec<String> = installed.pins().iter().map(|pin| pin.name.clone()).collect();
        let host = host();
        let mut lines = Vec::new();
        for name in if names.is_empty() { &all } else { names } {
            let pin = installed.pin(name)?.clone();
            let fetched = install::fetch(&pin.source, &host)?;
            let is_intact = installed.is_intact(&pin);
            if fetched.sha256 == pin.sha256 && is_intact {
                lines.push(format!("{name} {} is as it was", pin.version));
                continue;
            }
            installed.update(name, &fetched)?;
            if fetched.sha256 == pin.sha256 {
                lines
                    .push(format!("{name} {}: its file had changed, and is restored", pin.version));
                continue;
            }
            lines.push(format!(
                "{name} {} -> {}: sha256 {} -> {}",
                pin.version, fetched.metadata.version, pin.sha256, fetched.sha256
            ));
        }
        match lines.is_empty() {
            true => Ok("no plugin is installed".into()),
            false => Ok(lines.join("\n")),
        }
    })
}

/// Pushes a component to a registry.
pub(super) fn publish(file: &Path, place: &str) -> ExitStatus {
    ended(|| {
        let Source::Oci(repository) = Source::parse(place)? else {
            let why = "a registry is written oci://REGISTRY/NAME:TAG";
            return Err(SourceError::Malformed { text: place.to_owned(), why }.into());
        };
        let text = file.display().to_string();
        let bytes = std::fs::read(file)
            .map_err(|error| InstallError::Io { path: file.to_owned(), error })?;
        let inspection = inspect_up_to(&bytes, limits::MAX_COMPONENT_RAISED)
            .map_err(|error| InstallError::Unusable { source_text: text, error })?;
        let manifest = install::publish(&bytes, &inspection, &repository)?;
        Ok(format!(
            "{repository} holds sha256 {} now; pinned: oci://{}/{}@{manifest}",
            inspection.digest, repository.registry, repository.name
        ))
    })
}

/// Anything that may be installed may be large; what uses it has caps of its own.
fn host() -> Host {
    Host::new(HostOptions::for_named())
}

fn ended(run: impl FnOnce() -> Result<String, InstallError>) -> ExitStatus {
    match run() {
        Ok(line) => {
            render::talk::note(&line);
            ExitStatus::AllOpen
        }
        Err(error) => {
            render::talk::error(&format!("{error}\n{}", error.hint()));
            ExitStatus::CannotRun
        }
    }
}
