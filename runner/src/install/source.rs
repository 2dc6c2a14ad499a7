//! Where a plugin comes from.

use std::net::IpAddr;
use std::path::PathBuf;

use thiserror::Error;

/// Where a plugin comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file of this machine.
    File(PathBuf),
    /// An address of the web.
    Web(String),
    /// A repository of an OCI registry.
    Oci(Repository),
}

/// A place in an OCI registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Host and port.
    pub registry: String,
    /// The repository's name, as `team/heartbeat`.
    pub name: String,
    /// A tag, or `sha256:...`.
    pub reference: String,
}

/// Why nothing came from a source.
#[derive(Debug, Error)]
pub enum SourceError {
    /// It is no source.
    #[error("'{text}' is no source of a plugin: {why}")]
    Malformed {
        /// As typed.
        text: String,
        /// What is wrong.
        why: &'static str,
    },
    /// It could not be reached, or did not answer as it must.
    #[error("{text}: {why}")]
    Unreachable {
        /// Which.
        text: String,
        /// What happened.
        why: String,
    },
    /// It is larger than any component may be.
    #[error("{text}: larger than {cap} bytes")]
    TooLarge {
        /// Which.
        text: String,
        /// The cap.
        cap: u64,
    },
    /// The registry sent other bytes than it announced.
    #[error("{text}: the registry announced sha256 {announced} and sent {came}")]
    OtherBytes {
        /// Which.
        text: String,
        /// What the manifest says.
        announced: String,
        /// What came.
        came: String,
    },
}

impl SourceError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            SourceError::Malformed { .. } => {
                "Give a file, https://..., or oci://REGISTRY/NAME:TAG.".into()
            }
            SourceError::Unreachable { .. } => {
                "Look at the address, and at the registry's login in ~/.docker/config.json.".into()
            }
            SourceError::TooLarge { .. } => {
                "Build it smaller: opt-level = \"s\", lto, strip.".into()
            }
            SourceError::OtherBytes { .. } => "Do not trust that registry.".into(),
        }
    }
}

impl Source {
    /// Reads a file's path, `https://...` or `oci://REGISTRY/NAME:TAG`.
    ///
    /// # Errors
    /// [`SourceError::Malformed`].
    pub fn parse(text: &str) -> Result<Source, SourceError> {
        let bad = |why| SourceError::Malformed { text: text.to_owned(), why };
        if let Some(rest) = text.strip_prefix("oci://") {
            return Repository::parse(rest).map(Source::Oci).map_err(bad);
        }
        if text.starts_with("https://") {
            return Ok(Source::Web(text.to_owned()));
        }
        if let Some(rest) = text.strip_prefix("http://") {
            let host = rest.split('/').next().unwrap_or_default();
            return match is_this_machine(host) {
                true => Ok(Source::Web(text.to_owned())),
                false => Err(bad("what comes by http can be changed on the way; use https")),
            };
        }
        match text.split_once("://") {
            Some(_) => Err(bad("its scheme is none of https and oci")),
            None => Ok(Source::File(PathBuf::from(text))),
        }
    }
}

impl Repository {
    fn parse(text: &str) -> Result<Repository, &'static str> {
        let (registry, path) = text.split_once('/').ok_or("it names no repository")?;
        let (name, reference) = match path.split_once('@') {
            Some((name, digest)) => (name, digest),
            None => path.rsplit_once(':').ok_or("it names no tag")?,
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        let fine = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c);
        if registry.is_empty() || !registry.chars().all(|c| fine(c) || "[]".contains(c)) {
            return Err("its registry is no host");
        }
        if name.is_empty() || !name.chars().all(plain) || name.contains("..") {
            return Err("its repository's name is none");
        }
        if reference.is_empty() || !reference.chars().all(fine) {
            return Err("its tag is none");
        }
        Ok(Repository {
            registry: registry.to_owned(),
            name: name.to_owned(),
            reference: reference.to_owned(),
        })
    }

    /// The registry's address. Registries on this machine speak http, as docker
    /// takes them to.
    pub(super) fn base(&self) -> String {
        let scheme = if is_this_machine(&self.registry) { "http" } else { "https" };
        format!("{scheme}://{}/v2/{}", self.registry, self.name)
    }
}

impl std::fmt::Display for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.reference.contains(':') { '@' } else { ':' };
        write!(f, "oci://{}/{}{sign}{}", self.registry, self.name, self.reference)
    }
}

/// Whether host and port are on loopback.
fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart_and_http_is_for_this_machine() {
        let oci = |text| match Source::parse(text) {
            Ok(Source::Oci(repository)) => (repository.base(), repository.reference),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(
            oci("oci://127.0.0.1:5000/team/a:1.2"),
            ("http://127.0.0.1:5000/v2/team/a".into(), "1.2".into())
        );
        assert_eq!(oci("oci://r.example/a@sha256:00").0, "https://r.example/v2/a");
        assert_eq!(Source::parse("a/b.wasm").unwrap(), Source::File("a/b.wasm".into()));
        assert!(matches!(Source::parse("http://[::1]:80/x"), Ok(Source::Web(_))));
        for bad in [
            "http://example.com/x",
            "ftp://x/y",
            "oci://x",
            "oci://x/y",
            "oci://x/../y:1",
            "oci:///y:1",
            "oci://x/y:",
            "oci://x/y:a b",
            "http://127.0.0.1.example/x",
        ] {
            assert!(Source::parse(bad).is_err(), "{bad}");
        }
    }
}
