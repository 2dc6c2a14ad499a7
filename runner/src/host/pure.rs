//! The pure half of a plugin: `describe`, `payloads`, `judge`.
//!
//! These functions get no ability at all, keep no state and wait for nothing,
//! so they run without a fiber, on an instance that is used again and again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Instance, InstancePre, Linker, ResourceType};
use wasmtime::{Engine, Store, UpdateDeadline};

use super::bindings::exports::portscan::plugin::{plugin, udp_probe};
use super::cpu::thread_time;
use super::fault::Breach;
use super::limits::{CALLS_PER_INSTANCE, MAX_CALL_BYTES, PURE_CPU};
use super::state::Ceiling;

/// A store without abilities.
#[derive(Default)]
pub(super) struct PureState {
    ceiling: Ceiling,
    /// Thread time when the current call was first looked at.
    began: Option<Duration>,
}

/// The instance and its store, ready for one call after the other.
struct Warm {
    store: Store<PureState>,
    probe: udp_probe::Guest,
    calls: u32,
}

/// The pure half of one component.
pub(super) struct Pure {
    pre: InstancePre<PureState>,
    probe: Option<udp_probe::GuestIndices>,
    /// Instances that wait for the next call; as many as threads have called
    /// at once.
    warm: Mutex<Vec<Warm>>,
}

impl Pure {
    /// Prepares the component. Runs nothing of it.
    pub(super) fn new(
        engine: &Engine,
        component: &Component,
        is_probe: bool,
    ) -> wasmtime::Result<Pure> {
        let linker = powerless_linker(engine, component)?;
        let pre = linker.instantiate_pre(component)?;
        let probe = is_probe.then(|| udp_probe::GuestIndices::new(&pre)).transpose()?;
        Ok(Pure { pre, probe, warm: Mutex::new(Vec::new()) })
    }

    /// Calls `describe` on a fresh instance.
    pub(super) fn describe(&self) -> wasmtime::Result<plugin::Metadata> {
        let indices = plugin::GuestIndices::new(&self.pre)?;
        let (mut store, instance) = self.instantiate()?;
        let guest = indices.load(&mut store, &instance)?;
        guest.call_describe(&mut store)
    }

    /// Calls `payloads` or `judge` on a warm instance.
    ///
    /// An instance that trapped is dropped, and one that has served
    /// [`CALLS_PER_INSTANCE`] calls as well.
    pub(super) fn call<T>(
        &self,
        function: impl FnOnce(&udp_probe::Guest, &mut Store<PureState>) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        let waiting = self.warm.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut warm = waiting.map_or_else(|| self.warm_up(), Ok)?;
        warm.store.data_mut().began = None;
        warm.store.set_epoch_deadline(1);
        let result = function(&warm.probe, &mut warm.store)?;
        warm.calls += 1;
        if warm.calls < CALLS_PER_INSTANCE {
            self.warm.lock().unwrap_or_else(PoisonError::into_inner).push(warm);
        }
        Ok(result)
    }

    fn warm_up(&self) -> wasmtime::Result<Warm> {
        let indices = self.probe.as_ref().ok_or_else(|| wasmtime::format_err!("no udp-probe"))?;
        let (mut store, instance) = self.instantiate()?;
        let probe = indices.load(&mut store, &instance)?;
        Ok(Warm { store, probe, calls: 0 })
    }

    fn instantiate(&self) -> wasmtime::Result<(Store<PureState>, Instance)> {
        let mut store = Store::new(self.pre.engine(), PureState::default());
        store.limiter(|state| &mut state.ceiling);
        store.set_hostcall_fuel(MAX_CALL_BYTES);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store| {
            let now = thread_time();
            let began = *store.data_mut().began.get_or_insert(now);
            match now.saturating_sub(began) > PURE_CPU {
                true => Err(Breach::Cpu { budget: PURE_CPU }.into()),
                false => Ok(UpdateDeadline::Continue(1)),
            }
        });
        let instance = self.pre.instantiate(&mut store)?;
        Ok((store, instance))
    }
}

/// A linker in which every import of the component ends the call.
///
/// Only after `inspect` has refused foreign imports: this takes any.
fn powerless_linker(engine: &Engine, component: &Component) -> wasmtime::Result<Linker<PureState>> {
    let mut linker = Linker::new(engine);
    for (interface, import) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = import.ty else { continue };
        let mut stub = linker.instance(interface)?;
        for (name, export) in instance.exports(engine) {
            match export.ty {
                ComponentItem::ComponentFunc(_) => {
                    let function = format!("{interface}#{name}");
                    stub.func_new(name, move |_, _, _, _| {
                        Err(Breach::Impure { function: function.clone() }.into())
                    })?;
                }
                ComponentItem::Resource(_) => {
                    stub.resource(name, ResourceType::host::<()>(), |_, _| Ok(()))?;
                }
                _ => {}
            }
        }
    }
    Ok(linker)
}
