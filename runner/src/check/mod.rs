//! Which plugin looks at which endpoint, and what it concluded.
//!
//! [`Checks`] reads the catalog and the user's settings once, before a packet is
//! sent, and refuses what makes no sense. While the run goes on it answers three
//! questions about an endpoint (what to send to it, whether its connection is
//! wanted, whose service it usually is) and takes [`Job`]s, whose results come
//! back through a channel. Plugins are compiled when they are first needed.
//!
//! Not here: running a guest (`host`), sockets (`net`).
//! Start reading at [`Checks::new`].

pub mod catalog;
mod error;
mod never;
pub mod pins;
mod record;
mod redact;
mod selection;
mod setting;
mod stage;
mod transcribe;

pub use error::CheckSetupError;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::host::{Host, HostOptions, SharedPlayer};
use crate::model::{
    CheckResult, Endpoint, Fault, Metadata, Payload, ReplyFrom, SideEffect, Silence, Transport,
};
use crate::net::{Connected, SourceBinding};
use catalog::Catalog;
use record::Recordings;
use selection::{Chosen, Selection};
use stage::{Stage, Work, Workers, faulted};

/// Faults of `payloads` that are remembered until their rows are written.
const MAX_REMEMBERED: usize = 10_000;

/// Which plugins may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginChoice {
    /// Those whose default port it is.
    Default,
    /// None.
    None,
    /// These, by name or by the path of a component, whatever the port.
    Named(Vec<String>),
}

/// The plugin of one port of a target, whatever is chosen for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// The target as the user wrote it.
    pub target: Arc<str>,
    /// The port.
    pub port: u16,
    /// Its transport.
    pub transport: Transport,
    /// The plugin's name.
    pub plugin: String,
    /// Settings that count for this port only: name, value as typed.
    pub settings: Vec<(String, String)>,
}

/// How checks are set up. Settings and secrets are plugin, name, value.
pub struct CheckOptions {
    /// Which plugins may run.
    pub choice: PluginChoice,
    /// Folders to look in before the user's own.
    pub dirs: Vec<PathBuf>,
    /// As typed.
    pub settings: Vec<(String, String, String)>,
    /// Read from where they were kept. Never shown.
    pub secrets: Vec<(String, String, String)>,
    /// Time for one check.
    pub deadline: Duration,
    /// Checks at once.
    pub concurrency: usize,
    /// From where checks leave.
    pub source: SourceBinding,
    /// Ports of the never-send list that plugins may send to all the same.
    pub send_to: Vec<(u16, Transport)>,
    /// Where to keep a transcript of every check.
    pub record: Option<PathBuf>,
    /// Plugins of single ports of a target.
    pub assigned: Vec<Assigned>,
    /// Side effects that need not be asked for by naming the plugin.
    pub allow: Vec<SideEffect>,
    /// How plugins are loaded; its `slots` are computed.
    pub host: HostOptions,
}

impl Default for CheckOptions {
    fn default() -> CheckOptions {
        CheckOptions {
            choice: PluginChoice::Default,
            dirs: Vec::new(),
            settings: Vec::new(),
            secrets: Vec::new(),
            deadline: Duration::from_secs(5),
            concurrency: 256,
            source: SourceBinding::default(),
            send_to: Vec::new(),
            record: None,
            assigned: Vec::new(),
            allow: Vec::new(),
            host: HostOptions::default(),
        }
    }
}

/// What a plugin wants sent to a UDP endpoint, and what silence will mean.
#[derive(Clone, Debug)]
pub struct PayloadSet {
    /// In order of preference; empty when the plugin could not make any, which
    /// [`Checks::take_fault`] explains.
    pub payloads: Arc<[Payload]>,
    /// From where answers may come.
    pub reply_from: ReplyFrom,
    /// What no answer means.
    pub silence: Silence,
}

/// The datagram that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which of the payloads had been sent last.
    pub index: u32,
    /// The port it came from.
    pub port: u16,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// One endpoint to check.
#[derive(Debug)]
pub struct Job {
    /// Comes back with the result.
    pub order: u64,
    /// What to check.
    pub endpoint: Endpoint,
    /// The target as the user wrote it.
    pub target: Arc<str>,
    /// The seed that [`Checks::payloads`] was given.
    pub seed: u64,
    /// The connection that the prober opened.
    pub stream: Option<Connected>,
    /// UDP: the datagram that came back.
    pub answer: Option<Answer>,
    /// Who plays the peer, where there is no network.
    pub player: Option<SharedPlayer>,
}

/// The check stage.
pub struct Checks {
    host: Arc<Host>,
    catalog: Catalog,
    selection: Selection,
    stage: Arc<Stage>,
    workers: Workers,
    finished: Receiver<(u64, CheckResult)>,
    faults: Mutex<HashMap<Endpoint, Fault>>,
    send_to: Vec<(u16, Transport)>,
}

impl Checks {
    /// Reads the catalog's metadata and the settings. Compiles nothing, except a
    /// component without embedded metadata.
    ///
    /// # Errors
    /// An unknown plugin or setting, a value of the wrong type, a plugin that
    /// was named and cannot be used.
    pub fn new(options: CheckOptions) -> Result<Checks, CheckSetupError> {
        // A warm instance of each thread that may call one, for a few plugins.
        let slots = options.concurrency.max(1) + 32;
        let host = Arc::new(Host::new(HostOptions { slots, ..options.host.clone() }));
        let mut catalog = match options.choice {
            PluginChoice::None => Catalog::default(),
            PluginChoice::Default | PluginChoice::Named(_) => Catalog::read(&options.dirs, &host),
        };
        let selection = match options.choice {
            PluginChoice::None => Selection::default(),
            _ => Selection::new(&options, &mut catalog, &host)?,
        };
        let recordings = options.record.as_deref().map(|folder| {
            Recordings::new(folder).map_err(|e| CheckSetupError::NoRecordings {
                path: folder.into(),
                why: e.to_string(),
            })
        });
        let recordings = recordings.transpose()?;
        let (results, finished) = channel();
        let stage = Stage::new(host.clone(), &options, recordings, results);
        Ok(Checks {
            host,
            catalog,
            selection,
            stage: Arc::new(stage),
            workers: Workers::default(),
            finished,
            faults: Mutex::default(),
            send_to: options.send_to,
        })
    }

    /// The plugins that may run.
    pub fn chosen(&self) -> impl Iterator<Item = &catalog::Plugin> {
        self.selection.plugins()
    }

    /// Whether no plugin can ever apply.
    pub fn is_idle(&self) -> bool {
        self.selection.is_empty()
    }

    /// The plugins that there are, chosen or not.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Remarks for the user, and forgets them: plugins that were skipped, cache
    /// entries that were not believed.
    pub fn take_notes(&mut self) -> Vec<String> {
        let mut notes = std::mem::take(&mut self.catalog.notes);
        notes.extend(self.host.take_notes());
        notes.extend(self.stage.take_notes());
        notes
    }

    /// Loads what `payloads` will need for these endpoints, so that no packet
    /// waits for a compiler. Blocks.
    pub fn prepare(&self, endpoints: impl IntoIterator<Item = Endpoint>) {
        for endpoint in endpoints {
            if let Some(chosen) = self.udp_probe(&endpoint, "") {
                // An error is told by `payloads`.
                let _ = chosen.plugin.guest(&self.host);
            }
        }
    }

    /// What to send to a UDP endpoint; none when no plugin with a UDP probe
    /// looks at it.
    pub fn payloads(&self, endpoint: &Endpoint, target: &str, seed: u64) -> Option<PayloadSet> {
        let chosen = self.udp_probe(endpoint, target)?;
        let metadata = &chosen.plugin.metadata;
        let made = match never::forbidden(endpoint, &self.send_to) {
            Some(fault) => Err(fault),
            None => chosen
                .plugin
                .guest(&self.host)
                .and_then(|guest| guest.payloads(endpoint, target, seed, &chosen.settings)),
        };
        let payloads = made.unwrap_or_else(|fault| {
            let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
            if faults.len() < MAX_REMEMBERED {
                faults.insert(*endpoint, fault);
            }
            Vec::new()
        });
        Some(PayloadSet {
            payloads: payloads.into(),
            reply_from: metadata.reply_from,
            silence: metadata.silence.clone(),
        })
    }

    /// Why [`Checks::payloads`] came back empty for this endpoint, as the check
    /// part of its row. Told once.
    pub fn take_fault(&self, endpoint: &Endpoint, target: &str) -> Option<CheckResult> {
        let fault = self.faults.lock().unwrap_or_else(PoisonError::into_inner).remove(endpoint)?;
        let chosen = self.selection.find(endpoint, target)?;
        let mut result = faulted(&chosen.plugin, fault);
        redact::redact(&mut result, &chosen.secrets);
        Some(result)
    }

    /// Whether a plugin would hold a dialogue with this endpoint: keep its
    /// connection for it, or submit a UDP endpoint that answered.
    pub fn wants(&self, endpoint: &Endpoint, target: &str) -> bool {
        let Some(chosen) = self.selection.find(endpoint, target) else { return false };
        match chosen.plugin.inspection() {
            Ok(inspection) => inspection.is_check || (inspection.is_udp_probe && is_udp(endpoint)),
            // Submitting it makes the fault visible in the endpoint's row.
            Err(_) => true,
        }
    }

    /// What is known of the service that the endpoint's plugin checks.
    pub fn service(&self, endpoint: &Endpoint, target: &str) -> Option<&Metadata> {
        self.selection.find(endpoint, target).map(|chosen| &chosen.plugin.metadata)
    }

    /// Whether more endpoints may be opened for checks: those that wait for theirs
    /// are few enough.
    pub fn has_room(&self) -> bool {
        self.stage.has_room()
    }

    /// Starts a check. Its result comes through [`Checks::finished`]; there is
    /// none when [`Checks::wants`] says no.
    pub fn submit(&self, job: Job) {
        if let Some(chosen) = self.selection.find(&job.endpoint, &job.target) {
            let forbidden = never::forbidden(&job.endpoint, &self.send_to);
            let work = Work {
                job,
                plugin: chosen.plugin.clone(),
                settings: chosen.settings.clone(),
                secrets: chosen.secrets.clone(),
                secret_names: chosen.secret_names.clone(),
            };
            match forbidden {
                Some(fault) => self.stage.refuse(&work, fault),
                None => self.stage.submit(&self.workers, work),
            }
        }
    }

    /// Whether a plugin of the catalog has something to say over `transport`.
    pub fn speaks(&self, plugin: &str, transport: Transport) -> bool {
        self.catalog.get(plugin).is_some_and(|plugin| selection::speaks(plugin, transport))
    }

    /// Whether a plugin of the catalog takes this value for a setting.
    ///
    /// # Errors
    /// An unknown plugin or setting, a wrong value, a secret.
    pub fn accepts(&self, plugin: &str, name: &str, text: &str) -> Result<(), CheckSetupError> {
        match self.catalog.get(plugin) {
            Some(plugin) => selection::accepts(&plugin.metadata, name, text),
            None => Err(CheckSetupError::UnknownPlugin { name: plugin.into(), nearest: None }),
        }
    }

    /// Where results arrive, in the order in which they end, each with the
    /// order of its job.
    pub fn finished(&self) -> &Receiver<(u64, CheckResult)> {
        &self.finished
    }

    fn udp_probe(&self, endpoint: &Endpoint, target: &str) -> Option<&Chosen> {
        let chosen = self.selection.find(endpoint, target).filter(|_| is_udp(endpoint))?;
        let has_probe =
            chosen.plugin.inspection().map_or(true, |inspection| inspection.is_udp_probe);
        has_probe.then_some(chosen)
    }
}

fn is_udp(endpoint: &Endpoint) -> bool {
    endpoint.transport == Transport::Udp
}
