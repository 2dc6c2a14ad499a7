"""Cases of plugin checks against the same work in native code."""

import contextlib

from .services import start_postgres
from .table import Goal
from .tools import Reading, portscan_rows, read_floor_dns, read_nothing, read_portscan

# 16,384 addresses that all answer: every endpoint has a peer of its own.
MANY, COUNT = "10.98.0.0/18", 16384


ALL_AT_ONCE = ["--no-controls", "--max-in-flight", "1000", "--rate", "max", "--format", "jsonl", "--quiet"]

# The plugin of mDNS speaks DNS and has no dialogue: what is measured is payload and judge alone.
PURE = "portscan"


@contextlib.contextmanager
def dns_rig(bench, *words):
    """One machine that has all of 10.98.0.0/16 and a responder with two threads."""
    with bench.loopback() as rig:
        rig.alive(["10.98.0.0/16"])
        rig.program("floor_responder", "--threads", "2", "--udp-dns", "53", "--tcp-dns", "53", *words)
        yield rig


def read_checks(sample):
    """Only the counts of verdicts; the rows are many and alike."""
    counts = {}
    for row in portscan_rows(sample.out):
        verdict = (row.get("check") or {}).get("verdict", "no check")
        counts[verdict] = counts.get(verdict, 0) + 1
    return Reading(facts=counts)


def plugin_udp(bench):
    """UDP probes through the pure interface."""
    with dns_rig(bench) as rig:
        tools = [
            bench.floor("dns", MANY, "53", "--over", "udp", name="native, one socket", read=read_floor_dns),
            bench.floor("dns", MANY, "53", "--over", "udp-each", name="native, a socket each", read=read_floor_dns),
            bench.ours(MANY, "53/udp", "--plugin", "mdns", *ALL_AT_ONCE, read=read_checks, name=PURE),
            bench.ours(MANY, "53/udp", "--plugin", "dns", *ALL_AT_ONCE, read=read_checks, name="portscan, a dialogue after each"),
        ]
        goals = [
            Goal("wall, portscan to native with a socket each (rate 0.8x)", lambda table: table.ratio(PURE, "native, a socket each"), 1.25),
            Goal("wall, portscan to native with one socket (rate 0.8x)", lambda table: table.ratio(PURE, "native, one socket"), 1.25),
            Goal("endpoints not confirmed", lambda table: unconfirmed(table, PURE), 0),
        ]
        yield bench.contest("6 plugin-udp", f"{COUNT:,} DNS checks over UDP, 1,000 at once", rig, tools, goals=goals)


def plugin_dialogue(bench):
    """Dialogues: a connection, a question, an answer."""
    with dns_rig(bench) as rig:
        tools = [
            bench.floor("dns", MANY, "53", "--over", "tcp", name="native", read=read_floor_dns),
            bench.floor("dns", MANY, "53", "--over", "tcp", "--threads", "2", name="native, 2 threads", read=read_floor_dns),
            bench.ours(MANY, "53/tcp", "--plugin", "dns", *ALL_AT_ONCE, read=read_checks),
        ]
        goals = [
            Goal("seconds of portscan for 12,000 a second", lambda table: table.median("portscan", "wall"), COUNT / 12000),
            Goal("endpoints not confirmed", lambda table: unconfirmed(table, "portscan"), 0),
        ]
        yield bench.contest("6 plugin-dialogue", f"{COUNT:,} DNS dialogues over TCP, 1,000 at once", rig, tools, goals=goals)


def unconfirmed(table, tool):
    """Endpoints without the verdict `confirmed` in the worst run."""
    if tool not in table.rows:
        return None
    return max(COUNT - facts.get("confirmed", 0) for _, _, facts in table.rows[tool].runs)


def plugin_silent(bench):
    """Ten thousand silent endpoints that wait at once."""
    with dns_rig(bench, "--udp-silent", "99") as rig:
        words = ["10.98.0.0/19:99/udp", "10.98.32.0/21:99/udp", "--plugin", "dns", "--no-controls", "--max-in-flight", "20000", "--rate", "max"]
        tools = [bench.ours(*words, "--format", "jsonl", "--quiet", read=read_checks, runs=2)]
        goals = [Goal("peak of portscan, KiB", lambda table: table.median("portscan", "rss"), 64 * 1024)]
        yield bench.contest("6 plugin-silent", "10,240 silent UDP endpoints with payloads of a plugin", rig, tools, goals=goals)


def plugin_one_dns(bench):
    """One DNS check, whole processes."""
    with dns_rig(bench) as rig:
        tools = [
            bench.floor("dns", "127.0.0.1", "53", name="native", read=read_floor_dns),
            bench.ours("127.0.0.1", "53/udp", "--no-controls", "--format", "json", "--quiet"),
            bench.peer("dig", "@127.0.0.1", "example.test", "A", "+tries=1", "+time=1", name="dig"),
        ]
        goals = [Goal("wall, portscan to dig", lambda table: table.ratio("portscan", "dig"), 1.0)]
        yield bench.contest("6 one-dns", "one DNS check over UDP, cold", rig, tools, goals=goals, runs=max(15, bench.settings.runs))


def plugin_one_postgres(bench):
    """One PostgreSQL check, TLS included, whole processes."""
    with bench.loopback() as rig:
        start_postgres(rig)
        tools = [
            bench.ours("127.0.0.1", "5432", "--no-controls", "--format", "json", "--quiet", read=read_portscan),
            bench.peer("pg_isready", "-h", "127.0.0.1", "-p", "5432", read=read_nothing),
        ]
        goals = [
            Goal("wall, portscan to pg_isready", lambda table: table.ratio("portscan", "pg_isready"), 1.0),
            Goal("CPU, portscan to pg_isready", lambda table: table.ratio("portscan", "pg_isready", "cpu"), 1.0),
        ]
        yield bench.contest("6 one-postgres", "one PostgreSQL check, TLS included, cold", rig, tools, goals=goals, runs=max(15, bench.settings.runs))
