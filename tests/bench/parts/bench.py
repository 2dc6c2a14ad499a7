"""What every case needs: the programs, the settings, and the paired runs."""

import os
import shutil
import sys
from dataclasses import dataclass

from . import profile
from .judge import judge
from .measure import Launcher
from .rig import Rig, which
from .table import Row, Table
from .tools import Tool, read_nothing, read_portscan

PROGRAMS = ["floor_tcp", "floor_udp", "floor_dns", "floor_connect1", "floor_run", "floor_responder", "floor_wire"]


@dataclass
class Settings:
    """What was asked for on the command line."""

    runs: int
    slow: bool
    short: bool
    profile: bool = False


class Bench:
    """Copies of our programs where an ordinary user can run them, and a launcher."""

    def __init__(self, portscan, binaries, scratch, settings):
        self.settings = settings
        self.scratch = scratch
        self.binaries = os.path.join(scratch, "bin")
        os.makedirs(os.path.join(self.binaries, "examples"))
        for program in PROGRAMS:
            shutil.copy(os.path.join(binaries, "examples", program), os.path.join(self.binaries, "examples", program))
        self.portscan = self._copy(portscan)
        self.rustscan = self._copy(which("rustscan"))
        self.launcher = Launcher(self.binaries, scratch)
        self.missing = set()
        self.profiles = []

    def _copy(self, program):
        if not program or not os.path.exists(program):
            return None
        return shutil.copy(program, os.path.join(self.binaries, os.path.basename(program)))

    def loopback(self):
        """A rig where prober and probed are one machine."""
        return Rig(self.binaries, self.scratch, Rig.loopback)

    def veth(self):
        """A rig of two machines on one link."""
        return Rig(self.binaries, self.scratch, Rig.veth)

    def wire(self, delay_ms, loss_percent):
        """A rig of two machines with a path that delays and loses."""
        return Rig(self.binaries, self.scratch, lambda rig: rig.wire(delay_ms, loss_percent))

    def floor(self, program, *words, read=read_nothing, **more):
        """One of the floor programs as a contestant."""
        path = os.path.join(self.binaries, "examples", f"floor_{program}")
        return Tool(more.pop("name", f"floor {program}"), [path, *words], read, **more)

    def ours(self, *words, name="portscan", read=read_portscan, **more):
        """portscan as a contestant; None when there is no binary."""
        if not self.portscan:
            return self._absent("portscan")
        return Tool(name, [self.portscan, *words], read, **more)

    def peer(self, program, *words, name=None, read=read_nothing, **more):
        """An installed tool as a contestant; None when it is not installed."""
        path = self.rustscan if program == "rustscan" else which(program)
        if not path:
            return self._absent(program)
        return Tool(name or program, [path, *words], read, **more)

    def _absent(self, name):
        self.missing.add(name)

    def contest(self, case, title, rig, tools, truth=None, goals=(), before=None, runs=None):
        """Runs the tools in turn, A B C A B C, and returns the table.

        `before()` runs before each run of each tool.
        """
        table = Table(case, title, goals=list(goals))
        tools = [tool for tool in tools if tool and (self.settings.slow or not tool.slow)]
        if self.settings.profile:
            self._profile(case, rig, tools, before)
            return table
        for turn in range(runs or self.settings.runs):
            for tool in tools:
                limit = 1 if tool.slow else tool.runs
                if limit is not None and turn >= limit:
                    continue
                if before:
                    before()
                sample, score, facts = self._one(rig, tool, truth)
                table.rows.setdefault(tool.name, Row(tool.name)).runs.append((sample, score, facts))
                if sample.wall > 0.5:
                    say(f"{case}: {tool.name}: {sample.wall:.2f} s")
        return table

    def _profile(self, case, rig, tools, before):
        """Runs portscan alone, once, and counts its system calls."""
        for tool in tools:
            if tool.command[0] != self.portscan:
                continue
            if before:
                before()
            words, counts = profile.command(tool, self.scratch)
            self.launcher.run(words, netns=rig.client, nofile=tool.nofile, timeout=tool.timeout)
            self.profiles.append(profile.Profile(case, tool.name, profile.read(counts)))

    def _one(self, rig, tool, truth):
        sample = self.launcher.run(
            tool.command,
            netns=rig.client,
            root=tool.root,
            nofile=tool.nofile,
            sample_ms=tool.sample_ms,
            timeout=tool.timeout,
            on_line=tool.on_line,
        )
        reading = tool.read(sample)
        score = judge(truth, reading) if truth and tool.read is not read_nothing else None
        if sample.exit > 2:
            say(f"  {tool.name} ended with {sample.exit}: {sample.err[-300:].decode(errors='replace').strip()}")
        # The output of a run can be hundreds of megabytes.
        sample.out = sample.err = b""
        return sample, score, reading.facts


def say(line):
    """A line on stderr; stdout is the tables'."""
    print(line, file=sys.stderr, flush=True)
