//! Components in OCI registries: the OCI distribution specification 1.1 ("pull",
//! "push"), with the artifact that the wasm ecosystem agreed on (CNCF TAG Runtime,
//! "Wasm OCI Artifact layout"), so that `wkg` and `oras` read what we write.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};
use ureq::Agent;

use super::source::{Repository, SourceError};
use super::web::{Answer, agent, body, unreachable};
use crate::host::{Inspection, digest};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";

/// Largest manifest; registries are asked to take 4 MiB (specification, "Pushing
/// manifests"), and ours has some hundred bytes.
const MAX_MANIFEST: u64 = 4 << 20;

/// Largest answer besides manifests and blobs.
const MAX_TALK: u64 = 64 << 10;

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
}

/// A registry, and the word it wants to hear.
struct Registry<'a> {
    agent: Agent,
    repository: &'a Repository,
    authorization: Option<String>,
}

/// Pulls a component of at most `cap` bytes.
pub(super) fn pull(repository: &Repository, cap: u64) -> Result<Vec<u8>, SourceError> {
    let mut registry = Registry::new(repository);
    let text = repository.to_string();
    let answer =
        registry.send("GET", &format!("manifests/{}", repository.reference), "pull", &[])?;
    let manifest = body(&text, registry.fine(answer)?, MAX_MANIFEST)?;
    let came = digest(&manifest);
    match repository.reference.strip_prefix("sha256:") {
        Some(asked) if asked != came => {
            return Err(SourceError::OtherBytes { text, announced: asked.to_owned(), came });
        }
        _ => {}
    }
    let manifest: Manifest = serde_json::from_slice(&manifest)
        .map_err(|error| unreachable(&text, format!("its manifest is none: {error}")))?;
    let [layer] = &manifest.layers[..] else {
        let count = manifest.layers.len();
        return Err(unreachable(&text, format!("it has {count} layers; a component is one")));
    };
    if layer.media_type != LAYER {
        let kind = shortened(&layer.media_type);
        return Err(unreachable(&text, format!("its layer is {kind}, not {LAYER}")));
    }
    if layer.size > cap {
        return Err(SourceError::TooLarge { text, cap });
    }
    let answer = registry.send("GET", &format!("blobs/{}", layer.digest), "pull", &[])?;
    let bytes = body(&text, registry.fine(answer)?, cap)?;
    let came = format!("sha256:{}", digest(&bytes));
    match came == layer.digest {
        true => Ok(bytes),
        false => {
            let announced = shortened(&layer.digest);
            Err(SourceError::OtherBytes { text, announced, came })
        }
    }
}

/// Pushes a component, and returns the manifest's digest, which pins it.
///
/// # Errors
/// The registry cannot be reached, or does not take it.
pub fn publish(
    component: &[u8],
    inspection: &Inspection,
    repository: &Repository,
) -> Result<String, SourceError> {
    let mut registry = Registry::new(repository);
    let layer = format!("sha256:{}", inspection.digest);
    let config = serde_json::to_vec(&json!({
        "created": jiff::Timestamp::now().to_string(),
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [layer],
        "component": {
            "exports": inspection.exports, "imports": inspection.imports, "target": null,
        },
    }))
    .unwrap_or_default();
    registry.upload(component)?;
    registry.upload(&config)?;
    let described = |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "digest": format!("sha256:{}", digest(bytes)), "size": bytes.len()});
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": CONFIG,
        "config": described(CONFIG, &config),
        "layers": [described(LAYER, component)],
    });
    let manifest = serde_json::to_vec(&manifest).unwrap_or_default();
    let path = format!("manifests/{}", repository.reference);
    let answer = registry.send("PUT", &path, "pull,push", &manifest)?;
    registry.fine(answer)?;
    Ok(format!("sha256:{}", digest(&manifest)))
}

impl Registry<'_> {
    fn new(repository: &Repository) -> Registry<'_> {
        let agent = agent(repository.base().starts_with("https://"));
        Registry { agent, repository, authorization: None }
    }

    /// Uploads a blob that the registry does not have.
    fn upload(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        let digest = format!("sha256:{}", digest(bytes));
        let there = self.send("HEAD", &format!("blobs/{digest}"), "pull,push", &[])?;
        if there.status().is_success() {
            return Ok(());
        }
        let begun = self.send("POST", "blobs/uploads/", "pull,push", &[])?;
        let begun = self.fine(begun)?;
        let place = begun.headers().get("location").and_then(|place| place.to_str().ok());
        let place = place.ok_or_else(|| self.failed("it names no place for an upload"))?;
        let base = self.repository.base();
        let place = match place.strip_prefix('/') {
            // Relative to the registry (RFC 9110 section 10.2.2).
            Some(path) => {
                let host = base.split("/v2/").next().unwrap_or_default();
                format!("{host}/{path}")
            }
            None => place.to_owned(),
        };
        let sign = if place.contains('?') { '&' } else { '?' };
        let place = format!("{place}{sign}digest={digest}");
        let answer = self.send_to("PUT", &place, "application/octet-stream", bytes)?;
        self.fine(answer).map(drop)
    }

    /// A request, once more with authorization where the registry asks for it.
    fn send(
        &mut self,
        method: &str,
        path: &str,
        actions: &str,
        bytes: &[u8],
    ) -> Result<Answer, SourceError> {
        let url = format!("{}/{path}", self.repository.base());
        let answer = self.send_to(method, &url, MANIFEST, bytes)?;
        if answer.status().as_u16() != 401 {
            return Ok(answer);
        }
        let challenge = answer.headers().get("www-authenticate").and_then(|v| v.to_str().ok());
        self.authorization = Some(self.authorize(challenge.unwrap_or_default(), actions)?);
        self.send_to(method, &url, MANIFEST, bytes)
    }

    fn send_to(
        &self,
        method: &str,
        url: &str,
        kind: &str,
        bytes: &[u8],
    ) -> Result<Answer, SourceError> {
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        request = request.header("accept", format!("{MANIFEST}, {LAYER}, */*"));
        if !bytes.is_empty() {
            request = request.header("content-type", kind);
        }
        // Only the registry itself hears it.
        if let Some(word) = &self.authorization
            && url.starts_with(self.repository.base().split("/v2/").next().unwrap_or(url))
        {
            request = request.header("authorization", word);
        }
        let sent = match bytes.is_empty() && method != "PUT" {
            true => self.agent.run(request.body(()).map_err(|e| self.failed(&e.to_string()))?),
            false => self.agent.run(request.body(bytes).map_err(|e| self.failed(&e.to_string()))?),
        };
        sent.map_err(|error| self.failed(&error.to_string()))
    }

    /// What to say to a challenge: the user's own word (RFC 7617), or a token for it
    /// (the distribution project's "Token Authentication").
    fn authorize(&self, challenge: &str, actions: &str) -> Result<String, SourceError> {
        let own = login(&self.repository.registry).map(|login| format!("Basic {login}"));
        let Some(parameters) = challenge.strip_prefix("Bearer ") else {
            return own.ok_or_else(|| self.failed("it wants a login"));
        };
        let parameter = |name: &str| {
            let at = parameters.find(&format!("{name}=\""))? + name.len() + 2;
            parameters[at..].split('"').next()
        };
        let realm = parameter("realm").ok_or_else(|| self.failed("its challenge has no realm"))?;
        let scope = format!("repository:{}:{actions}", self.repository.name);
        let mut request = self.agent.get(realm).query("scope", &scope);
        if let Some(service) = parameter("service") {
            request = request.query("service", service);
        }
        if let Some(own) = own {
            request = request.header("authorization", own);
        }
        let answer = request.call().map_err(|error| self.failed(&error.to_string()))?;
        let text = body(&self.repository.to_string(), self.fine(answer)?, MAX_TALK)?;
        let token: Value = serde_json::from_slice(&text)
            .map_err(|error| self.failed(&format!("its token is none: {error}")))?;
        let token = token["token"].as_str().or(token["access_token"].as_str());
        token.map(|token| format!("Bearer {token}")).ok_or_else(|| self.failed("it gives no token"))
    }

    /// The answer, if it is one of success.
    fn fine(&self, answer: Answer) -> Result<Answer, SourceError> {
        match answer.status().as_u16() {
            200..300 => Ok(answer),
            401 | 403 => Err(self.failed("it does not let us: no login, or not enough rights")),
            404 => Err(self.failed("it is not there")),
            status => Err(self.failed(&format!("the registry answers {status}"))),
        }
    }

    fn failed(&self, why: &str) -> SourceError {
        unreachable(&self.repository.to_string(), why.to_owned())
    }
}

/// The login that `docker login` keeps for a registry, in base64.
fn login(registry: &str) -> Option<String> {
    let folder = std::env::var_os("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| Some(etcetera::home_dir().ok()?.join(".docker")))?;
    let text = std::fs::read_to_string(folder.join("config.json")).ok()?;
    let config: Value = serde_json::from_str(&text).ok()?;
    let login = config["auths"][registry]["auth"].as_str()?;
    login.chars().all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c)).then(|| login.to_owned())
}

/// A registry's text in a message of ours: no longer than a line.
fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}
