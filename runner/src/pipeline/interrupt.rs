use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};

use crate::net::Stop;

/// Turns Ctrl-C (and a polite kill) into a request to stop: what is known is
/// shown, and the process ends with 130. A second one ends it at once.
///
/// The signals are blocked in every thread and waited for in one, so that no
/// code runs inside a signal handler.
pub(super) fn watch(stop: Stop) {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    if pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&signals), None).is_err() {
        return;
    }
    std::thread::spawn(move || {
        if signals.wait().is_ok() {
            stop.ask();
            let _ = signals.wait();
            std::process::exit(130);
        }
    });
}
