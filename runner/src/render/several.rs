use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::Renderer;
use crate::model::Outcome;
use crate::report::{Footer, Header};

/// Writes a report in several formats at once.
pub fn several(all: Vec<Box<dyn Renderer>>) -> Box<dyn Renderer> {
    Box::new(Several(all))
}

struct Several(Vec<Box<dyn Renderer>>);

impl Renderer for Several {
    fn begin(&mut self, header: &Header) -> io::Result<()> {
        self.0.iter_mut().try_for_each(|renderer| renderer.begin(header))
    }

    fn outcome(&mut self, outcome: Outcome) -> io::Result<()> {
        self.0.iter_mut().try_for_each(|renderer| renderer.outcome(outcome.clone()))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.iter_mut().try_for_each(|renderer| renderer.flush())
    }

    fn end(&mut self, footer: &Footer) -> io::Result<()> {
        self.0.iter_mut().try_for_each(|renderer| renderer.end(footer))
    }
}

/// A file that appears under its name when it is complete: a reader sees the old one
/// until then.
pub struct FileOutput {
    half: PathBuf,
    place: PathBuf,
    out: Option<BufWriter<File>>,
    /// Nothing was written since the last flush, with which every report ends.
    complete: bool,
}

impl FileOutput {
    /// Makes the file beside its place.
    ///
    /// # Errors
    /// Those of creating it: what cannot be written is known before the work.
    pub fn create(place: &Path) -> io::Result<FileOutput> {
        if place.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let mut half = place.as_os_str().to_owned();
        half.push(format!(".{}.part", std::process::id()));
        let half = PathBuf::from(half);
        let out = Some(BufWriter::new(File::create(&half)?));
        Ok(FileOutput { half, place: place.to_owned(), out, complete: false })
    }
}

impl Write for FileOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.complete = false;
        match &mut self.out {
            Some(out) => out.write(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.as_mut().map_or(Ok(()), Write::flush)?;
        self.complete = true;
        Ok(())
    }
}

impl Drop for FileOutput {
    /// Gives the file its name. Whoever fails to write has heard of it by then.
    fn drop(&mut self) {
        let Some(mut out) = self.out.take() else { return };
        let flushed = out.flush().is_ok() && self.complete;
        if !flushed || std::fs::rename(&self.half, &self.place).is_err() {
            let _ = std::fs::remove_file(&self.half);
        }
    }
}
