"""Cases over UDP ports, with real services and the stock limit of ICMP errors."""

from .judge import Truth
from .rig import SERVER
from .services import UDP_PAYLOADS, UDP_SERVICES, start_udp_services
from .table import Goal
from .tools import portscan_rows, read_floor, read_nc_udp, read_nmap, read_portscan, read_rustscan

SILENT = list(range(20001, 20011))
REAL = [port for port, _, _ in UDP_SERVICES]


def truth_of(closed):
    """Real services answer, SILENT says nothing, `closed` has nobody."""
    states = {(SERVER, port, "udp"): "open" for port in REAL}
    states.update({(SERVER, port, "udp"): "open|filtered" for port in SILENT})
    return Truth(states, len(REAL) + len(SILENT) + len(closed))


def listed(ports):
    """Ports as most tools take them."""
    return ",".join(map(str, ports))


def ours(ports):
    """Ports as portscan takes them."""
    return ",".join(f"{port}/udp" for port in ports)


def floor(bench, ports):
    """The floor program, which is told what to send to each service."""
    payloads = ",".join(f"{port}={payload}" for port, payload in UDP_PAYLOADS.items())
    return bench.floor("udp", SERVER, listed(ports), "--payloads", payloads, "--tries", "3", read=read_floor("udp"))


def nmap(bench, ports, *words, **more):
    """nmap over UDP, which needs root."""
    name = " ".join(["nmap", "-sU", *words, "(root)"])
    return bench.peer("nmap", "-sU", *words, "-n", "-Pn", "-p", listed(ports), "-oX", "-", SERVER, name=name, read=read_nmap, root=True, **more)


def rustscan(bench, ports):
    """rustscan over UDP."""
    return bench.peer("rustscan", "--udp", "-g", "-n", "--no-banner", "-a", SERVER, "-p", listed(ports), read=read_rustscan("udp"), runs=2)


def udp_20(bench):
    """Twenty ports: five real services, ten silent, five closed."""
    closed = list(range(30001, 30006))
    ports = REAL + SILENT + closed
    with bench.veth() as rig:
        start_udp_services(rig, SERVER)
        rig.program("floor_responder", "--udp-silent", listed(SILENT))
        truth = truth_of(closed)
        tools = [
            floor(bench, ports),
            bench.ours(SERVER, ours(ports), "--format", "json", "--quiet"),
            nmap(bench, ports),
            nmap(bench, ports, "-sV", slow=True),
            bench.peer("nc", "-zvu", "-w1", SERVER, *map(str, ports), name="nc -zvu", read=read_nc_udp(SERVER), runs=1)
            if bench.settings.slow else None,
            rustscan(bench, ports),
        ]
        goals = [
            Goal("services missed by portscan", lambda table: missed(table, "portscan"), 0),
            Goal("false open ports of portscan", lambda table: table.worst("portscan", "false_open"), 0),
            Goal("wrong or vague states, portscan more than nmap", lambda table: less_right(table, "portscan", "nmap -sU (root)"), 0),
            Goal("wall, portscan to nmap -sU as root", lambda table: table.ratio("portscan", "nmap -sU (root)"), 1.0),
        ]
        yield bench.contest("5 udp-20", "20 UDP ports: 5 real services, 10 silent, 5 closed", rig, tools, truth, goals, before=rig.fresh_source)


def udp_1000(bench):
    """A thousand ports, of which the target may prove 6 at once and 1 a second."""
    closed = list(range(30001, 30986))
    ports = REAL + SILENT + closed
    confirmed = Milestone(len(REAL))
    with bench.veth() as rig:
        start_udp_services(rig, SERVER)
        rig.program("floor_responder", "--udp-silent", listed(SILENT))
        truth = truth_of(closed)
        tools = [
            floor(bench, ports),
            bench.ours(SERVER, ours(ports), "--format", "jsonl", "--quiet", read=confirmed.read, on_line=confirmed.on_line),
            nmap(bench, ports, "-T4", "--min-rate", "1000", "--max-retries", "1"),
            nmap(bench, ports, "-T4", slow=True, timeout=1200),
            rustscan(bench, ports),
        ]
        goals = [
            Goal("services missed by portscan", lambda table: missed(table, "portscan"), 0),
            Goal("wrong states of portscan", lambda table: table.worst("portscan", "wrong"), 0),
            Goal("seconds until portscan has the five services", lambda table: milestone(table, "portscan"), 2),
            Goal("wall, portscan to nmap -sU -T4 as root", lambda table: table.ratio("portscan", "nmap -sU -T4 (root)"), 1.0),
        ]
        yield bench.contest("5 udp-1000", "1,000 UDP ports: 5 real services, 10 silent, 985 closed, stock ICMP limit", rig, tools, truth, goals, before=rig.fresh_source)


def udp_closed(bench):
    """A hundred closed ports, of which the target may prove 6 at once and 1 a second."""
    closed = list(range(30001, 30101))
    with bench.veth() as rig:
        truth = Truth({}, len(closed))
        tools = [
            bench.ours(SERVER, ours(closed), "--format", "json", "--quiet"),
            bench.ours(SERVER, ours(closed), "--prove", "--format", "json", "--quiet", name="portscan --prove", runs=1),
            nmap(bench, closed, runs=1, timeout=300),
            nmap(bench, closed, "-T4", "--min-rate", "1000", "--max-retries", "1"),
        ]
        goals = [
            Goal("wrong states of portscan", lambda table: table.worst("portscan", "wrong"), 0),
            Goal("wrong states of portscan --prove", lambda table: table.worst("portscan --prove", "wrong"), 0),
            Goal("ports that portscan --prove leaves unproved", lambda table: table.worst("portscan --prove", "vague"), 0),
            Goal("wall, portscan --prove to nmap -sU as root", lambda table: table.ratio("portscan --prove", "nmap -sU (root)"), 1.0),
        ]
        yield bench.contest("5 udp-closed", "100 closed UDP ports, stock ICMP limit", rig, tools, truth, goals, before=rig.fresh_source)


def missed(table, tool):
    """Services that a tool did not find in its worst run."""
    found = table.worst(tool, "found")
    return None if found is None else len(REAL) - found


def less_right(table, one, other):
    """How many more endpoints `one` has not right than `other`."""
    counts = [table.worst(tool, "right") for tool in (one, other)]
    return None if None in counts else counts[1] - counts[0]


def milestone(table, tool):
    """Median seconds to the milestone; infinite when a run never reached it."""
    if tool not in table.rows:
        return None
    reached = [sample.milestone for sample, _, _ in table.rows[tool].runs]
    return sorted(float("inf") if second is None else second for second in reached)[len(reached) // 2]


class Milestone:
    """Keeps the lines of a run and tells when enough were open."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.lines = []
        self.open = 0

    def on_line(self, line):
        """True at the line of the last wanted service."""
        self.lines.append(line)
        self.open += sum(row["state"] == "open" for row in portscan_rows(line))
        return self.open == self.wanted

    def read(self, sample):
        """Hands the kept lines to the usual reader, and starts anew."""
        sample.out = b"".join(self.lines)
        self.lines, self.open = [], 0
        reading = read_portscan(sample)
        reading.facts["five services after"] = f"{sample.milestone:.2f} s" if sample.milestone else "never"
        return reading
