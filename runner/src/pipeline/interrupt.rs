use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};

use crate::net::Stop;

/// The run that an interruption stops; the last one that asked.
static CURRENT: Mutex<Option<Stop>> = Mutex::new(None);

/// Whether the user has interrupted the program.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Turns Ctrl-C (and a polite kill) into a request to stop: what is known is
/// shown, and the process ends with 130. A second one ends it at once.
///
/// The signals are blocked in every thread and waited for in one, so that no
/// code runs inside a signal handler. A later run takes the place of this one.
///
/// The run may be over at once: until [`listen`], which is called before it waits for
/// anything, an interruption is kept for later.
pub(super) fn prepare(stop: Stop) {
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(stop);
    block();
}

/// Keeps the signals from this thread and from those that it starts.
fn block() -> Option<SigSet> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&signals), None).ok().map(|()| signals)
}

/// Begins to wait for the signals, once. Work without a [`Stop`] looks at [`is_asked`]
/// by itself.
pub(super) fn listen() {
    static WATCHING: OnceLock<()> = OnceLock::new();
    WATCHING.get_or_init(|| {
        let Some(signals) = block() else { return };
        std::thread::spawn(move || {
            if signals.wait().is_ok() {
                ASKED.store(true, Ordering::SeqCst);
                if let Some(stop) = &*CURRENT.lock().unwrap_or_else(PoisonError::into_inner) {
                    stop.ask();
                }
                let _ = signals.wait();
                std::process::exit(130);
            }
        });
    });
}

/// Whether the user has asked to stop.
pub(super) fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
