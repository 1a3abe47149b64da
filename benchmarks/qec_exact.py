"""The exact engine against trees, and what it reaches, side by side in one run.

In: nothing. Out: a table on stdout. Programs under the rates of Table I: the tree of 13 logical qubits by two engines, then what
only the exact engine reaches; last the d = 3 surface code, by transform and by tree. Compilation is not counted.
"""

from __future__ import annotations

import time
from typing import Any

import stim

from triptych.qec import Noise, Program, logical_error_rates, simulate, steane

WIDTH = 1e-2  # relative, of the trees
NOISE = Noise.eshe_rates()


def main() -> None:
    simulate(steane.two_qubit(NOISE), engine="exact")  # compiles
    simulate(steane.two_qubit(NOISE), engine="tree", reduction="compiled", relative_width=0.5)
    print(f"{'program':34} {'engine':28} {'crash rate':>44} {'seconds':>8} {'ratio':>7}")
    tree = steane.tree_program(NOISE, logical_qubits=13)
    first = row("tree of 13, css", "exact", tree, engine="exact", criterion="css")
    row("tree of 13, css", "tree, compiled recoveries", tree, first, engine="tree", reduction="compiled", relative_width=WIDTH)
    first = row("tree of 13, readout", "exact", tree, engine="exact", criterion="readout")
    row("tree of 13, readout", "tree", tree, first, engine="tree", criterion="readout", relative_width=WIDTH)
    row("ring of 4, readout", "exact", steane.ring_program(NOISE, logical_qubits=4), engine="exact", criterion="readout")
    row("ring of 8, readout", "exact", steane.ring_program(NOISE, logical_qubits=8), engine="exact", criterion="readout")
    began = time.perf_counter()
    large = steane.tree_program(NOISE, logical_qubits=1000)
    print(f"{'tree of 1000: the program is built':63} {'':>44} {time.perf_counter() - began:8.2f}")
    row("tree of 1000, css", "exact", large, engine="exact", criterion="css")
    surface_code()


def row(name: str, by: str, program: Program, first: float | None = None, **options: Any) -> float:
    """Print one line: the answer, its price, and how many times the price of the first engine that is."""
    found = simulate(program, **options)
    ratio = "" if first is None else f"{found.cost.seconds / first:7.1f}"
    print(f"{name:34} {by:28} {found.crash_rate!s:>44} {found.cost.seconds:8.2f} {ratio:>7}", flush=True)
    return found.cost.seconds


def surface_code() -> None:
    """Maximum-likelihood decoding of the rotated surface code, distance 3, three rounds, p = 1e-3."""
    circuit = stim.Circuit.generated(
        "surface_code:rotated_memory_z",
        distance=3,
        rounds=3,
        after_clifford_depolarization=1e-3,
        before_measure_flip_probability=1e-3,
        after_reset_flip_probability=1e-3,
    )
    first = None
    for engine in ("transform", "tree"):
        began = time.perf_counter()
        found = logical_error_rates(circuit, engine=engine)
        seconds = time.perf_counter() - began
        ratio = "" if first is None else f"{seconds / first:7.1f}"
        first = first or seconds
        print(f"{'surface code d = 3, 3 rounds':34} {engine:28} {found.any!s:>44} {seconds:8.2f} {ratio:>7}", flush=True)


if __name__ == "__main__":
    main()
