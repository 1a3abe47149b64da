"""Where does encoding begin to pay?

In: a program as a function of the physical error rate p. Out: its pseudothreshold, the p at which the crash rate equals p, what a
bare qubit suffers from one fault location: an interval at whose ends the sign of (crash rate - p) is certified.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from triptych.errors import ConfigError, ConvergenceError
from triptych.qec.criteria import Criterion
from triptych.qec.program import Program
from triptych.qec.simulate import EngineName, simulate
from triptych.statistics import Estimate

CLIMB = 3.0  # from one p to the next, as long as encoding pays
LOOSE = 0.3  # relative width with which each p is tried first
TIGHTEN = 4.0  # what it is divided by where the interval holds p
TIGHTEST = 1e-15  # relative: beyond it is rounding


class Side(NamedTuple):
    """A p at which the sign is certified. excess : ln(crash rate / p), by the middle of the certified interval."""

    p: float
    excess: float


def pseudothreshold(
    build: Callable[[float], Program],
    *,
    criterion: str | Criterion = "css",
    at_any_time: bool = False,
    lower: float = 1e-5,
    upper: float = 0.3,
    relative_width: float = 1e-2,
    engine: EngineName = "auto",
    max_memory_gb: float = 4.0,
) -> Estimate:
    """The physical error rate p at which the crash rate P(p) of a program equals p.

    Parameters
    ----------
    build : the program at a physical error rate.
    criterion, at_any_time, engine, max_memory_gb : as in :func:`~triptych.qec.simulate.simulate`; the engine has to certify to
        any width (not the reference, no Monte Carlo).
    lower, upper : where it is sought; from `lower` upwards, so that the lowest crossing is found unless there are several within
        a factor of 3.
    relative_width : width of the certified interval over its lower end.

    Returns
    -------
    A certified estimate: P(p) < p at its lower end, P(p) > p at its upper end, each by an interval of P(p) that does not hold p.
    P is a continuous function of p, so that it crosses p in between. The value is interpolated.

    Raises
    ------
    ConfigError
        If `lower`, `upper` or `relative_width` is impossible.
    ConvergenceError
        If encoding does not pay at `lower`, or still pays at `upper`, or if a certificate gets no tighter before it tells a sign.

    Notes
    -----
    Cost: 5 to 15 values of p, each solved until the certificate tells the sign: to 30 % far from the crossing, to a fraction of
    `relative_width` at the last two.

    Examples
    --------
    Two bits out of three beat one bit as long as it is more often right than wrong:

    >>> from triptych.qec import Builder, Noise
    >>> from triptych.qec.program import PauliChannel
    >>> def repetition(p):
    ...     circuit = Builder(noise=Noise.uniform(0))
    ...     data = circuit.block(3)
    ...     circuit.add(*(PauliChannel(qubits=(q,), errors=(("X", p),)) for q in data))
    ...     return circuit.program(blocks=[data])
    >>> print(pseudothreshold(repetition, criterion=lambda x, z: x.bit_count() > 1, upper=0.9))
    5.00e-1 [4.98e-1, 5.02e-1]
    """
    if not 0 < lower < upper <= 1:
        raise ConfigError("no range of error rates", got=f"{lower:g} to {upper:g}", expected="0 < lower < upper <= 1")
    if not relative_width > 0:
        raise ConfigError("relative_width is impossible", got=relative_width, expected="> 0", fix="0.01 is one percent")

    def side(p: float) -> Side:
        width = LOOSE
        while True:
            found = simulate(
                build(p),
                engine=engine,
                criterion=criterion,
                at_any_time=at_any_time,
                relative_width=width,
                max_memory_gb=max_memory_gb,
            )
            rate = found.crash_rate
            assert rate.lower is not None and rate.upper is not None
            if not rate.lower <= p <= rate.upper:
                return Side(p, math.log(rate.value / p) if rate.value else -math.inf)
            if found.stopped or width < TIGHTEST:
                raise ConvergenceError(
                    f"the certificate does not tell the crash rate from p = {p:.9g}",
                    got=f"{rate}, stopped by {found.stopped or 'rounding'}",
                    fix="ask for a wider interval, or give more memory",
                )
            width /= TIGHTEN

    below = side(lower)
    if below.excess > 0:
        raise ConvergenceError("encoding does not pay", got=f"a crash rate above p at p = {lower:g}", fix="begin at a lower p")
    above = None
    while above is None:
        if below.p == upper:
            raise ConvergenceError(
                "encoding always pays", got=f"a crash rate below p up to p = {upper:g}", fix="go to a higher p"
            )
        tried = side(min(upper, CLIMB * below.p))
        below, above = (tried, None) if tried.excess < 0 else (below, tried)
    return _enclosed(side, below, above, math.log1p(relative_width))


def _enclosed(side: Callable[[float], Side], below: Side, above: Side, width: float) -> Estimate:
    """Regula falsi for ln(P / p) as a function of ln p, which is nearly linear, until the ends are no more than `width` apart.

    The end that is farther from the supposed crossing is moved close to it, but not onto it: there no certificate tells the
    sign, and the other end would never move. Each try takes off a tenth of the gap at least.
    """
    while True:
        gap = math.log(above.p / below.p)
        crossing = gap / (1 - above.excess / below.excess)
        if gap <= width:
            return Estimate.certified(below.p * math.exp(crossing), lower=below.p, upper=above.p)
        apart = max(width / 3, gap / 10)
        tried = side(below.p * math.exp(crossing - apart if crossing > gap / 2 else crossing + apart))
        below, above = (tried, above) if tried.excess < 0 else (below, tried)
