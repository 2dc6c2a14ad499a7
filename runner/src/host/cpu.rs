//! CPU time of a guest, as the kernel measures it.
//!
//! Epochs only say when to look. Counting them would charge a guest for the
//! time that it waits for the network or that other processes run.
//!
//! Asking the kernel is a system call. Most checks end after a fraction of a
//! millisecond, so the first [`COARSE`] of a check are read off a clock that
//! costs none; where a guest runs when it is looked at, the kernel is asked from
//! then on.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::limits::TICK;

/// CPU time that this thread has used (clock_gettime(2)); 0 when the kernel
/// cannot say.
pub(super) fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec to write to.
    let rc = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    match rc {
        0 => Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0)),
        _ => Duration::ZERO,
    }
}

/// As long as a check has used no more, time that passed stands for CPU time. A
/// poll is charged no more than this either by that clock: a busy machine must
/// not use up a guest's budget.
const COARSE: Duration = Duration::from_millis(20);

/// CPU time of one check over all its polls, on whichever threads they ran.
#[derive(Clone, Debug)]
pub(super) struct Meter(Arc<MeterState>);

#[derive(Debug)]
struct MeterState {
    started: Instant,
    /// Nanoseconds of what ended.
    ended: AtomicU64,
    /// Time at which what is not in `ended` began, by the clock in use.
    began: AtomicU64,
    /// Which clock: the kernel's measure of this thread, or the time that passes.
    is_fine: AtomicBool,
}

impl Default for Meter {
    fn default() -> Meter {
        Meter(Arc::new(MeterState {
            started: Instant::now(),
            ended: AtomicU64::new(0),
            began: AtomicU64::new(0),
            is_fine: AtomicBool::new(false),
        }))
    }
}

impl Meter {
    /// What was used so far. Called from within a poll of the metered future.
    pub(super) fn used(&self) -> Duration {
        self.0.close();
        if !self.0.is_fine.load(Ordering::Relaxed) {
            self.0.open(true);
        }
        Duration::from_nanos(self.0.ended.load(Ordering::Relaxed))
    }

    /// Whether the poll under way began less than a [`TICK`] ago. Called from within
    /// it; costs no system call, and says no once the kernel is asked.
    pub(super) fn has_just_begun(&self) -> bool {
        let state = &*self.0;
        let passed = || state.now(false).saturating_sub(state.began.load(Ordering::Relaxed));
        !state.is_fine.load(Ordering::Relaxed) && passed() < nanoseconds(TICK)
    }

    /// Runs `future` and counts what its polls use.
    pub(super) async fn measure<F: Future>(&self, future: F) -> F::Output {
        let inner = pin!(future);
        Metered { inner, meter: &self.0 }.await
    }
}

impl MeterState {
    /// By one clock or the other.
    fn now(&self, is_fine: bool) -> u64 {
        nanoseconds(if is_fine { thread_time() } else { self.started.elapsed() })
    }

    /// From here on is charged, by this clock.
    fn open(&self, is_fine: bool) {
        self.is_fine.store(is_fine, Ordering::Relaxed);
        self.began.store(self.now(is_fine), Ordering::Relaxed);
    }

    /// Charges what passed since it was opened or closed.
    fn close(&self) {
        let is_fine = self.is_fine.load(Ordering::Relaxed);
        let now = self.now(is_fine);
        let passed = now.saturating_sub(self.began.swap(now, Ordering::Relaxed));
        let charged = if is_fine { passed } else { passed.min(nanoseconds(COARSE)) };
        self.ended.fetch_add(charged, Ordering::Relaxed);
    }
}

struct Metered<'a, F> {
    inner: Pin<&'a mut F>,
    meter: &'a MeterState,
}

impl<F: Future> Future for Metered<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let used = self.meter.ended.load(Ordering::Relaxed);
        self.meter.open(used >= nanoseconds(COARSE));
        let polled = self.inner.as_mut().poll(cx);
        self.meter.close();
        polled
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burn(time: Duration) {
        let start = thread_time();
        while thread_time() - start < time {
            std::hint::black_box(0);
        }
    }

    #[tokio::test]
    async fn waiting_is_not_charged_and_every_poll_is() {
        let meter = Meter::default();
        meter
            .measure(async {
                burn(Duration::from_millis(5));
                tokio::time::sleep(Duration::from_millis(50)).await;
                burn(Duration::from_millis(5));
                let used = meter.used();
                assert!(
                    used >= Duration::from_millis(10) && used < Duration::from_millis(45),
                    "{used:?}"
                );
            })
            .await;
    }

    #[tokio::test]
    async fn a_poll_is_looked_into_after_a_tick() {
        let meter = Meter::default();
        meter
            .measure(async {
                assert!(meter.has_just_begun());
                burn(TICK);
                assert!(!meter.has_just_begun());
                tokio::task::yield_now().await;
                assert!(meter.has_just_begun());
                burn(COARSE);
                tokio::task::yield_now().await;
                assert!(!meter.has_just_begun(), "the kernel is asked now");
            })
            .await;
    }

    #[tokio::test]
    async fn what_is_long_is_charged_by_the_kernels_clock_alone() {
        let meter = Meter::default();
        meter
            .measure(async {
                burn(COARSE);
                tokio::task::yield_now().await;
                let before = meter.used();
                // Other processes run, while this one is in its poll.
                std::thread::sleep(Duration::from_millis(100));
                assert!(meter.used() - before < Duration::from_millis(50));
                burn(Duration::from_millis(30));
                assert!(meter.used() - before >= Duration::from_millis(30));
            })
            .await;
    }
}
