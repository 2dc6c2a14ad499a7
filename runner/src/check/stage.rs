//! Where checks run: a runtime of its own, started by the first job.

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::catalog::Plugin;
use super::record::{Recorded, Recordings};
use super::redact::redact;
use super::{Answer, CheckOptions, Job};
use crate::host::{CheckJob, Guest, Host, Recorder};
use crate::model::{
    CheckResult, Conclusion, Endpoint, Fault, Health, ReplyFrom, Setting, Transport, Verdict,
};
use crate::net::conversation::{Peer, Roots};
use crate::net::{Connected, SourceBinding};

/// Connections that may wait for their check, at least and at most. Beyond it
/// they are given up and the check opens one of its own, which costs both sides
/// a second handshake: descriptors are for probing.
const WAITING: (usize, usize) = (256, 4096);

/// Jobs that may wait for their turn before no more endpoints are asked for: a
/// prober that runs ahead of the checks only fills memory.
const QUEUE: usize = 2048;

/// Checks that have just begun, at most. Where answers come at once, many at once
/// only push each other's memory out of the processor's caches: measured, 256 take a
/// fifth more time for each than 32.
const BEGUN: usize = 32;

/// A check that takes longer waits for its peer, and another may begin.
const BEGINNING: Duration = Duration::from_millis(5);

/// Descriptors that are left to the prober before more than the least number of
/// connections may wait: what it uses when nobody asks for another number.
const FOR_PROBING: usize = 12_000;

/// How long a connection may wait. A server's patience with a client that says
/// nothing is some seconds at the least; it is the check's, not the queue's.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// Threads that checks run on, at least and at most. One processor is left to
/// the prober.
const WORKERS: (usize, usize) = (2, 4);

/// A judge that takes longer than this is not called by the prober itself again.
const SLOW_JUDGE: Duration = Duration::from_millis(2);

/// What all jobs share.
pub(super) struct Stage {
    host: Arc<Host>,
    roots: Arc<Roots>,
    source: SourceBinding,
    deadline: Duration,
    permits: Semaphore,
    begun: Semaphore,
    /// Plugins that are compiled at once.
    loading: Semaphore,
    queued: AtomicUsize,
    /// How many of the queued have a connection.
    waiting: AtomicUsize,
    max_waiting: usize,
    results: Sender<(u64, CheckResult)>,
    recordings: Option<Recordings>,
    notes: Mutex<Vec<String>>,
}

/// One job with everything it needs.
pub(super) struct Work {
    pub job: Job,
    pub plugin: Arc<Plugin>,
    pub settings: Arc<[Setting]>,
    pub secrets: Arc<[String]>,
    pub secret_names: Arc<[String]>,
}

/// The threads that checks run on, started by the first job.
///
/// Apart from [`Stage`], which every job holds: the last owner of a runtime must
/// not be one of its own threads.
#[derive(Default)]
pub(super) struct Workers(OnceLock<Result<Runtime, String>>);

impl Workers {
    fn get(&self) -> Result<&Runtime, &String> {
        let start = || {
            let processors = thread::available_parallelism().map_or(1, usize::from);
            Builder::new_multi_thread()
                .worker_threads((processors - 1).clamp(WORKERS.0, WORKERS.1))
                .thread_name("check")
                .enable_all()
                .build()
        };
        self.0.get_or_init(|| start().map_err(|e| e.to_string())).as_ref()
    }
}

impl Drop for Workers {
    /// Ends the checks that still run, for example when the run is interrupted.
    fn drop(&mut self) {
        if let Some(Ok(runtime)) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Stage {
    pub(super) fn new(
        host: Arc<Host>,
        options: &CheckOptions,
        recordings: Option<Recordings>,
        results: Sender<(u64, CheckResult)>,
    ) -> Stage {
        Stage {
            host,
            roots: Arc::new(Roots::from_environment()),
            source: options.source.clone(),
            deadline: options.deadline,
            permits: Semaphore::new(options.concurrency.max(1)),
            begun: Semaphore::new(BEGUN),
            loading: Semaphore::new(WORKERS.1),
            queued: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            max_waiting: max_waiting(options.concurrency),
            results,
            recordings,
            notes: Mutex::default(),
        }
    }

    /// Whether few enough jobs wait for their turn.
    pub(super) fn has_room(&self) -> bool {
        self.queued.load(Ordering::Relaxed) < QUEUE
            && self.waiting.load(Ordering::Relaxed) < self.max_waiting / 2
    }

    /// Starts a job on `runtime`, unless it is done at once. Its result arrives
    /// even if it cannot be made.
    pub(super) fn submit(self: &Arc<Stage>, runtime: &Workers, mut work: Work) {
        if let Some(result) = self.judge_here(&work) {
            return self.report(&work, result);
        }
        match runtime.get() {
            Ok(runtime) => {
                if work.job.stream.is_some()
                    && self.waiting.fetch_add(1, Ordering::Relaxed) >= self.max_waiting
                {
                    self.waiting.fetch_sub(1, Ordering::Relaxed);
                    work.job.stream = None;
                }
                self.queued.fetch_add(1, Ordering::Relaxed);
                runtime.spawn(run(self.clone(), work, Instant::now()));
            }
            Err(reason) => {
                let fault = Fault {
                    kind: "host",
                    text: format!("checks cannot be made on this machine: {reason}"),
                    hint: "Try `--no-plugins`.".to_owned(),
                };
                self.refuse(&work, fault);
            }
        }
    }

    /// Judges an answer on the caller's thread, which is the prober's, where that
    /// is all there is to do and the plugin's judge was never slow. Handing it
    /// over costs more than most judges do; what one call may take at most, and
    /// delay the prober once, is what `payloads` may take there too.
    fn judge_here(&self, work: &Work) -> Option<CheckResult> {
        let answer = work.job.answer.as_ref()?;
        let may = work.job.endpoint.transport == Transport::Udp
            && self.recordings.is_none()
            && !work.plugin.has_slow_judge.load(Ordering::Relaxed)
            && work.plugin.inspection().is_ok_and(|inspection| !inspection.is_check);
        let guest = work.plugin.loaded().filter(|_| may)?.ok()?;
        let result = judge(work, guest, answer);
        if result.duration > SLOW_JUDGE {
            work.plugin.has_slow_judge.store(true, Ordering::Relaxed);
        }
        Some(result)
    }

    /// Reports that a check is not made.
    pub(super) fn refuse(&self, work: &Work, fault: Fault) {
        self.report(work, faulted(&work.plugin, fault));
    }

    fn report(&self, work: &Work, mut result: CheckResult) {
        redact(&mut result, &work.secrets);
        // Nobody listens any more when the run was interrupted.
        let _ = self.results.send((work.job.order, result));
    }

    /// Remarks for the user, and forgets them.
    pub(super) fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes a transcript, where they are kept; says so once when it cannot.
    fn record(
        &self,
        work: &Work,
        result: &CheckResult,
        write: impl FnOnce(&Recordings, &Recorded<'_>) -> io::Result<()>,
    ) {
        let Some(recordings) = &self.recordings else { return };
        let mut result = result.clone();
        redact(&mut result, &work.secrets);
        let recorded = Recorded {
            plugin: &work.plugin.metadata.name,
            job: &work.job,
            settings: &work.settings,
            secret_names: &work.secret_names,
            secrets: &work.secrets,
            result: &result,
        };
        if let Err(error) = write(recordings, &recorded) {
            let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
            if notes.is_empty() {
                notes.push(format!("a check was not recorded: {error}"));
            }
        }
    }

    fn peer(&self, endpoint: Endpoint, target: Arc<str>, reply_from: ReplyFrom) -> Peer {
        Peer {
            endpoint,
            target,
            source: self.source.clone(),
            reply_from,
            roots: self.roots.clone(),
        }
    }
}

/// Connections that may wait, with as many checks at once.
fn max_waiting(concurrency: usize) -> usize {
    let limit = crate::net::descriptor_limit().unwrap_or(0);
    let spare = limit.saturating_sub(FOR_PROBING).saturating_sub(concurrency.saturating_mul(4));
    (spare / 2).clamp(WAITING.0, WAITING.1)
}

async fn run(stage: Arc<Stage>, mut work: Work, since: Instant) {
    let Ok(permit) = stage.permits.acquire().await else { return };
    stage.queued.fetch_sub(1, Ordering::Relaxed);
    if work.job.stream.is_some() {
        stage.waiting.fetch_sub(1, Ordering::Relaxed);
        if since.elapsed() > MAX_WAIT {
            work.job.stream = None;
        }
    }
    let result = match load(&stage, &work.plugin).await {
        Ok(guest) => begin(&stage, &mut work, &guest).await,
        Err(fault) => faulted(&work.plugin, fault),
    };
    drop(permit);
    stage.report(&work, result);
}

/// Examines, when few enough others have just begun.
async fn begin(stage: &Stage, work: &mut Work, guest: &Guest) -> CheckResult {
    // Never closed; without a turn it would only be slower.
    let begun = stage.begun.acquire().await.ok();
    let mut examined = pin!(examine(stage, work, guest));
    if let Ok(result) = timeout(BEGINNING, &mut examined).await {
        return result;
    }
    drop(begun);
    examined.await
}

/// The guest; compiled off the runtime's threads when it has to be.
async fn load(stage: &Arc<Stage>, plugin: &Arc<Plugin>) -> Result<Guest, Fault> {
    if let Some(loaded) = plugin.loaded() {
        return loaded.cloned();
    }
    // Who comes while it is compiled waits here, not in a thread each.
    let _turn = stage.loading.acquire().await;
    if let Some(loaded) = plugin.loaded() {
        return loaded.cloned();
    }
    let (host, plugin) = (stage.host.clone(), plugin.clone());
    let loaded = tokio::task::spawn_blocking(move || plugin.guest(&host).cloned());
    loaded.await.unwrap_or_else(|e| {
        Err(Fault {
            kind: "host",
            text: format!("loading the plugin failed: {e}"),
            hint: "Please report it: this is a mistake of portscan's.".to_owned(),
        })
    })
}

/// Judges the datagram that came back, if there is one, and holds the dialogue,
/// if the plugin has one.
async fn examine(stage: &Stage, work: &mut Work, guest: &Guest) -> CheckResult {
    let has_dialogue = work.plugin.inspection().is_ok_and(|inspection| inspection.is_check);
    let judged = match &work.job.answer {
        Some(answer) if work.job.endpoint.transport == Transport::Udp => {
            let judged = judge(work, guest, answer);
            stage.record(work, &judged, |recordings, recorded| {
                let job = &work.job;
                let payloads = guest.payloads(&job.endpoint, &job.target, job.seed, &work.settings);
                recordings.probe(recorded, &payloads.unwrap_or_default(), answer)
            });
            Some(judged)
        }
        _ => None,
    };
    match judged {
        Some(judged)
            if !has_dialogue
                || judged.conclusion.verdict == Verdict::Mismatch
                || judged.fault.is_some() =>
        {
            judged
        }
        Some(judged) => merge(judged, talk(stage, work, guest).await),
        None => talk(stage, work, guest).await,
    }
}

fn judge(work: &Work, guest: &Guest, answer: &Answer) -> CheckResult {
    let started = Instant::now();
    let job = &work.job;
    let judged = guest.judge(
        &job.endpoint,
        &job.target,
        job.seed,
        answer.index,
        answer.port,
        &answer.bytes,
        &work.settings,
    );
    let result = match judged {
        Ok(conclusion) => CheckResult { conclusion, fault: None, ..empty(&work.plugin) },
        Err(fault) => faulted(&work.plugin, fault),
    };
    CheckResult { duration: started.elapsed(), ..result }
}

async fn talk(stage: &Stage, work: &mut Work, guest: &Guest) -> CheckResult {
    let job = &mut work.job;
    let peer = stage.peer(job.endpoint, job.target.clone(), work.plugin.metadata.reply_from);
    let stream: Option<Connected> = job.stream.take();
    let recorder = stage.recordings.is_some().then(Recorder::default);
    let check = CheckJob {
        peer,
        stream,
        settings: work.settings.clone(),
        deadline: stage.deadline,
        player: job.player.clone(),
        recorder: recorder.clone(),
    };
    let result = guest.check(check).await;
    if let Some(recorder) = recorder {
        stage
            .record(work, &result, |recordings, recorded| recordings.dialogue(recorded, &recorder));
    }
    result
}

/// The dialogue's conclusion wins if it confirms: it asked the user's question,
/// and the datagram's findings are about another one. A fault in it makes the
/// check not made.
fn merge(judged: CheckResult, talked: CheckResult) -> CheckResult {
    let duration = judged.duration + talked.duration;
    match talked.fault.is_none() && talked.conclusion.verdict != Verdict::Confirmed {
        true => CheckResult { duration, log: talked.log, ..judged },
        false => CheckResult { duration, ..talked },
    }
}

/// The result of a check that could not be made.
pub(super) fn faulted(plugin: &Plugin, fault: Fault) -> CheckResult {
    let mut result = empty(plugin);
    result.conclusion.summary = fault.text.clone();
    CheckResult { fault: Some(fault), ..result }
}

fn empty(plugin: &Plugin) -> CheckResult {
    CheckResult {
        plugin: plugin.metadata.name.clone(),
        version: plugin.metadata.version.clone(),
        conclusion: Conclusion {
            verdict: Verdict::NotChecked,
            health: Health::Unknown,
            summary: String::new(),
            findings: Vec::new(),
        },
        fault: None,
        duration: Duration::ZERO,
        log: Vec::new(),
    }
}
