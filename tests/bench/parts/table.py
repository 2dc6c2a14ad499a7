"""Results as Markdown, and the goals that they are held against."""

import statistics
from dataclasses import dataclass, field

HEAD = ["tool", "runs", "wall", "CPU", "peak MiB", "wall ÷", "CPU ÷", "open found", "false open", "right", "vague", "wrong", "unnamed", "notes"]


@dataclass
class Row:
    """All runs of one tool in one case."""

    tool: str
    # Sample, Score or None, facts: one triple per run.
    runs: list = field(default_factory=list)

    def median(self, what):
        """Median over the runs of an attribute of the sample."""
        return statistics.median(getattr(sample, what) for sample, _, _ in self.runs)

    def worst(self, what):
        """The worst run's count, `found` being the only one to be large."""
        values = [getattr(score, what) for _, score, _ in self.runs if score]
        return (min(values) if what in ("found", "right") else max(values)) if values else None


@dataclass
class Goal:
    """A promise with a number: `measure(table)` must be at most `limit`."""

    text: str
    measure: object
    limit: float


@dataclass
class Table:
    """One case: its rows by tool, and its goals."""

    case: str
    title: str
    rows: dict = field(default_factory=dict)
    goals: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def ratio(self, one, other, what="wall"):
        """Median of the ratios of paired runs; None without both tools."""
        if one not in self.rows or other not in self.rows:
            return None
        pairs = zip(self.rows[one].runs, self.rows[other].runs)
        ratios = [getattr(a, what) / getattr(b, what) for (a, _, _), (b, _, _) in pairs if getattr(b, what)]
        return statistics.median(ratios) if ratios else None

    def worst(self, tool, what):
        """The worst run's count of a tool; None when it did not run."""
        return self.rows[tool].worst(what) if tool in self.rows else None

    def median(self, tool, what):
        """The median of a tool; None when it did not run."""
        return self.rows[tool].median(what) if tool in self.rows else None

    def judged_goals(self):
        """(text, value, limit, reached) of each goal that could be measured."""
        for goal in self.goals:
            value = goal.measure(self)
            if value is not None:
                yield goal.text, value, goal.limit, value <= goal.limit

    def markdown(self):
        """Heading, rows and goals."""
        base = next((tool for tool in self.rows if tool == "portscan"), next(iter(self.rows), None))
        lines = [f"### {self.case}: {self.title}", ""]
        head = [word.replace("÷", f"÷ {base}") for word in HEAD]
        lines += ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 2) + "|---|"]
        lines += ["| " + " | ".join(self._cells(row, base)) + " |" for row in self.rows.values()]
        lines += [""] + [f"- {note}" for note in self.notes]
        for text, value, limit, reached in self.judged_goals():
            lines.append(f"- {'reached' if reached else '**not reached**'}: {text}: {value:.4g}, at most {limit:g}")
        return "\n".join(lines) + "\n"

    def _cells(self, row, base):
        counts = [row.worst(what) for what in ("found", "false_open", "right", "vague", "wrong", "unnamed")]
        _, score, facts = row.runs[-1]
        if score and counts[0] is not None:
            counts[0] = f"{counts[0]} of {score.open}"
        ratios = [self.ratio(row.tool, base, what) for what in ("wall", "cpu")]
        notes = [f"{name}: {value}" for name, value in facts.items()]
        failed = sum(sample.exit > 2 for sample, _, _ in row.runs)
        notes += [f"{failed} runs failed"] if failed else []
        return [
            row.tool,
            str(len(row.runs)),
            duration(row.median("wall")),
            duration(row.median("cpu")),
            f"{row.median('rss') / 1024:.1f}",
            *("" if ratio is None else f"{ratio:.2f}" for ratio in ratios),
            *("" if count is None else str(count) for count in counts),
            ", ".join(notes),
        ]

    def document(self):
        """Everything for the JSON file, each run by itself."""
        rows = {
            tool: [
                {"wall_s": s.wall, "cpu_s": s.cpu, "rss_kib": s.rss, "exit": s.exit, "milestone_s": s.milestone,
                 "memory": s.memory, "score": vars(score) if score else None, "facts": facts}
                for s, score, facts in row.runs
            ]
            for tool, row in self.rows.items()
        }
        goals = [dict(zip(("text", "value", "limit", "reached"), goal)) for goal in self.judged_goals()]
        return {"case": self.case, "title": self.title, "rows": rows, "goals": goals, "notes": self.notes}


def duration(seconds):
    """Three digits, in the unit that fits."""
    if seconds != seconds:
        return "-"
    if seconds >= 100:
        return f"{seconds:,.0f} s"
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
