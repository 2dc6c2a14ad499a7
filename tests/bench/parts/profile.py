"""Which system calls a run makes, by strace -c."""

import os
from dataclasses import dataclass, field

# Calls that are shown of a run, the most frequent ones.
SHOWN = 7


@dataclass
class Profile:
    """One run: how often each system call was made."""

    case: str
    tool: str
    calls: dict = field(default_factory=dict)

    def markdown(self):
        """A row of the table."""
        often = sorted(self.calls.items(), key=lambda call: -call[1])[:SHOWN]
        shown = ", ".join(f"{count:,} {name}" for name, count in often)
        return f"| {self.case} | {self.tool} | {sum(self.calls.values()):,} | {shown} |"


HEAD = "| case | tool | calls | the most frequent |\n|---|---|--:|---|"


def command(tool, scratch):
    """The tool's command under strace, and where the counts are written."""
    counts = os.path.join(scratch, "strace")
    with open(counts, "w", encoding="utf-8"):
        pass
    # Written by an ordinary user.
    os.chmod(counts, 0o666)
    return ["strace", "-f", "-c", "-qq", "-o", counts, *tool.command], counts


def read(counts):
    """Calls by name: `% time, seconds, usecs/call, calls, [errors,] syscall`."""
    calls = {}
    with open(counts, encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if len(words) in (5, 6) and words[3].isdigit() and words[-1] != "total":
                calls[words[-1]] = int(words[3])
    return calls
