"""Real servers for the rigs, from Debian's packages."""

import os
import pwd
import subprocess

from .rig import Missing, which

# What answers over UDP in the UDP cases: port, program, Debian package.
UDP_SERVICES = [
    (53, "dnsmasq", "dnsmasq-base"),
    (69, "dnsmasq", "dnsmasq-base"),
    (123, "chronyd", "chrony"),
    (161, "snmpd", "snmpd"),
    (11211, "memcached", "memcached"),
]

# What a plain prober may send so that they answer (hex), for the floor program.
UDP_PAYLOADS = {
    53: "00010100000100000000000007" + b"example".hex() + "04" + b"test".hex() + "0000010001",
    # A file that is not there: a transfer would be repeated for minutes, towards
    # a port that the next prober may own by then (seen as a false open).
    69: "0001" + b"absent\0octet\0".hex(),
    123: "e3" + "00" * 47,
    161: "302602010004067075626c6963a0190201010201000201003" + "00e300c06082b060102010101000500",
    11211: "0001000000010000" + b"version\r\n".hex(),
}


def start_udp_services(rig, address):
    """dnsmasq (DNS and TFTP), chronyd, snmpd and memcached on the server."""
    missing = sorted({package for _, program, package in UDP_SERVICES if not which(program)})
    if missing:
        raise Missing(", ".join(missing))
    folder = os.path.join(rig.scratch, f"services-{rig.server}")
    os.makedirs(os.path.join(folder, "tftp"), exist_ok=True)
    files = {
        "dnsmasq": f"no-resolv\nno-hosts\nkeep-in-foreground\nuser=root\nbind-interfaces\nlisten-address={address}\n"
                   f"pid-file={folder}/dnsmasq.pid\naddress=/example.test/10.0.0.1\n"
                   f"enable-tftp\ntftp-root={folder}/tftp\n",
        "chronyd": f"local stratum 10\nallow\ncmdport 0\nbindaddress {address}\npidfile {folder}/chronyd.pid\n",
        "snmpd": "rocommunity public\n",
    }
    paths = {name: write(folder, f"{name}.conf", text) for name, text in files.items()}
    commands = [
        [which("dnsmasq"), "-C", paths["dnsmasq"]],
        [which("chronyd"), "-d", "-x", "-u", "root", "-f", paths["chronyd"]],
        [which("snmpd"), "-f", "-Lo", "-C", "-c", paths["snmpd"], "-p", f"{folder}/snmpd.pid", "-I", "-smux", f"udp:{address}:161"],
        [which("memcached"), "-l", address, "-p", "0", "-U", "11211", "-u", "nobody", "-t", "1", "-m", "8"],
    ]
    for command in commands:
        rig.spawn(command, rig.server)
    rig.until(lambda: rig.listening(("udp", port) for port, _, _ in UDP_SERVICES))


def start_postgres(rig, port=5432):
    """A PostgreSQL server with TLS on the server's loopback."""
    programs = [name for name in ("initdb", "postgres", "openssl") if not find_postgres(name)]
    if programs:
        raise Missing(", ".join(programs) + " (Debian: postgresql, openssl)")
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        raise Missing("the user postgres (Debian: postgresql-common)") from None
    folder = os.path.join(rig.scratch, "postgres")
    os.makedirs(folder, exist_ok=True)
    os.chown(folder, user.pw_uid, user.pw_gid)
    data = os.path.join(folder, "data")
    quiet = {"user": user.pw_uid, "group": user.pw_gid, "check": True, "capture_output": True, "cwd": folder}
    if not os.path.exists(data):
        subprocess.run([find_postgres("initdb"), "-D", data, "--no-sync", "-A", "trust"], **quiet)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-keyout", f"{data}/server.key", "-out", f"{data}/server.crt"], **quiet)
        os.chmod(f"{data}/server.key", 0o600)
    settings = {"port": port, "ssl": "on", "unix_socket_directories": folder, "listen_addresses": "127.0.0.1", "fsync": "off"}
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    # setpriv inside the namespace: entering one needs root.
    command = ["setpriv", "--pdeathsig=KILL", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", find_postgres("postgres"), "-D", data, *words]
    rig.spawn(command, rig.server)
    rig.until(lambda: rig.listening([("tcp", port)]), seconds=30)


def find_postgres(program):
    """A server program of PostgreSQL; Debian keeps them off the PATH."""
    folders = sorted(os.path.join("/usr/lib/postgresql", version, "bin") for version in listdir("/usr/lib/postgresql"))
    found = [os.path.join(folder, program) for folder in folders if os.path.exists(os.path.join(folder, program))]
    return which(program) or (found[-1] if found else None)


def listdir(folder):
    """The names in a folder; none when there is no such folder."""
    return os.listdir(folder) if os.path.isdir(folder) else []


def write(folder, name, text):
    """Writes a small file and returns its path."""
    path = os.path.join(folder, name)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    return path
