//! Reports that were written earlier: compared, kept, held against each other.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use crate::compare::{Change, changes, matrix};
use crate::exit::ExitStatus;
use crate::render;
use crate::report::Report;
use crate::settings::{BaselineArgs, BaselineCommand, ReportFormat};

/// Largest report that is read back: about a million endpoints.
const MAX_REPORT: u64 = 1 << 30;

/// Shows what changed from one report to another. The exit status is that of
/// diff(1): 0 for nothing, 1 for something, 2 for trouble.
pub(super) fn diff(before: &Path, after: &Path, format: ReportFormat) -> ExitStatus {
    ended(
        read(before)
            .and_then(|before| Ok((before, read(after)?)))
            .and_then(|(before, after)| show(&changes(&before.0, &after.0), format)),
    )
}

/// Puts reports side by side.
pub(super) fn compare(paths: &[PathBuf], format: ReportFormat) -> ExitStatus {
    let reports: Result<Vec<Report>, String> =
        paths.iter().map(|path| read(path).map(|(report, _)| report)).collect();
    ended(reports.and_then(|reports| {
        let matrix = matrix(&reports);
        let differ = matrix.lines.iter().any(|line| line.conclusion.is_some());
        let out = &mut *render::stdout();
        let written = match format {
            ReportFormat::Table => {
                let style = render::Style::for_stdout(None, false);
                render::compare::matrix(out, &matrix, style)
            }
            ReportFormat::Json => render::compare::matrix_json(out, &matrix),
        };
        status(written, differ)
    }))
}

/// Keeps a report under a name, or holds one against it.
pub(super) fn baseline(command: &BaselineCommand) -> ExitStatus {
    ended(match command {
        BaselineCommand::Save(args) => save(args),
        BaselineCommand::Diff(args) => since(args).and_then(|(all, _)| show(&all, args.format)),
        BaselineCommand::Accept(args) => since(args).and_then(|(all, text)| {
            write(&place(&args.name)?, &text)?;
            show(&all, args.format)?;
            Ok(ExitStatus::AllOpen)
        }),
    })
}

fn save(args: &BaselineArgs) -> Result<ExitStatus, String> {
    let place = place(&args.name)?;
    let (report, text) = read(&args.report)?;
    if place.exists() {
        return Err(format!(
            "there is a baseline '{0}' already: portscan baseline accept {0} replaces it",
            args.name
        ));
    }
    write(&place, &text)?;
    let count = report.endpoints.len();
    render::talk::note(&format!("baseline '{}' kept: {count} endpoints", args.name));
    Ok(ExitStatus::AllOpen)
}

/// What changed since a baseline, and the later report's text.
fn since(args: &BaselineArgs) -> Result<(Vec<Change>, String), String> {
    let place = place(&args.name)?;
    if !place.exists() {
        return Err(format!(
            "there is no baseline '{0}': portscan ... --format json | portscan baseline save {0}",
            args.name
        ));
    }
    let (before, _) = read(&place)?;
    let (after, text) = read(&args.report)?;
    Ok((changes(&before, &after), text))
}

/// Where a baseline lies.
fn place(name: &str) -> Result<PathBuf, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 100 || name.starts_with('.') || !name.chars().all(plain) {
        return Err(format!("'{name}' is no name for a baseline: letters, digits, - _ and ."));
    }
    let base = etcetera::choose_base_strategy().map_err(|e| format!("no home folder: {e}"))?;
    Ok(base.data_dir().join("portscan/baselines").join(format!("{name}.json")))
}

/// Writes a file so that a reader sees the old one or the new one, never half.
fn write(place: &Path, text: &str) -> Result<(), String> {
    let wrong = |error: io::Error| format!("{}: {error}", place.display());
    let folder = place.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(wrong)?;
    let mut half = place.as_os_str().to_owned();
    half.push(format!(".{}", std::process::id()));
    let half = PathBuf::from(half);
    let written = fs::File::create(&half)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&half, place));
    written.inspect_err(|_| drop(fs::remove_file(&half))).map_err(wrong)
}

/// Reads a report, and its text.
fn read(path: &Path) -> Result<(Report, String), String> {
    let name = match path == Path::new("-") {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    };
    let wrong = |error: io::Error| format!("{name}: {error}");
    let mut text = String::new();
    match path == Path::new("-") {
        true => io::stdin().lock().take(MAX_REPORT).read_to_string(&mut text),
        false => {
            fs::File::open(path).and_then(|file| file.take(MAX_REPORT).read_to_string(&mut text))
        }
    }
    .map_err(wrong)?;
    match Report::read(&text) {
        Ok(report) => Ok((report, text)),
        Err(error) => Err(format!("{name}: {error}\n{}", error.hint())),
    }
}

fn show(all: &[Change], format: ReportFormat) -> Result<ExitStatus, String> {
    let out = &mut *render::stdout();
    let written = match format {
        ReportFormat::Table => render::compare::changes(out, all),
        ReportFormat::Json => render::compare::changes_json(out, all),
    };
    if all.is_empty() && format == ReportFormat::Table {
        render::talk::note("no change");
    }
    status(written, !all.is_empty())
}

fn status(written: io::Result<()>, differ: bool) -> Result<ExitStatus, String> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write: {error}"))
        }
        _ => Ok(if differ { ExitStatus::NotAllOpen } else { ExitStatus::AllOpen }),
    }
}

fn ended(result: Result<ExitStatus, String>) -> ExitStatus {
    result.unwrap_or_else(|error| {
        render::talk::error(&error);
        ExitStatus::CannotRun
    })
}
