"""Rigs: networks in namespaces of their own, with known truth.

Namespaces are called portscan-bench-PID-NAME and are gone when the rig closes,
also after a failure. What a killed run left is removed by the next one.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import time

PREFIX = "portscan-bench-"
SERVER = "10.99.1.2"
# The interface at either end.
LINK = "path0"


class Missing(Exception):
    """Something that a case needs is not installed here."""


def ip(*words, netns=None):
    """Runs `ip`, with its complaint in the error."""
    command = ["ip"] + (["-n", netns] if netns else []) + list(words)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def remove_leftovers():
    """Deletes namespaces of ours whose process is no longer there."""
    for line in ip("netns", "list").splitlines():
        name = line.split()[0]
        owner = name.removeprefix(PREFIX).split("-")[0]
        if name.startswith(PREFIX) and owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            ip("netns", "delete", name)


def which(program):
    """The path of a program, sbin included, or None."""
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


class Rig:
    """The namespaces and processes of one case; use it with `with`."""

    def __init__(self, binaries, scratch, build):
        self.binaries = binaries
        self.scratch = scratch
        # What makes the networks: loopback, veth or wire.
        self.build = build
        self.cleanup = contextlib.ExitStack()
        self.sources = 2
        # Where the probers run.
        self.client = None
        # Where the probed machine is; the same for a loopback rig.
        self.server = None

    def __enter__(self):
        try:
            self.build(self)
        except BaseException:
            self.cleanup.close()
            raise
        return self

    def __exit__(self, *_):
        self.cleanup.close()

    def namespace(self, name):
        """A namespace with its loopback up."""
        full = f"{PREFIX}{os.getpid()}-{name}"
        ip("netns", "add", full)
        self.cleanup.callback(ip, "netns", "delete", full)
        ip("link", "set", "lo", "up", netns=full)
        return full

    def loopback(self):
        """Prober and probed on one machine."""
        self.client = self.server = self.namespace("one")

    def veth(self):
        """Two machines on one link: 10.99.1.1 and SERVER, stock limits."""
        self.client, self.server = self.namespace("client"), self.namespace("server")
        ip("link", "add", LINK, "type", "veth", "peer", "name", LINK, "netns", self.server, netns=self.client)
        self._address()

    def wire(self, delay_ms, loss_percent, seed=1):
        """Two machines with a path that delays and loses, the same way for a seed."""
        self.client, self.server = self.namespace("client"), self.namespace("server")
        self.program("floor_wire", LINK, "far", "--delay-ms", str(delay_ms), "--loss-percent", str(loss_percent),
                     "--seed", str(seed), netns=self.client)
        ip("link", "set", "far", "netns", self.server, netns=self.client)
        ip("link", "set", "far", "name", LINK, netns=self.server)
        for netns in (self.client, self.server):
            ip("link", "set", LINK, "txqueuelen", "20000", netns=netns)
        self._address()

    def _address(self):
        for netns, address in ((self.client, "10.99.1.1"), (self.server, SERVER)):
            ip("address", "add", f"{address}/24", "dev", LINK, netns=netns)
            ip("link", "set", LINK, "up", netns=netns)
        # The first packet of a run must not wait for ARP; port 9 is closed.
        connect = os.path.join(self.binaries, "examples", "floor_connect1")
        command = ["ip", "netns", "exec", self.client, connect, SERVER, "9"]
        subprocess.run(command, capture_output=True, check=True, timeout=10)

    def route_to_server(self, block):
        """Packets for a block go to the server, which has none of it by itself."""
        ip("route", "add", block, "via", SERVER, netns=self.client)

    def alive(self, addresses):
        """Makes addresses or blocks local to the server."""
        lines = "".join(f"route add local {address} dev lo\n" for address in addresses)
        subprocess.run(["ip", "-n", self.server, "-batch", "-"], input=lines, text=True, check=True)

    def fresh_source(self):
        """Gives the prober an address that the server has not seen.

        The kernel limits ICMP errors per prober (6 at once, then 1 a second);
        without this the second prober would find what the first one left.
        """
        self.sources += 1
        address = f"10.99.1.{self.sources}"
        ip("address", "add", f"{address}/24", "dev", LINK, netns=self.client)
        ip("route", "replace", "10.99.1.0/24", "dev", LINK, "src", address, netns=self.client)

    def nft(self, rules):
        """Loads rules into the server."""
        program = which("nft")
        if not program:
            raise Missing("nft (Debian: nftables)")
        command = ["ip", "netns", "exec", self.server, program, "-f", "-"]
        subprocess.run(command, input=rules, text=True, check=True)

    def counted(self):
        """Packets of the counter named `probes` in table `bench`."""
        command = ["ip", "netns", "exec", self.server, which("nft"), "list", "counter", "ip", "bench", "probes"]
        words = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        return int(words[words.index("packets") + 1])

    def program(self, name, *words, netns=None):
        """Starts one of our example programs and waits until it is ready."""
        command = [os.path.join(self.binaries, "examples", name), *words]
        child = self.spawn(command, netns or self.server, stdout=subprocess.PIPE)
        if child.stdout.readline() != b"ready\n":
            raise RuntimeError(f"{name} did not start")
        return child

    def spawn(self, command, netns, stdout=subprocess.DEVNULL, user=None):
        """Starts a process that ends with the rig, or with this program."""
        child = subprocess.Popen(
            ["ip", "netns", "exec", netns, *command],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            user=user,
            preexec_fn=die_with_parent,
        )

        def stop():
            child.send_signal(signal.SIGINT)
            try:
                child.wait(3)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

        self.cleanup.callback(stop)
        return child

    def until(self, question, seconds=10):
        """Waits until `question()` is true; RuntimeError when it never is."""
        deadline = time.monotonic() + seconds
        while not question():
            if time.monotonic() > deadline:
                raise RuntimeError(f"the rig did not come up: {question.__doc__ or question}")
            time.sleep(0.05)

    def listening(self, wanted):
        """Whether all of `wanted`, as ("udp", 53), listen on the server."""
        lines = subprocess.run(["ip", "netns", "exec", self.server, "ss", "-Hltun"], capture_output=True, text=True, check=True)
        rows = [line.split() for line in lines.stdout.splitlines()]
        return set(wanted) <= {(row[0], int(row[4].rsplit(":", 1)[1])) for row in rows}


def die_with_parent():
    """In the child: SIGKILL when this program dies (prctl(2))."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
