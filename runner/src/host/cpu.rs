//! CPU time of a guest, as the kernel measures it.
//!
//! Epochs only say when to look. Counting them would charge a guest for the
//! time that it waits for the network or that other processes run.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

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

/// CPU time of one check over all its polls, on whichever threads they ran.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter(Arc<MeterState>);

#[derive(Debug, Default)]
struct MeterState {
    /// Nanoseconds of the polls that ended.
    ended: AtomicU64,
    /// Thread time at which the current poll began.
    began: AtomicU64,
}

impl Meter {
    /// What was used so far. Called from within a poll of the metered future.
    pub(super) fn used(&self) -> Duration {
        let now = nanoseconds(thread_time());
        let current = now.saturating_sub(self.0.began.load(Ordering::Relaxed));
        Duration::from_nanos(self.0.ended.load(Ordering::Relaxed).saturating_add(current))
    }

    /// Runs `future` and counts what its polls use.
    pub(super) async fn measure<F: Future>(&self, future: F) -> F::Output {
        let inner = pin!(future);
        Metered { inner, meter: self.clone() }.await
    }
}

struct Metered<'a, F> {
    inner: Pin<&'a mut F>,
    meter: Meter,
}

impl<F: Future> Future for Metered<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let meter = self.meter.clone();
        meter.0.began.store(nanoseconds(thread_time()), Ordering::Relaxed);
        let polled = self.inner.as_mut().poll(cx);
        let used = nanoseconds(meter.used());
        meter.0.ended.store(used, Ordering::Relaxed);
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
}
