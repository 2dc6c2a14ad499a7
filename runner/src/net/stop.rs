use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks a waiting [`Net`](super::Net) to come back, from a signal handler's thread.
#[derive(Clone)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Stop {
    /// A stop of a network whose wait is ended by `wake`.
    pub(super) fn new(wake: impl Fn() + Send + Sync + 'static) -> Stop {
        Stop { asked: Arc::new(AtomicBool::new(false)), wake: Arc::new(wake) }
    }

    /// Ends the current wait and makes [`Stop::is_asked`] true.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Ends the current wait, and no more.
    pub(super) fn wake(&self) {
        (self.wake)();
    }

    /// Whether somebody asked.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}
