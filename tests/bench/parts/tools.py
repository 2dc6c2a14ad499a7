"""The tools that are compared: how each is asked, and how its answer is read.

A reader turns output into a Reading: a state per endpoint where the tool names
it, counts where it only counts. Endpoints are (address, port, transport).
"""

import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Reading:
    """What a tool said."""

    states: dict = field(default_factory=dict)
    # States of endpoints that it counted without naming them.
    counted: Counter = field(default_factory=Counter)
    # Endpoints whose state comes with the remark that it could not be proved.
    hedged: set = field(default_factory=set)
    # Anything else that a case looks at, by name.
    facts: dict = field(default_factory=dict)


@dataclass
class Tool:
    """One contestant of a case."""

    name: str
    command: list
    read: Callable
    # As root; everything else runs as nobody.
    root: bool = False
    nofile: int | None = None
    # Runs at most; None as many as the others.
    runs: int | None = None
    # Takes minutes: only with --slow.
    slow: bool = False
    # Ends a milestone when it returns True for a line of the output.
    on_line: Callable | None = None
    sample_ms: int = 0
    timeout: int = 300


def expand(ports):
    """Port numbers of `1-3,7`."""
    for part in ports.split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def read_nothing(_sample):
    """For tools whose time alone is of interest."""
    return Reading()


def read_exit_code(endpoint):
    """For tools like nc: exit code 0 is open, anything else closed."""
    return lambda sample: Reading({endpoint: "open" if sample.exit == 0 else "closed"})


def read_portscan(sample):
    """JSON or JSON Lines of portscan (schema portscan/report/1)."""
    reading = Reading()
    verdicts = Counter()
    for row in portscan_rows(sample.out):
        endpoint = (row["address"], row["port"], row["transport"])
        reading.states[endpoint] = row["state"]
        if any("ICMP budget" in str(note) for note in row.get("notes", [])):
            reading.hedged.add(endpoint)
        check = row.get("check")
        if check:
            verdicts[check["verdict"]] += 1
        if row["state"] != "unknown" and not row.get("reason"):
            verdicts["without a reason"] += 1
    reading.facts = dict(verdicts)
    return reading


def portscan_rows(out):
    """The endpoint rows of a report in either form."""
    try:
        yield from json.loads(out)["endpoints"]
    except (ValueError, KeyError):
        for line in out.splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if "state" in row and "port" in row:
                yield row


def read_floor(transport):
    """The JSON line of floor_tcp and floor_udp."""
    def read(sample):
        line = json.loads(sample.out or "{}")
        reading = Reading()
        for endpoint in line.get("open", []):
            address, _, port = endpoint.rpartition(":")
            reading.states[(address, int(port), transport)] = "open"
        silent = "filtered" if transport == "tcp" else "open|filtered"
        reading.counted = Counter({"closed": line.get("closed", 0), silent: line.get("silent", 0)})
        reading.counted["filtered"] += line.get("unreachable", 0)
        return reading
    return read


def read_floor_dns(sample):
    """The JSON line of floor_dns."""
    line = json.loads(sample.out or "{}")
    return Reading(facts={"confirmed": line.get("answered", 0)})


def read_nmap(sample):
    """nmap's XML, the ports that it folds into a count included."""
    reading = Reading()
    try:
        root = ET.fromstring(sample.out)
    except ET.ParseError:
        return reading
    for host in root.iter("host"):
        address = host.find("address").get("addr")
        for port in host.iter("port"):
            reading.states[(address, int(port.get("portid")), port.get("protocol"))] = port.find("state").get("state")
        for extra in host.iter("extraports"):
            for reasons in extra.iter("extrareasons"):
                for port in expand(reasons.get("ports", "")) if reasons.get("ports") else ():
                    reading.states[(address, port, reasons.get("proto"))] = extra.get("state")
    return reading


def read_rustscan(transport):
    """rustscan -g: `address -> [ports]`; it says nothing about the others."""
    def read(sample):
        reading = Reading()
        for address, ports in re.findall(rb"(\S+) -> \[([0-9,]*)\]", sample.out):
            for port in ports.split(b","):
                if port:
                    reading.states[(address.decode(), int(port), transport)] = "open"
        return reading
    return read


def read_nc_udp(address):
    """nc -zvu: a line `... port 53 [udp/...] succeeded!` per port that it believes in."""
    def read(sample):
        reading = Reading()
        for port in re.findall(rb"(?:port )?(\d+)(?: port)? \[udp/[^\]]*\] succeeded", sample.err):
            reading.states[(address, int(port), "udp")] = "open"
        return reading
    return read
