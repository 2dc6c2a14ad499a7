"""Cases over TCP ports: all ports, dropped ports, a lossy path, dead hosts."""

from .judge import Truth
from .rig import SERVER
from .table import Goal
from .tools import read_floor, read_nmap, read_rustscan

# Twenty ports over the whole range, in and out of the ephemeral part.
OPEN = [22, 80, 443, 1521, 2375, 3306, 5432, 6379, 8080, 9200, 11211, 15672, 22222, 27017, 31337, 33060, 40404, 50051, 60000, 65535]

# The SYNs that portscan sends by default within 3.3 s, for the floor.
PATIENT = ["--tries", "3", "--gap-ms", "400", "--timeout-ms", "2500"]


def listed(ports):
    """Ports as the tools take them."""
    return ",".join(map(str, ports))


def truth_of_all(address, dropped=()):
    """65,535 ports: OPEN, `dropped`, and the rest closed."""
    states = {(address, port, "tcp"): "open" for port in OPEN}
    states.update({(address, port, "tcp"): "filtered" for port in dropped})
    return Truth(states, 65535)


def right_goals(truth, tool="portscan"):
    """None missed, no false one, no wrong state, in every run."""
    wanted = sum(state == "open" for state in truth.states.values())
    return [
        Goal(f"open ports missed by {tool}", lambda table: lacking(wanted, table.worst(tool, "found")), 0),
        Goal(f"false open ports of {tool}", lambda table: table.worst(tool, "false_open"), 0),
        Goal(f"wrong states of {tool}", lambda table: table.worst(tool, "wrong"), 0),
        Goal(f"endpoints not named by {tool}", lambda table: table.worst(tool, "unnamed"), 0),
    ]


def lacking(wanted, found):
    """How many are lacking; None when nothing was measured."""
    return None if found is None else wanted - found


def all_ports_tools(bench, address, nofile=None):
    """The contestants of a scan of all ports."""
    return [
        bench.floor("tcp", address, "1-65535", "--timeout-ms", "3300", read=read_floor("tcp"), nofile=nofile),
        bench.ours(address, "1-65535", "--no-plugins", "--no-controls", "--rate", "max", "--format", "json", "--quiet", nofile=nofile),
        bench.peer("nmap", "-sS", "-n", "-Pn", "-p-", "-oX", "-", address, name="nmap -sS (root)", read=read_nmap, root=True, nofile=nofile),
        bench.peer("nmap", "-sT", "-n", "-Pn", "-p-", "-oX", "-", address, name="nmap -sT", read=read_nmap, nofile=nofile),
        bench.peer("rustscan", "-g", "-n", "--no-banner", "-a", address, "-r", "1-65535", read=read_rustscan("tcp"), runs=3, nofile=nofile),
    ]


def all_ports_goals(truth):
    """Point 1 of the performance issue."""
    return right_goals(truth) + [
        Goal("wall, portscan to nmap -sS as root", lambda table: table.ratio("portscan", "nmap -sS (root)"), 0.9),
        Goal("wall, portscan to nmap -sT", lambda table: table.ratio("portscan", "nmap -sT"), 0.5),
        Goal("wall, portscan to the floor", lambda table: table.ratio("portscan", "floor tcp"), 1.3),
        Goal("CPU, portscan to the floor", lambda table: table.ratio("portscan", "floor tcp", "cpu"), 1.3),
        Goal("peak of portscan, KiB", lambda table: table.median("portscan", "rss"), 40 * 1024),
    ]


def tcp_loopback(bench, nofile=None, case="1 tcp-loopback", title="65,535 TCP ports on loopback, 20 open"):
    """All ports of this machine."""
    with bench.loopback() as rig:
        rig.program("floor_responder", "--tcp", listed(OPEN))
        truth = truth_of_all("127.0.0.1")
        yield bench.contest(case, title, rig, all_ports_tools(bench, "127.0.0.1", nofile), truth, all_ports_goals(truth))


def tcp_few_descriptors(bench):
    """The same with 256 descriptors."""
    yield from tcp_loopback(bench, 256, "1 tcp-256", "65,535 TCP ports on loopback, 20 open, ulimit -n 256")


def tcp_veth(bench):
    """All ports of another machine."""
    with bench.veth() as rig:
        rig.program("floor_responder", "--tcp", listed(OPEN))
        truth = truth_of_all(SERVER)
        yield bench.contest("1 tcp-veth", "65,535 TCP ports across a veth pair, 20 open", rig, all_ports_tools(bench, SERVER), truth, all_ports_goals(truth))


def tcp_dropped(bench):
    """A firewall that drops a thousand ports."""
    dropped = range(20001, 21001)
    with bench.veth() as rig:
        rig.program("floor_responder", "--tcp", listed(OPEN))
        rig.nft("table ip bench { chain input { type filter hook input priority 0; tcp dport 20001-21000 drop; }; }")
        truth = truth_of_all(SERVER, dropped)
        tools = [
            bench.floor("tcp", SERVER, "1-65535", *PATIENT, read=read_floor("tcp")),
            bench.ours(SERVER, "1-65535", "--no-plugins", "--format", "json", "--quiet"),
            bench.peer("nmap", "-sS", "-T4", "-n", "-Pn", "-p-", "-oX", "-", SERVER, name="nmap -sS -T4 (root)", read=read_nmap, root=True, runs=3),
            bench.peer("nmap", "-sT", "-T4", "-n", "-Pn", "-p-", "-oX", "-", SERVER, name="nmap -sT -T4", read=read_nmap, runs=3),
            bench.peer("rustscan", "-g", "-n", "--no-banner", "-a", SERVER, "-r", "1-65535", read=read_rustscan("tcp"), runs=2),
        ]
        goals = right_goals(truth) + [
            Goal("wall, portscan to nmap -sT -T4", lambda table: table.ratio("portscan", "nmap -sT -T4"), 1.0),
            Goal("states without a reason", lambda table: table.rows["portscan"].runs[-1][2].get("without a reason", 0) if "portscan" in table.rows else None, 0),
        ]
        yield bench.contest("2 tcp-dropped", "65,535 TCP ports across a veth pair, 1,000 dropped, 20 open", rig, tools, truth, goals)


def tcp_loss(bench):
    """A path of 20 ms that loses 5 % each way."""
    opened, closed, dropped = range(1001, 2001), range(2001, 3001), range(3001, 4001)
    ports = "1001-4000"
    with bench.wire(10, 5) as rig:
        rig.program("floor_responder", "--tcp", "1001-2000")
        rig.nft("table ip bench { chain input { type filter hook input priority 0; tcp dport 3001-4000 drop; }; }")
        states = {(SERVER, port, "tcp"): state for span, state in ((opened, "open"), (dropped, "filtered")) for port in span}
        truth = Truth(states, 3 * len(closed))
        tools = [
            bench.floor("tcp", SERVER, ports, "--tries", "5", "--gap-ms", "300", "--timeout-ms", "1200", read=read_floor("tcp")),
            bench.ours(SERVER, ports, "--no-plugins", "--format", "json", "--quiet"),
            bench.peer("rustscan", "-g", "-n", "--no-banner", "-a", SERVER, "-r", ports, read=read_rustscan("tcp")),
            bench.peer("nmap", "-sT", "-T4", "-n", "-Pn", "-p", ports, "-oX", "-", SERVER, name="nmap -sT -T4", read=read_nmap, slow=True),
            bench.peer("nmap", "-sS", "-T4", "-n", "-Pn", "-p", ports, "-oX", "-", SERVER, name="nmap -sS -T4 (root)", read=read_nmap, root=True, slow=True),
        ]
        goals = right_goals(truth) + [Goal("wall of portscan, s", lambda table: table.median("portscan", "wall"), 4)]
        yield bench.contest("7 tcp-loss", "1,000 open, 1,000 closed and 1,000 dropped ports at 20 ms, 5 % loss each way", rig, tools, truth, goals)


def tcp_dead_hosts(bench):
    """A /22 of which a quarter is silent."""
    block, ports = "10.97.0.0/22", [22, 80, 443, 3306, 8080]
    with bench.veth() as rig:
        rig.route_to_server(block)
        rig.alive(["10.97.0.0/24", "10.97.1.0/24", "10.97.2.0/24"])
        rig.nft("table ip bench { chain dead { type filter hook prerouting priority -200; ip daddr 10.97.3.0/24 drop; }; }")
        rig.program("floor_responder", "--tcp", "80,443")
        hosts = [f"10.97.{third}.{last}" for third in range(4) for last in range(256)]
        states = {(host, port, "tcp"): "open" for host in hosts[:768] for port in (80, 443)}
        states.update({(host, port, "tcp"): "filtered" for host in hosts[768:] for port in ports})
        truth = Truth(states, len(hosts) * len(ports))
        tools = [
            bench.floor("tcp", block, listed(ports), "--tries", "3", "--gap-ms", "400", "--timeout-ms", "2500", read=read_floor("tcp")),
            bench.ours(block, listed(ports), "--no-plugins", "--format", "json", "--quiet"),
            bench.peer("rustscan", "-g", "-n", "--no-banner", "-a", block, "-p", listed(ports), read=read_rustscan("tcp")),
            bench.peer("nmap", "-sT", "-T4", "-n", "-Pn", "-p", listed(ports), "-oX", "-", block, name="nmap -sT -T4", read=read_nmap, slow=True),
        ]
        goals = right_goals(truth) + [Goal("wall, portscan to the floor", lambda table: table.ratio("portscan", "floor tcp"), 1.5)]
        yield bench.contest("7 tcp-dead-hosts", "1,024 hosts by 5 ports, 256 hosts dead", rig, tools, truth, goals)
