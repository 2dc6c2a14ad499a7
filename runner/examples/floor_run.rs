//! Runs one command and says what it used.
//!
//! `floor_run [--netns NAME] [--uid N] [--nofile N] [--sample-ms N] --report FILE -- COMMAND...`
//!
//! A launcher of its own because the kernel counts the launcher's memory into
//! the child's peak (a child between fork and exec has its parent's pages):
//! started from Python, everything under 15 MiB looks like 15 MiB. It also
//! keeps `ip netns exec` and `setpriv` out of the time. The report is one JSON
//! line: wall and CPU seconds, peak KiB, exit code, and samples of the resident
//! size when they were asked for.

mod floor;

use std::ffi::CString;
use std::fs;
use std::mem::zeroed;
use std::time::{Duration, Instant};

use floor::{Options, must};

fn main() {
    let options = Options::read(
        "floor_run [--netns NAME] [--uid N] [--nofile N] --report FILE -- COMMAND...",
        0,
    );
    let command: Vec<CString> = std::env::args()
        .skip_while(|word| word != "--")
        .skip(1)
        .filter_map(|word| CString::new(word).ok())
        .collect();
    let (Some(report), false) = (options.text("report"), command.is_empty()) else {
        floor::fail("floor_run wants --report FILE and a command after --")
    };
    prepare(&options);
    let started = Instant::now();
    // SAFETY: this process has one thread, so the child may do what it likes.
    let child = must(unsafe { libc::fork() }, "fork");
    if child == 0 {
        become_command(&command, options.number("uid", 0) as u32);
    }
    let samples = sample(child, options.number("sample-ms", 0), started);
    let line = wait(child, started, &samples);
    fs::write(report, line).unwrap_or_else(|error| floor::fail(&format!("{report}: {error}")));
}

/// Enters the namespace and sets the limit of descriptors, hard and soft.
fn prepare(options: &Options) {
    if let Some(name) = options.text("netns") {
        let path = CString::new(format!("/run/netns/{name}")).unwrap_or_default();
        // SAFETY: the path is a C string.
        let fd = must(
            unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) },
            "open of the namespace",
        );
        // SAFETY: no pointers.
        must(unsafe { libc::setns(fd, libc::CLONE_NEWNET) }, "setns");
    }
    if let Some(limit) = options.text("nofile").and_then(|limit| limit.parse().ok()) {
        let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
        // SAFETY: the structure outlives the call.
        must(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, "setrlimit");
    }
}

/// The child: drops its rights when asked to, and becomes the command.
fn become_command(command: &[CString], uid: u32) -> ! {
    let mut arguments: Vec<_> = command.iter().map(|word| word.as_ptr()).collect();
    arguments.push(std::ptr::null());
    // SAFETY: the words are C strings and the list ends with a null pointer.
    unsafe {
        if uid != 0 {
            must(libc::setgroups(0, std::ptr::null()), "setgroups");
            must(libc::setresgid(uid, uid, uid), "setresgid");
            must(libc::setresuid(uid, uid, uid), "setresuid");
        }
        // After the change of user, which clears it (prctl(2)).
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::execvp(arguments[0], arguments.as_ptr());
    }
    floor::fail(&format!("{:?}: {}", command[0], std::io::Error::last_os_error()))
}

/// Resident KiB of the child at intervals until it ends, as JSON pairs of
/// seconds and KiB. None when `millis` is 0.
fn sample(child: i32, millis: u64, started: Instant) -> String {
    let mut samples = Vec::new();
    loop {
        if millis == 0 {
            break;
        }
        // SAFETY: a plain structure, alive during the call; WNOWAIT leaves the child for wait4.
        let ended = unsafe {
            let mut info: libc::siginfo_t = zeroed();
            let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
            libc::waitid(libc::P_PID, child as u32, &mut info, flags) == 0 && info.si_pid() == child
        };
        if ended {
            break;
        }
        let pages = fs::read_to_string(format!("/proc/{child}/statm")).unwrap_or_default();
        if let Some(pages) = pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()) {
            samples.push(format!("[{:.2},{}]", started.elapsed().as_secs_f64(), pages * 4));
        }
        std::thread::sleep(Duration::from_millis(millis));
    }
    samples.join(",")
}

fn wait(child: i32, started: Instant, samples: &str) -> String {
    // SAFETY: plain structures, alive during the call.
    let (status, usage) = unsafe {
        let (mut status, mut usage): (i32, libc::rusage) = (0, zeroed());
        must(libc::wait4(child, &mut status, 0, &mut usage), "wait4");
        (status, usage)
    };
    let wall = started.elapsed().as_secs_f64();
    let (user, system) = (floor::seconds(usage.ru_utime), floor::seconds(usage.ru_stime));
    let code = if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        128 + libc::WTERMSIG(status)
    };
    format!(
        "{{\"wall_s\":{wall:.6},\"user_s\":{user:.6},\"system_s\":{system:.6},\"rss_kib\":{},\"exit\":{code},\"samples\":[{samples}]}}\n",
        usage.ru_maxrss
    )
}
