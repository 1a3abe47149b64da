"""The Monte Carlo rivals, side by side in one run.

In: nothing. Out: a table on stdout for the program of two logical qubits at the rates of Table I: shots a second, the shots that
a relative standard deviation of 0.2 % takes, and their time. The strata need no more than a sample to say what 0.2 % would cost.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from triptych.qec import Noise, montecarlo, steane
from triptych.qec.criteria import readout
from triptych.qec.montecarlo import geometric, stratified
from triptych.qec.stim_export import to_stim

TARGET = 2e-3
K_MAX = 6


def main() -> None:
    program = steane.two_qubit(Noise.eshe_rates())
    rng = np.random.default_rng(1)
    exported = to_stim(program)
    detectors = exported.circuit.compile_detector_sampler(seed=1)
    geometric.sample(program, readout, shots=1, rng=rng)  # compiles
    stratified.estimate(program, readout, shots=1000, k_max=K_MAX, rng=rng)
    found = stratified.estimate(program, readout, shots=2_000_000, k_max=K_MAX, rng=rng)
    rate = found.crash_rate
    assert rate.error is not None
    needed = (1 - rate.value) / (rate.value * TARGET**2)

    def batches(draw: Callable[[int], object], count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            draw(50_000)
        return 50_000 * count / (time.perf_counter() - began)

    speeds = {
        "per location": batches(lambda n: montecarlo.sample(program, readout, shots=n, rng=rng, per_location=True), 10),
        "frames": batches(lambda n: montecarlo.sample(program, readout, shots=n, rng=rng), 10),
        "Stim, decoded": batches(lambda n: exported.sample(readout, shots=n, rng=rng), 10),
        "Stim, checks alone": batches(lambda n: detectors.sample(n, bit_packed=True), 100),
        "geometric": batches(lambda n: geometric.sample(program, readout, shots=400 * n, rng=rng), 2) * 400,
    }
    print(f"crash rate {rate}, P(more than {K_MAX} faults) = {found.tail:.1e}")
    print(f"{'sampler':>20} {'shots/s':>12} {'shots, 0.2 %':>14} {'seconds':>12} {'ratio':>12}")
    shots = found.cost.counts["shots"]
    strata = shots * (rate.error / rate.value / TARGET) ** 2
    rows = {name: (speed, needed) for name, speed in speeds.items()} | {"stratified": (shots / found.cost.seconds, strata)}
    for name, (speed, price) in rows.items():
        ratio = needed / speeds["per location"] * speed / price
        print(f"{name:>20} {speed:12.3g} {price:14.3g} {price / speed:12.3g} {ratio:12.3g}")


if __name__ == "__main__":
    main()
