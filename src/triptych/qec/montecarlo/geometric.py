"""Monte Carlo that jumps from fault to fault.

In: a program, a number of shots, a generator. Out: the same counts as :func:`frames.sample
<triptych.qec.montecarlo.frames.sample>`, at a price that falls with the noise.
"""

from __future__ import annotations

import numpy as np

from triptych.errors import ConfigError
from triptych.qec.criteria import Criterion
from triptych.qec.montecarlo import frames, kernels
from triptych.qec.montecarlo.flat import flatten, flattens
from triptych.qec.program import Program

BATCH = 50_000


def sample(
    program: Program, crash: Criterion, *, shots: int, rng: np.random.Generator, at_any_time: bool = False
) -> frames.Counts:
    """Run the program `shots` times, or rather those shots in which anything happens.

    Faults are the ticks of a clock that runs on from location to location and from shot to shot. Shots without a fault are
    counted and not run; a rejected ancilla is prepared again with fresh faults. Programs with a Custom task, a Channel or a
    scored block of more than eight qubits go to :func:`frames.sample <triptych.qec.montecarlo.frames.sample>`, in batches.

    Parameters
    ----------
    program, crash, shots, rng, at_any_time : as in :func:`frames.sample <triptych.qec.montecarlo.frames.sample>`.

    Raises
    ------
    ConfigError
        As :func:`frames.sample <triptych.qec.montecarlo.frames.sample>` does.

    Notes
    -----
    Cost: about a microsecond for each shot with a fault, after some 10 ms to write the program as arrays.

    Examples
    --------
    >>> from triptych.qec import Noise, criteria, steane
    >>> program = steane.recovery(Noise.eshe_rates())
    >>> counts = sample(program, criteria.css, shots=100_000, rng=np.random.default_rng(1))
    >>> counts.shots, counts.accepted, counts.crashes < 20
    (100000, 600000, True)
    """
    if shots < 1:
        raise ConfigError("the Monte Carlo needs shots", got=shots, expected="shots >= 1")
    if not flattens(program):
        sizes = [min(BATCH, shots - start) for start in range(0, shots, BATCH)]
        drawn = [frames.sample(program, crash, shots=size, rng=rng, at_any_time=at_any_time) for size in sizes]
        return frames.Counts(*(sum(column) for column in zip(*drawn, strict=True)))
    crashes, accepted, prepared = kernels.from_fault_to_fault(flatten(program, crash, at_any_time=at_any_time), shots, rng)
    if crashes < 0:
        raise ConfigError(
            "a Verify hardly ever accepts", got=f"{frames.ATTEMPTS} attempts in vain", expected="checks that can be 0"
        )
    return frames.Counts(crashes, shots, accepted, prepared)
