"""Cases of one cold process: a single probe, and nothing but the start."""

from .judge import Truth
from .table import Goal
from .tools import read_exit_code, read_nothing

PORT = 8080
HERE = ("127.0.0.1", PORT, "tcp")


def cold(bench):
    """One TCP port; and one DNS check with and without its plugin."""
    runs = max(25, bench.settings.runs)
    with bench.loopback() as rig:
        rig.program("floor_responder", "--tcp", str(PORT), "--udp-dns", "53")
        tools = [
            bench.peer("nc", "-z", "127.0.0.1", str(PORT), name="nc -z", read=read_exit_code(HERE)),
            bench.ours("127.0.0.1", str(PORT), "--no-plugins", "--format", "json", "--quiet"),
            bench.floor("connect1", "127.0.0.1", str(PORT), read=read_nothing),
            bench.peer("nmap", "-sT", "-n", "-Pn", "-p", str(PORT), "127.0.0.1", name="nmap -sT", runs=5),
            bench.peer("rustscan", "-g", "-n", "--no-banner", "-a", "127.0.0.1", "-p", str(PORT)),
        ]
        goals = [
            Goal("wall, portscan to nc -z", lambda table: table.ratio("portscan", "nc -z"), 2),
            Goal("peak of portscan, KiB", lambda table: table.median("portscan", "rss"), 12 * 1024),
        ]
        yield bench.contest("3 cold", "one open TCP port, cold process", rig, tools, Truth({HERE: "open"}, 1), goals, runs=runs)
        words = ["127.0.0.1", "53/udp", "--no-controls", "--format", "json", "--quiet"]
        tools = [bench.ours(*words, "--plugin", "dns"), bench.ours("127.0.0.1", str(PORT), "--no-plugins", "--format", "json", "--quiet", name="portscan, no plugin")]
        more = Goal("seconds more with a cached plugin", lambda table: difference(table), 0.008)
        yield bench.contest("3 cold-plugin", "one DNS check with a cached plugin against a bare probe, cold process", rig, tools, goals=[more], runs=runs)


def difference(table):
    """Seconds that the plugin costs."""
    walls = [table.median(tool, "wall") for tool in ("portscan", "portscan, no plugin")]
    return None if None in walls else walls[0] - walls[1]


def start(bench):
    """The start of the program, without any work."""
    with bench.loopback() as rig:
        tools = [
            bench.ours("--help", read=read_nothing),
            bench.ours("--version", name="portscan --version", read=read_nothing),
            bench.peer("true", name="true"),
            bench.peer("nc", "-h", name="nc -h"),
            bench.peer("nmap", "--help", name="nmap --help"),
            bench.peer("rustscan", "--help", name="rustscan --help"),
        ]
        goals = [
            Goal("seconds of portscan --help", lambda table: table.median("portscan", "wall"), 0.005),
            Goal("seconds of portscan --version", lambda table: table.median("portscan --version", "wall"), 0.005),
        ]
        yield bench.contest("8 start", "start of the program (portscan: --help)", rig, tools, goals=goals, runs=max(25, bench.settings.runs))
