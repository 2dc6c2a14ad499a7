"""NAME: does the service answer PING with PONG?

Replace the conversation by your service's. `portscan plugin test .` builds the
component and plays the transcripts with it.
"""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.check import CheckError_Conversation
from wit_world.exports.plugin import (
    Amplification,
    DefaultPort,
    Metadata,
    ReplyFrom,
    Sends,
    SettingKind,
    SettingSpec,
    SideEffect,
    Silence_Unexpected,
)
from wit_world.imports import host
from wit_world.imports.types import Conclusion, Health, Transport, Verdict

LONGEST_LINE = 256


class Plugin(exports.Plugin):
    """Who it is. The runner reads this before it sends a packet."""

    def describe(self):
        return Metadata(
            name="NAME",
            version="0.1.0",
            description="Asks a service whether it is there",
            ports=[DefaultPort(7000, Transport.TCP)],
            settings=[
                SettingSpec("word", SettingKind.TEXT, False, "PING", False, "what to ask it with")
            ],
            # The receipt: no more than this may be sent.
            sends=Sends("one line", 64, 1, 1, Amplification.NONE),
            side_effect=SideEffect.NONE,
            silence=Silence_Unexpected(),
            reply_from=ReplyFrom.SAME_PORT,
        )


class Check(exports.Check):
    """What it does: a straight conversation, with a bound on every step."""

    def run(self, connection, endpoint, settings):
        word = next(s.value.value for s in settings if s.name == "word")
        try:
            connection.send(word.encode() + b"\r\n")
            line = receive_line(connection)
        except Err as error:
            # The peer fell silent or went away: inconclusive, in the host's words.
            raise Err(CheckError_Conversation(error.value))
        if line == b"PONG":
            return Conclusion(Verdict.CONFIRMED, Health.HEALTHY, "it answers", [])
        if line == b"BUSY":
            return Conclusion(Verdict.CONFIRMED, Health.UNHEALTHY, "it is busy", [])
        return Conclusion(
            Verdict.MISMATCH, Health.UNKNOWN, "it answers, but not as this service", []
        )


def receive_line(connection):
    """A line without its end, however it comes in pieces; none when it is too long."""
    line = b""
    while len(line) < LONGEST_LINE:
        if line.endswith(b"\n"):
            return line.rstrip(b"\r\n")
        line += connection.receive(1, host.time_left())
    return None
