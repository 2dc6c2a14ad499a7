"""The case of a million endpoints: memory over time, the rate, CPU for each."""

import threading
import time

from .table import Goal
from .tools import Reading, read_floor

RATE = 12000
# With a /16: 1,048,576 endpoints.
PORTS = [21, 22, 25, 80, 110, 143, 443, 445, 993, 995, 3306, 3389, 5432, 6379, 8080, 9200]
LISTED = ",".join(map(str, PORTS))
SMALL, SMALL_COUNT = ["10.96.0.0/23", "10.96.2.0/25"], 640 * len(PORTS)
LARGE, LARGE_COUNT = ["10.96.0.0/16"], 65536 * len(PORTS)
# Shorter than the kernel's own second SYN (1 s), so that packets are probes.
PATIENCE_MS = 900


class Counting:
    """Counts states line by line, without keeping a line."""

    def __init__(self, expected):
        self.expected = expected
        self.states = {}

    def on_line(self, line):
        """Looks for the state without parsing: a million lines are many."""
        _, _, after = line.partition(b'"state":')
        state = after.split(b"\"", 2)[1].decode() if after else "other lines"
        self.states[state] = self.states.get(state, 0) + 1
        return False

    def read(self, _sample):
        """The counts as facts."""
        counted, self.states = self.states, {}
        return Reading(facts=counted)


class RateMeter:
    """Reads the rig's packet counter while a tool runs."""

    def __init__(self, rig, seconds=1.0):
        self.rig = rig
        self.seconds = seconds
        self.readings = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.stop.wait(self.seconds):
            before = time.monotonic()
            packets = self.rig.counted()
            # The counter was read somewhere between the two times.
            self.readings.append(((before + time.monotonic()) / 2, packets))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def fastest(self, span=5):
        """Most packets a second over any `span` readings."""
        pairs = zip(self.readings, self.readings[span:])
        return max(((later[1] - earlier[1]) / (later[0] - earlier[0]) for earlier, later in pairs), default=0.0)


def million(bench):
    """A /16 by 16 ports, one address in 256 alive."""
    with bench.veth() as rig:
        rig.route_to_server("10.96.0.0/16")
        alive = [f"10.96.{third}.7" for third in range(256)]
        rig.alive(f"{address}/32" for address in alive)
        rig.nft("table ip bench { set alive { type ipv4_addr; elements = { " + ", ".join(alive) + " } }\n"
                "counter probes { }\n"
                "chain dead { type filter hook prerouting priority -200; ip daddr 10.96.0.0/16 counter name probes;\n"
                "ip daddr 10.96.0.0/16 ip daddr != @alive drop; }; }")
        rig.program("floor_responder", "--tcp", "80")
        small = _contest(bench, rig, "4 ten-thousand", SMALL, SMALL_COUNT, [], runs=5)
        yield small
        # Under strace a million take ten minutes, and show no more than ten thousand.
        if bench.settings.short or bench.settings.profile:
            return
        goals = [
            Goal("peak of portscan, KiB", lambda table: table.median("portscan", "rss"), 64 * 1024),
            Goal("growth of memory after the first tenth", _growth, 1.1),
            Goal("fastest 5 s, to the rate asked for", lambda table: _fact(table, "fastest"), 1.02 * RATE),
            Goal("CPU for each endpoint, to that at 10,000", lambda table: _cpu_growth(table, small), 1.0),
            Goal("endpoints without a line", lambda table: _unnamed(table), 0),
        ]
        yield _contest(bench, rig, "4 million", LARGE, LARGE_COUNT, goals)


def _contest(bench, rig, case, blocks, count, goals, runs=1):
    """portscan at a fixed rate, the floor as fast as descriptors permit."""
    counting = Counting(count)
    floor = bench.floor("tcp", ",".join(blocks), LISTED, "--timeout-ms", str(PATIENCE_MS), "--max-in-flight", "15000", read=read_floor("tcp"),
                        sample_ms=500)
    targets = [f"{block}:{LISTED}" for block in blocks]
    words = [*targets, "--no-plugins", "--no-controls", "--attempts", "1", "--timeout", f"{PATIENCE_MS}ms", "--rate", str(RATE)]
    ours = bench.ours(*words, "--format", "jsonl", "--quiet", read=counting.read, on_line=counting.on_line, sample_ms=500)
    title = f"{count:,} endpoints, one host in 256 alive; portscan at {RATE:,} packets a second"
    # One after the other: the meter must see portscan's packets alone.
    table = bench.contest(case, title, rig, [floor], runs=runs)
    if ours:
        with RateMeter(rig) as meter:
            mine = bench.contest(case, title, rig, [ours], runs=runs)
        if bench.settings.profile:
            return mine
        table.rows.update(mine.rows)
        _, _, facts = table.rows["portscan"].runs[-1]
        if runs == 1:
            facts["fastest"] = round(meter.fastest())
        facts["CPU µs each"] = round(table.median("portscan", "cpu") / count * 1e6, 2)
    table.goals = goals
    return table


def _fact(table, name):
    return table.rows["portscan"].runs[-1][2].get(name) if "portscan" in table.rows else None


def _growth(table):
    """Largest size after the first tenth to the size at its end."""
    memory = table.rows["portscan"].runs[0][0].memory if "portscan" in table.rows else []
    if len(memory) < 20:
        return None
    tenth = len(memory) // 10
    return max(size for _, size in memory[tenth:]) / memory[tenth][1]


def _cpu_growth(table, small):
    each = _fact(table, "CPU µs each"), _fact(small, "CPU µs each")
    return None if None in each else each[0] / each[1]


def _unnamed(table):
    """Endpoints that no line was about."""
    if "portscan" not in table.rows:
        return None
    states = ("open", "closed", "filtered", "open|filtered", "unknown")
    return LARGE_COUNT - sum(table.rows["portscan"].runs[0][2].get(state, 0) for state in states)
