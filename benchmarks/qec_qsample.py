"""Subset sampling by qsample against the tree, in one run.

In: nothing. Out: a table on stdout. Both solve the bit-flip phase of a recovery (ancillas of 8 CNOTs and one check, prepared
again until they pass it; three syndromes; majority vote) at uniform noise, and score the X part of the block. qsample is given
the gates of the very program that the tree runs, with the same faults behind each. Its answer is an interval, from the rate that
it has seen up to that rate and its cut-off, with a standard deviation at either end; one sample serves all noise strengths.

Its price is scaled to the number of shots at which the first of these standard deviations is a thousandth of the rate, which is
what the certificate is asked for; the cut-off and the time of the analysis go free. The scaling is by the square root of the
shots. The error falls faster while many strata hold few shots, so that the price is an upper bound.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any
from unittest.mock import MagicMock

import numpy as np

from triptych.qec import Noise, Program, simulate, steane
from triptych.qec.codes import STEANE
from triptych.qec.criteria import readout, syndrome
from triptych.qec.preparations import PREPARATIONS
from triptych.qec.program import CX, Instruction, Measure, Prepare, Verify

RATES = (1e-4, 1e-3, 1e-2)
SAMPLED = 1e-2  # where the shots are drawn: strong enough noise for two and three faults to be frequent
SHOTS = 10_000
TARGET = 1e-3
PREPARATION = "8+1"
EXTRACTIONS = 3
PAULIS = [first + second for first in "IXYZ" for second in "IXYZ"][1:]
FAULTS = {"init": ["X", "Y", "Z"], "CNOT": PAULIS, "measure": ["X"]}
"""What follows a gate (precedes a measurement), all equally likely; Hadamard gates only choose a basis, free of noise."""

Tick = dict[str, set[int] | set[tuple[int, int]]]


def program(p: float) -> Program:
    return steane.bit_flip_recovery(Noise.uniform(p), preparation=PREPARATION, extractions=EXTRACTIONS)


def ticks(steps: Iterable[Instruction], first: int = 0) -> Iterator[Tick]:
    """The gates in qsample's words, one a tick. All ancillas take the same qubits, since small tableaux are fast."""

    def place(qubit: int) -> int:
        number = first + qubit
        return number if number < STEANE.n else STEANE.n + (number - STEANE.n) % PREPARATIONS[PREPARATION].width

    for step in steps:
        match step:
            case Prepare(qubit=q, basis=basis):
                yield {"init": {place(q)}}
                if basis == "X":
                    yield {"H": {place(q)}}
            case CX(control=a, target=b):
                yield {"CNOT": {(place(a), place(b))}}
            case Measure(qubit=q, basis=basis):
                if basis == "X":
                    yield {"H": {place(q)}}
                yield {"measure": {place(q)}}


def protocol(qsample: Any) -> Any:
    """The program as a graph of circuits. The data start in ``|0000000>``: nothing here can tell it from a logical zero."""
    steps = program(SAMPLED).instructions
    start, following, *_ = (i for i, step in enumerate(steps) if isinstance(step, Verify))
    verify = steps[start]
    assert isinstance(verify, Verify)
    prepare = qsample.Circuit(list(ticks(verify.body, verify.first)))
    extract = qsample.Circuit(list(ticks(steps[start + 1 : following])))

    def word(outcomes: list[int]) -> int:
        return int(f"{outcomes[-1]:07b}"[::-1], 2)  # the last visit's; the first qubit is the highest bit there, the lowest here

    def correct(*visits: list[int]) -> Any:
        value, votes = Counter(syndrome(word(outcomes)) for outcomes in visits).most_common(1)[0]
        flip = [{"X": {value - 1}}] if value and 2 * votes > len(visits) else []
        return qsample.Circuit([*flip, {"measure": set(range(STEANE.n))}], noisy=False)

    checks = {"correct": correct, "lost": lambda outcomes: readout(word(outcomes), 0)}
    graph = qsample.Protocol(check_functions=checks, fault_tolerant=True)
    graph.add_nodes_from(["start", "recover", "fail"], [None, None, None])
    before = "start"
    extractions = [f"extract{i}" for i in range(EXTRACTIONS)]
    for i, after in enumerate(extractions):
        ancilla = f"prepare{i}"
        graph.add_node(ancilla, prepare)
        graph.add_node(after, extract)
        graph.add_edge(before, ancilla, check="True")
        graph.add_edge(ancilla, ancilla, check=f"{ancilla}[-1] == 1")
        graph.add_edge(ancilla, after, check=f"{ancilla}[-1] == 0")
        before = after
    graph.add_edge(before, "recover", check=f"correct({', '.join(extractions)})")
    graph.add_edge("recover", "fail", check="lost(recover)")
    return graph


def sampler(qsample: Any) -> Any:
    """A subset sampler; a path with a single fault has at most two noisy circuits for each extraction, and one retry."""

    class Uniform(qsample.noise.ErrorModel):  # type: ignore[misc]
        groups = ("p",)

        def group(self, circuit: Any) -> dict[str, list[Any]]:
            gates = [(t, name, place) for t, tick in enumerate(circuit) for name, places in tick.items() for place in places]
            return {"p": [(t, place, FAULTS[name]) for t, name, place in gates if name in FAULTS]}

        def generate(self, struck: dict[str, list[Any]], circuit: Any) -> Iterator[tuple[Any, str]]:  # noqa: ARG002 (the interface)
            for t, place, faults in struck["p"]:
                yield (t, place), random.choice(faults)

    strength = {"p": SAMPLED}
    simulator = qsample.StabilizerSimulator
    return qsample.SubsetSampler(protocol(qsample), simulator, strength, Uniform, strength, L=2 * EXTRACTIONS + 1)


def main() -> None:
    # qsample imports ProjectQ for state vectors, which are not needed here, and ProjectQ no longer builds.
    sys.modules["projectq"] = sys.modules["projectq.ops"] = MagicMock()
    try:
        import qsample  # type: ignore[import-not-found]
    except ModuleNotFoundError as missing:
        needed = "anytree dill fastcore latextools networkx pydot simpleeval tqdm"
        print(f"{missing.name} is missing: pip install --no-deps qsample==0.0.2 && pip install {needed}")
        return
    simulate(program(SAMPLED), engine="tree", criterion=readout, event_threshold=SAMPLED)  # compiles
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 (the generator that qsample draws from)
    rival = sampler(qsample)
    began = time.perf_counter()
    rival.run(SHOTS)
    seconds = time.perf_counter() - began
    found = np.array(rival.stats({"p": list(RATES)})).T
    print(f"qsample: {SHOTS} shots at p = {SAMPLED:g} in {seconds:.3g} s")
    titles = ("p", "tree", "half-width", "tree s", "lower", "error", "upper", "error", "inside", "0.1 %, s", "ratio")
    print(" ".join(f"{title:>12}" for title in titles))
    for p, (seen, error, upper, upper_error) in zip(RATES, found, strict=True):
        tree = simulate(program(p), engine="tree", criterion=readout, relative_width=TARGET)
        rate, half = tree.crash_rate.value, tree.crash_rate.half_width
        inside = "yes" if seen - error <= rate <= upper + upper_error else "no"
        price = seconds * (error / rate / TARGET) ** 2
        ours = " ".join(f"{number:12.3g}" for number in (p, rate, half, tree.cost.seconds))
        theirs = " ".join(f"{number:12.3g}" for number in (seen, error, upper, upper_error))
        print(f"{ours} {theirs} {inside:>12} {price:12.3g} {price / tree.cost.seconds:12.3g}")


if __name__ == "__main__":
    main()
