"""Runs one command in a rig and says what it used.

The work is done by the floor_run example, which forks from a small process:
the kernel counts the launcher's memory into the child's peak, so that a child
of Python never seems smaller than Python.
"""

import json
import os
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field

NOBODY = 65534


@dataclass
class Sample:
    """One run: seconds, KiB, exit code, output; what was seen while it ran."""

    wall: float
    cpu: float
    rss: int
    exit: int
    out: bytes
    err: bytes
    # (seconds since start, KiB) while it ran, when asked for.
    memory: list = field(default_factory=list)
    # Seconds until the line that a case waited for, when it did.
    milestone: float | None = None


class Launcher:
    """Starts commands in namespaces, as root or as an ordinary user."""

    def __init__(self, binaries, scratch):
        self.floor_run = os.path.join(binaries, "examples", "floor_run")
        self.scratch = scratch
        # An ordinary user's home, so that caches work as they do for people.
        self.home = os.path.join(scratch, "home")
        os.makedirs(self.home, exist_ok=True)
        os.chown(self.home, NOBODY, NOBODY)
        os.chmod(scratch, 0o755)

    def run(self, command, netns=None, root=False, nofile=None, sample_ms=0, timeout=300, on_line=None):
        """Runs to the end (or `timeout` seconds, then exit is 137).

        `on_line(line)` reads stdout through a pipe as it comes and returns True
        at the line that ends the milestone; without it stdout goes to a file.
        """
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            report, out, err = (os.path.join(folder, name) for name in ("report", "out", "err"))
            words = [self.floor_run, "--report", report, "--sample-ms", str(sample_ms)]
            words += ["--netns", netns] if netns else []
            words += [] if root else ["--uid", str(NOBODY)]
            words += ["--nofile", str(nofile)] if nofile else []
            environment = dict(os.environ, HOME="/root" if root else self.home, LC_ALL="C")
            for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
                environment.pop(name, None)
            with open(out, "wb") as to_out, open(err, "wb") as to_err:
                started = time.monotonic()
                child = subprocess.Popen(
                    words + ["--"] + command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE if on_line else to_out,
                    stderr=to_err,
                    env=environment,
                    cwd="/",
                )
                # The command dies with floor_run (PR_SET_PDEATHSIG).
                alarm = threading.Timer(timeout, child.kill)
                alarm.start()
                milestone = None
                try:
                    for line in child.stdout if on_line else ():
                        if on_line(line) and milestone is None:
                            milestone = time.monotonic() - started
                    child.wait()
                finally:
                    alarm.cancel()
                    child.kill()
                    child.wait()
            with open(out, "rb") as file:
                text = file.read()
            with open(err, "rb") as file:
                trouble = file.read()
            return self._sample(report, text, trouble, timeout, milestone)

    @staticmethod
    def _sample(report, out, err, timeout, milestone):
        try:
            with open(report, encoding="ascii") as file:
                used = json.load(file)
        except (OSError, ValueError):
            return Sample(float(timeout), float("nan"), 0, 137, out, err)
        cpu = used["user_s"] + used["system_s"]
        return Sample(used["wall_s"], cpu, used["rss_kib"], used["exit"], out, err, used["samples"], milestone)
