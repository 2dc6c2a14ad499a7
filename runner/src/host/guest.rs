use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Engine, Store, UpdateDeadline};

use super::bindings::FullPlugin;
use super::bindings::exports::portscan::plugin::{check, udp_probe};
use super::convert;
use super::cpu::Meter;
use super::error::LoadError;
use super::fault::{Breach, Phase, declined, fault};
use super::functions::connection::Handle;
use super::limits::{CHECK_CPU, GRACE, MAX_CALL_BYTES, MAX_HANDLES, MAX_PAYLOADS, MAX_SUMMARY};
use super::line::{Line, SharedPlayer};
use super::machine::Machine;
use super::pure::Pure;
use super::record::Recorder;
use super::state::CheckState;
use super::text::cut;
use crate::model::{
    CheckResult, Conclusion, Endpoint, Fault, Health, Metadata, Payload, Setting, Verdict,
};
use crate::net::Connected;
use crate::net::conversation::Peer;

/// One plugin, compiled and linked, ready to be asked. Cheap to clone.
#[derive(Clone)]
pub struct Guest(Arc<Inner>);

struct Inner {
    machine: Arc<Machine>,
    metadata: Metadata,
    pure: Pure,
    check: Option<(InstancePre<CheckState>, check::GuestIndices)>,
}

/// One endpoint to check.
#[derive(Debug)]
pub struct CheckJob {
    /// Whom to talk to.
    pub peer: Peer,
    /// The connection that the prober opened; none opens one (UDP, or a TCP
    /// connection that is gone).
    pub stream: Option<Connected>,
    /// The plugin's settings, checked against their declarations.
    pub settings: Arc<[Setting]>,
    /// Time for everything.
    pub deadline: Duration,
    /// Who plays the peer, where there is no network.
    pub player: Option<SharedPlayer>,
    /// Where what happens is taken down.
    pub recorder: Option<Recorder>,
}

impl Guest {
    /// Links `component` and asks it who it is.
    pub(super) fn link(
        machine: Arc<Machine>,
        component: &Component,
        inspection: &super::Inspection,
    ) -> Result<Guest, LoadError> {
        let unlinkable =
            |e: wasmtime::Error| LoadError::Unlinkable { reason: e.root_cause().to_string() };
        let engine = machine.engine();
        let pure = Pure::new(engine, component, inspection.is_udp_probe).map_err(unlinkable)?;
        let check = inspection.is_check.then(|| link_check(engine, component)).transpose();
        let check = check.map_err(unlinkable)?;
        let described = {
            let _running = machine.running();
            pure.describe().map_err(|e| LoadError::Faulted(Phase::Describe.classify(&e)))?
        };
        let metadata = convert::metadata(described);
        super::metadata::validate(&metadata)?;
        let difference = inspection
            .metadata
            .as_ref()
            .and_then(|embedded| super::metadata::difference(&metadata, embedded));
        if let Some(difference) = difference {
            return Err(LoadError::Lied { difference });
        }
        Ok(Guest(Arc::new(Inner { machine, metadata, pure, check })))
    }

    /// What `describe` said.
    pub fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }

    /// Datagrams that make the endpoint's service answer.
    ///
    /// # Errors
    /// The plugin declined (`invalid-setting`, `failed`) or broke a rule.
    pub fn payloads(
        &self,
        endpoint: &Endpoint,
        target: &str,
        seed: u64,
        settings: &[Setting],
    ) -> Result<Vec<Payload>, Fault> {
        let (endpoint, settings) =
            (convert::endpoint(endpoint, target), convert::settings(settings));
        let returned = {
            let _running = self.0.machine.running();
            self.0.pure.call(|guest, store| guest.call_payloads(store, &endpoint, seed, &settings))
        };
        match returned.map_err(|e| Phase::Payloads.classify(&e))? {
            Ok(payloads) => self.accept(payloads).map_err(|breach| Phase::Payloads.breach(&breach)),
            Err(udp_probe::PayloadError::InvalidSetting(text)) => {
                Err(declined("invalid-setting", &cut(text, MAX_SUMMARY)))
            }
            Err(udp_probe::PayloadError::Failed(text)) => {
                Err(declined("failed", &cut(text, MAX_SUMMARY)))
            }
        }
    }

    /// Holds the payloads against what the plugin declares to send. How many of
    /// them are sent is the runner's choice, not the plugin's.
    fn accept(&self, payloads: Vec<udp_probe::Payload>) -> Result<Vec<Payload>, Breach> {
        let count = payloads.len();
        if count > MAX_PAYLOADS {
            return Err(Breach::Payloads { count, cap: MAX_PAYLOADS });
        }
        let wanted = payloads.iter().map(|payload| payload.data.len()).max().unwrap_or(0) as u64;
        let declared = u64::from(self.0.metadata.sends.largest);
        if wanted > declared {
            return Err(Breach::Undeclared { what: "bytes in one datagram", wanted, declared });
        }
        let payloads = payloads.into_iter();
        Ok(payloads.map(|p| Payload { bytes: p.data, label: cut(p.label, MAX_SUMMARY) }).collect())
    }

    /// Judges a datagram that came back from `port` after payload `index`.
    ///
    /// # Errors
    /// The plugin broke a rule.
    #[expect(clippy::too_many_arguments, reason = "the contract's own arguments, one for one")]
    pub fn judge(
        &self,
        endpoint: &Endpoint,
        target: &str,
        seed: u64,
        index: u32,
        port: u16,
        bytes: &[u8],
        settings: &[Setting],
    ) -> Result<Conclusion, Fault> {
        let (endpoint, settings) =
            (convert::endpoint(endpoint, target), convert::settings(settings));
        let answer = udp_probe::Answer { index, data: bytes.to_vec(), port };
        let returned = {
            let _running = self.0.machine.running();
            self.0
                .pure
                .call(|guest, store| guest.call_judge(store, &endpoint, seed, &answer, &settings))
        };
        let returned = returned.map_err(|e| Phase::Judge.classify(&e))?;
        let (conclusion, _) =
            convert::conclusion(returned).map_err(|breach| Phase::Judge.breach(&breach))?;
        Ok(conclusion)
    }

    /// Holds a dialogue with the endpoint, on a fresh instance. Needs a tokio
    /// runtime. Ends within the job's deadline plus a short grace, whatever
    /// plugin and peer do.
    pub async fn check(&self, job: CheckJob) -> CheckResult {
        let started = Instant::now();
        let mut log = Vec::new();
        let (conclusion, fault) = match self.converse(job, started, &mut log).await {
            Ok(conclusion) => (conclusion, None),
            Err(fault) => (not_checked(&fault), Some(fault)),
        };
        CheckResult {
            plugin: self.0.metadata.name.clone(),
            version: self.0.metadata.version.clone(),
            conclusion,
            fault,
            duration: started.elapsed(),
            log,
        }
    }

    async fn converse(
        &self,
        job: CheckJob,
        started: Instant,
        log: &mut Vec<String>,
    ) -> Result<Conclusion, Fault> {
        let Some((pre, indices)) = &self.0.check else {
            return Err(fault("not-a-plugin", "the plugin has no `check`".to_owned()));
        };
        let opened = Line::open(job.player.clone(), job.stream, &job.peer, job.deadline).await;
        let line = match opened {
            Ok(line) => line,
            Err(error) => return Ok(inconclusive(convert::summary(convert::io_error(error)))),
        };
        let meter = Meter::default();
        let sends = self.0.metadata.sends.clone();
        let state = CheckState::new(sends, started, job.deadline, job.player, job.recorder);
        let mut store = self.store(&meter, state);
        let endpoint = convert::endpoint(&job.peer.endpoint, &job.peer.target);
        let settings = convert::settings(&job.settings);
        let run = run(pre, indices, &mut store, line, &endpoint, &settings);
        let wall = (job.deadline + GRACE).saturating_sub(started.elapsed());
        let returned = {
            let _running = self.0.machine.running();
            timeout(wall, meter.measure(run)).await
        };
        let mut written = std::mem::take(&mut store.data_mut().log);
        let concluded = match returned {
            Err(_) => Err(Phase::Check.deadline(job.deadline)),
            Ok(Err(error)) => Err(Phase::Check.classify(&error)),
            Ok(Ok(Ok(conclusion))) => match convert::conclusion(conclusion) {
                Ok((conclusion, 0)) => Ok(conclusion),
                Ok((conclusion, surplus)) => {
                    written.write(format!("({surplus} more findings were dropped)"));
                    Ok(conclusion)
                }
                Err(breach) => Err(Phase::Check.breach(&breach)),
            },
            Ok(Ok(Err(check::CheckError::Conversation(error)))) => {
                Ok(inconclusive(convert::summary(error)))
            }
            Ok(Ok(Err(check::CheckError::InvalidSetting(text)))) => {
                Err(declined("invalid-setting", &cut(text, MAX_SUMMARY)))
            }
            Ok(Ok(Err(check::CheckError::Failed(text)))) => {
                Err(declined("failed", &cut(text, MAX_SUMMARY)))
            }
        };
        *log = written.finish();
        concluded
    }

    fn store(&self, meter: &Meter, state: CheckState) -> Store<CheckState> {
        let mut store = Store::new(self.0.machine.engine(), state);
        store.limiter(|state| &mut state.ceiling);
        store.set_hostcall_fuel(MAX_CALL_BYTES);
        store.set_max_component_handles(MAX_HANDLES);
        store.set_epoch_deadline(1);
        let meter = meter.clone();
        store.epoch_deadline_callback(move |_| {
            if meter.has_just_begun() {
                // The ticks went by while it waited.
                return Ok(UpdateDeadline::Continue(1));
            }
            match meter.used() > CHECK_CPU {
                true => Err(Breach::Cpu { budget: CHECK_CPU }.into()),
                // Other checks share the thread.
                false => Ok(UpdateDeadline::Yield(1)),
            }
        });
        store
    }
}

/// Links the dialogue half: this contract's functions and nothing else.
fn link_check(
    engine: &Engine,
    component: &Component,
) -> wasmtime::Result<(InstancePre<CheckState>, check::GuestIndices)> {
    let mut linker = Linker::new(engine);
    FullPlugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut CheckState| state)?;
    let pre = linker.instantiate_pre(component)?;
    let indices = check::GuestIndices::new(&pre)?;
    Ok((pre, indices))
}

async fn run(
    pre: &InstancePre<CheckState>,
    indices: &check::GuestIndices,
    store: &mut Store<CheckState>,
    line: Line,
    endpoint: &check::Endpoint,
    settings: &[check::Setting],
) -> wasmtime::Result<Result<check::Conclusion, check::CheckError>> {
    let connection = store.data_mut().table.push(Handle::new(line))?;
    let instance = pre.instantiate_async(&mut *store).await?;
    let guest = indices.load(&mut *store, &instance)?;
    guest.call_run(store, connection, endpoint, settings).await
}

fn inconclusive(summary: String) -> Conclusion {
    Conclusion {
        verdict: Verdict::Inconclusive,
        health: Health::Unknown,
        summary,
        findings: Vec::new(),
    }
}

/// The conclusion that stands beside a fault.
fn not_checked(fault: &Fault) -> Conclusion {
    Conclusion {
        verdict: Verdict::NotChecked,
        health: Health::Unknown,
        summary: fault.text.clone(),
        findings: Vec::new(),
    }
}
