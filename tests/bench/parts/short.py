"""The form for CI: few runs, correctness, and a gross loss against the floor."""

from .cases_small import start
from .cases_tcp import OPEN, PATIENT, listed, right_goals, tcp_dead_hosts, tcp_loss, truth_of_all
from .cases_udp import udp_20
from .tools import read_floor

# Of wall and of CPU, both: one alone is often a busy machine.
GROSS_LOSS = 2.0


def tcp_all(bench):
    """65,535 ports on loopback, portscan and the floor alone."""
    with bench.loopback() as rig:
        rig.program("floor_responder", "--tcp", listed(OPEN))
        truth = truth_of_all("127.0.0.1")
        tools = [
            bench.floor("tcp", "127.0.0.1", "1-65535", *PATIENT, read=read_floor("tcp")),
            bench.ours("127.0.0.1", "1-65535", "--no-plugins", "--no-controls", "--rate", "max", "--format", "json", "--quiet"),
        ]
        yield bench.contest("1 tcp-loopback", "65,535 TCP ports on loopback, 20 open", rig, tools, truth, right_goals(truth), runs=3)


def without_peers(case, runs):
    """A case of the long form, portscan and the floor alone."""
    def cases(bench):
        original = bench.peer, bench.settings.runs
        bench.peer, bench.settings.runs = (lambda *_, **__: None), runs
        try:
            yield from case(bench)
        finally:
            bench.peer, bench.settings.runs = original
    return cases


CASES = {
    "1-tcp-loopback": tcp_all,
    "5-udp-20": without_peers(udp_20, 1),
    "7-tcp-loss": without_peers(tcp_loss, 1),
    "7-tcp-dead-hosts": without_peers(tcp_dead_hosts, 1),
    "8-start": without_peers(start, 1),
}


def failures(tables):
    """What CI fails for: counts that must be 0, and a gross loss."""
    failed = []
    for table in tables:
        if "portscan" not in table.rows:
            failed.append(f"{table.case}: portscan did not run")
            continue
        failed += [f"{table.case}: {text}: {value:g}" for text, value, limit, reached in table.judged_goals() if limit == 0 and not reached]
        floor = next((tool for tool in table.rows if tool.startswith("floor")), None)
        ratios = [table.ratio("portscan", floor, what) for what in ("wall", "cpu")]
        if floor == "floor tcp" and all(ratio is not None and ratio > GROSS_LOSS for ratio in ratios):
            failed.append(f"{table.case}: {ratios[0]:.1f} times the floor's wall and {ratios[1]:.1f} times its CPU")
    return failed
