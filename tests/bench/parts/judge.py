"""Truth of a rig against a reading of a tool."""

from collections import Counter
from dataclasses import dataclass

# Says less than the truth but nothing false.
VAGUE = {"unknown", "closed|filtered"}


@dataclass
class Truth:
    """What is really there: a state per endpoint, and one for all others."""

    states: dict
    # How many endpoints there are in all, and what those not in `states` are.
    total: int
    rest: str = "closed"

    def of(self, endpoint):
        """The true state of an endpoint."""
        return self.states.get(endpoint, self.rest)


@dataclass
class Score:
    """How right a reading was; counts of endpoints."""

    open: int = 0
    found: int = 0
    false_open: int = 0
    right: int = 0
    vague: int = 0
    wrong: int = 0
    unnamed: int = 0


def judge(truth, reading):
    """Compares a reading with the truth.

    A wrong state that the tool itself calls unproved is vague; `open` never is.
    Counted endpoints are compared by state: what a tool counts beyond the
    endpoints that really are so is wrong.
    """
    really_open = {endpoint for endpoint, state in truth.states.items() if state == "open"}
    score = Score(open=len(really_open))
    for endpoint, state in reading.states.items():
        if state == truth.of(endpoint):
            score.right += 1
            score.found += state == "open"
        elif state in VAGUE or (endpoint in reading.hedged and state != "open"):
            score.vague += 1
        else:
            score.wrong += 1
            score.false_open += state == "open"
    left = Counter(truth.states.values())
    left[truth.rest] += truth.total - len(truth.states)
    left.subtract(truth.of(endpoint) for endpoint in reading.states)
    for state, count in reading.counted.items():
        right = min(count, max(left[state], 0))
        score.right += right
        score.wrong += count - right
    score.unnamed = truth.total - len(reading.states) - sum(reading.counted.values())
    return score
