"""Figs. 1 and 2 of the paper, re-run from their captions.

In: the probabilities that the captions leave open (the numbers drawn in the figures' panels are not in the text). Out: the error
maps before and after, and verdicts on what the captions and the text around them say (Secs. II.D and II.E).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from triptych.errors import ConfigError
from triptych.qec.program import CX, Depolarize1, Depolarize2, H, outcomes
from triptych.qec.tasks import MergeRule, QubitSet, branch, merge, propagation, split
from triptych.qec.verdicts import verdict
from triptych.runs import Run, Verdict

OPEN = "the panels' own numbers are not in the text; the probabilities here are ours and agree with the caption"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fig1Config:
    """Fig. 1: an error event with probability 0.3 acts on bit 0 of a set of three, event branch threshold 0.1."""

    single: float = field(default=0.35, metadata={"help": "probability of IIX, at least the threshold"})
    double: float = field(default=0.05, metadata={"help": "probability of IXX, below the threshold"})

    def __post_init__(self) -> None:
        if not (self.single >= 0.1 and 0 < self.double < 0.1 and self.single + self.double <= 0.9):
            raise ConfigError(
                "these probabilities contradict the caption",
                got=f"IIX {self.single}, IXX {self.double}",
                expected="IIX >= 0.1 > IXX > 0, and at least 0.1 left for III",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fig2Config:
    """Fig. 2: two QubitSets merge with threshold 0.01, and the state IXXYI has probability 0.005."""

    left: float = field(default=0.05, metadata={"help": "probability of IXX; YI then has 0.005 over it"})

    def __post_init__(self) -> None:
        if not 0.005 < self.left < 0.005**0.5:
            raise ConfigError(
                "this probability contradicts the caption",
                got=self.left,
                expected="0.005 < IXX < 0.0707: YI is the more probable of the two",
            )


def reproduce_fig1(config: Fig1Config, run: Run) -> dict[str, Any]:  # noqa: ARG001 (every verb has a run)
    """Branch the three states and see which of them expand."""
    old = QubitSet(
        frozenset(range(3)),
        {packed("III"): 1 - config.single - config.double, packed("IIX"): config.single, packed("IXX"): config.double},
    )
    new = branch(old, [(packed(error), 0.1) for error in ("IIX", "IIY", "IIZ")], threshold=0.1)
    after = named(new)
    expected = {"III", "IIX", "IIY", "IIZ", "IXX"}
    holds = set(after) == expected and after["IXX"] == config.double
    return {
        "before": named(old),
        "after": after,
        "neglected": new.ledger,
        "note": OPEN,
        "claims": [
            one.to_json() for one in (verdict("fig1-event-threshold", holds, ", ".join(sorted(after))), _events(), _gates())
        ],
    }


def reproduce_fig2(config: Fig2Config, run: Run) -> dict[str, Any]:  # noqa: ARG001 (every verb has a run)
    """Merge both ways and see what becomes of IXXYI."""
    left = QubitSet(frozenset({2, 3, 4}), {packed("IIIII"): 1 - config.left, packed("IXXII"): config.left})
    right = QubitSet(frozenset({0, 1}), {packed("II"): 1 - 0.005 / config.left, packed("YI"): 0.005 / config.left})
    rules: tuple[MergeRule, ...] = ("preservation", "lossy")
    merged = {rule: merge(left, right, threshold=0.01, rule=rule) for rule in rules}
    maps = {rule: named(one) for rule, one in merged.items()}
    gained = maps["preservation"]["IIIYI"] - maps["lossy"]["IIIYI"]
    holds = all("IXXYI" not in one for one in maps.values()) and abs(gained - 0.005) < 1e-12
    return {
        "preservation": maps["preservation"],
        "lossy": maps["lossy"],
        "neglected": {rule: one.ledger for rule, one in merged.items()},
        "note": OPEN,
        "claims": [
            verdict("fig2-merge", holds, f"preservation moves {gained:.3g} from IXXYI to IIIYI, lossy drops it").to_json(),
            _product(left, right, merged["lossy"]).to_json(),
            _marginal(merged["preservation"]).to_json(),
        ],
    }


def _events() -> Verdict:
    """Sec. II.D: what an error event of probability 0.3 does to a clean qubit, and to two."""
    one, two = (outcomes(event)[1] for event in (Depolarize1(qubit=0, rate=0.3), Depolarize2(first=0, second=1, rate=0.3)))
    new = named(branch(QubitSet(frozenset({0}), {0: 1.0}), [(packed(error), p) for error, p in one], threshold=0.0))
    holds = all(abs(new[error] - p) < 1e-12 for error, p in {"I": 0.7, "X": 0.1, "Y": 0.1, "Z": 0.1}.items())
    joint = sum(p for _, p in two)
    return verdict(
        "sec2d-event-branching",
        holds and len(two) == 15 and abs(joint - 0.3) < 1e-12,
        f"{', '.join(f'{error} {p:.3g}' for error, p in new.items())} at f = 0.3; {len(two)} two-qubit errors of {two[0][1]:.3g}",
    )


def _gates() -> Verdict:
    """Sec. II.D: what gates make of X and Z errors."""
    steps: dict[str, H | CX] = {"H": H(qubit=0), "CNOT (control right)": CX(control=0, target=1)}
    moves = {
        (name, error): _text(propagation(step)(packed(error)), len(error))
        for name, step in steps.items()
        for error in (("X", "Z") if name == "H" else ("IX", "XI", "IZ", "ZI"))
    }
    return verdict(
        "sec2d-gates-move-errors",
        list(moves.values()) == ["Z", "X", "XX", "XI", "IZ", "ZZ"],
        ", ".join(f"{name}: {error} to {new}" for (name, error), new in moves.items()),
    )


def _product(left: QubitSet, right: QubitSet, pruned: QubitSet) -> Verdict:
    """Sec. II.E: all pairs of states at threshold 0, and at 0.01 those above it."""
    pairs = {a | b: p * q for a, p in left.states.items() for b, q in right.states.items()}
    whole = merge(left, right, threshold=0.0, rule="lossy").states
    kept = {state: p for state, p in pairs.items() if p > 0.01}
    return verdict(
        "sec2e-merge-is-cross-product",
        whole == pairs and pruned.states == kept,
        f"{len(left.states)} x {len(right.states)} states: {len(whole)} at threshold 0, {len(pruned.states)} at 0.01",
    )


def _marginal(merged: QubitSet) -> Verdict:
    """Sec. II.E: the number of states as qubits are split off one by one."""
    sizes = [len(merged.states)]
    for qubit in sorted(merged.qubits):
        merged = split(merged, [qubit])
        sizes.append(len(merged.states))
    return verdict(
        "sec2e-split-never-grows",
        sizes == sorted(sizes, reverse=True),
        f"{' to '.join(map(str, sizes))} states",
        "A split maps states to states, so that it holds for every map.",
    )


def packed(text: str) -> int:
    """A Pauli string as the paper writes it, qubit 0 on the right.

    Examples
    --------
    >>> packed("IIX"), packed("YI")
    (1, 12)
    """
    return sum("IXZY".index(letter) << 2 * q for q, letter in enumerate(reversed(text)))


def named(one: QubitSet) -> dict[str, float]:
    """An error map with its strings as the paper writes them."""
    return {_text(state, max(one.qubits) + 1): p for state, p in one.states.items()}


def _text(state: int, width: int) -> str:
    return "".join("IXZY"[state >> 2 * q & 3] for q in reversed(range(width)))
