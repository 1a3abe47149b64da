"""What Figs. 4 to 6 say of the paper's claims on speed and size: abstract, Secs. IV.B and IV.C.

In: the datasets of the figures. Out: verdicts on the claims of chi2008 that they decide; where a dataset does not hold the sizes
that a claim is about, there is no verdict on it. Inaccuracies are relative.
"""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from triptych.qec.rivals import Drawn
from triptych.qec.verdicts import AGREES, verdict
from triptych.runs import Verdict
from triptych.runs.claims import Word

ACCURATE = 1e-3  # what is called an accurate answer
NEW_PHASES = (4, 8)  # logical qubits from which one more needs another phase


def seconds_for(data: xr.Dataset, sampler: str, level: float) -> float:
    """Processor time that a sampler needs for this relative standard deviation, from the time and the level that it reached."""
    one = data.sel(sampler=sampler)
    return float(one.seconds * (one.inaccuracy / level) ** 2)


def rival_verdicts(data: xr.Dataset) -> list[Verdict]:
    """Abstract and Sec. IV.B, from the dataset of Fig. 4.

    Parameters
    ----------
    data : inaccuracies and seconds of ``tree``, ``certified``, ``quoted`` and of the samplers, ``shots`` (sampler), and the
        attribute ``converged``.
    """
    deviation = (1e9 * data.attrs["converged"]) ** -0.5  # of 1e9 shots
    needed = 1 / (data.attrs["converged"] * 0.0022**2)
    lucky: Word = "holds with another convention" if deviation < 0.01 else "does not hold"
    found = [
        verdict(
            "sec4b-monte-carlo-accuracy",
            "holds" if deviation <= 0.0022 else lucky,
            f"1e9 shots have a standard deviation of {deviation:.2%}",
            f"Below 1 % as one standard deviation; 0.22 % is luck, and takes {needed:.1e} shots as a standard deviation.",
        )
    ]
    quoted = float(data.quoted_inaccuracy)
    shots = float(data.shots.sel(sampler="per location"))
    ratio = 1e9 / shots * float(data.seconds.sel(sampler="per location")) / float(data.quoted_seconds)
    found.append(
        verdict(
            "sec4b-speedup-3400",
            quoted < deviation and ratio > 3400,
            f"{_about(ratio)} times faster than 1e9 shots; bias {quoted:.2%} against {deviation:.2%}",
            _others(data, deviation, float(data.quoted_seconds)),
        )
    )
    for claim, level, kind in (("fig4-1000x-at-one-percent", 0.01, "tree"), ("abstract-speedup-1000", ACCURATE, "certified")):
        within = data[f"{kind}_seconds"].values[data[f"{kind}_inaccuracy"].values <= level]
        if within.size:
            best = float(within.min())
            faster = seconds_for(data, "per location", level) / best
            name = {"tree": "tree as in the paper", "certified": "certified tree"}[kind]
            ours = f"{_about(faster)} times faster at {level:.1%} ({name}: {best:.2g} s)"
            found.append(verdict(claim, faster > 1000, ours, _others(data, level, best)))
    return found


def _others(data: xr.Dataset, level: float, seconds: float) -> str:
    """The rival, and what better ones would have taken."""
    ratios = [f"{sampler} {_about(seconds_for(data, sampler, level) / seconds)}" for sampler in data.sampler.values[1:]]
    return f"Against Monte Carlo that draws every location. Against better samplers: {', '.join(ratios)} times."


def _about(ratio: float) -> str:
    """Two digits."""
    return f"{float(f'{ratio:.2g}'):,g}"


def scaling_verdict(*, full: Drawn, fewer: Drawn, larger: Drawn, sparse: Drawn, larger_sparse: Drawn) -> Verdict:
    """Sec. IV.B: Monte Carlo takes time in proportion to operations and shots, and is as accurate as crashes are many.

    Parameters
    ----------
    full, fewer, larger : the sampler that draws every location: on one program, with fewer shots, on a larger program.
    sparse, larger_sparse : a fast sampler on the two programs, in batches, whose crashes scatter by the Poisson law.
    """
    each = [one.seconds / one.shots / one.locations for one in (full, fewer, larger)]
    spread = max(each) / min(each)
    scatter = [float(np.var(one.crashes, ddof=1) / np.mean(one.crashes)) for one in (sparse, larger_sparse)]
    tolerance = AGREES * math.sqrt(2 / (len(sparse.crashes) - 1))
    return verdict(
        "sec4b-monte-carlo-scaling",
        spread < 2 and all(abs(one - 1) < tolerance for one in scatter),
        f"seconds by shot and location equal within a factor {spread:.2f}; variance over mean of the crashes "
        f"{scatter[0]:.2f} and {scatter[1]:.2f} at {sparse.crash_rate:.1e} and {larger_sparse.crash_rate:.1e}",
        "Inverse relative variance is shots times crash rate.",
    )


def time_verdicts(data: xr.Dataset) -> list[Verdict]:
    """Fig. 5, from ``states`` and ``seconds`` (series, logical_qubits) of the series ``strings``.

    A new phase shows where the price of one more logical qubit grows by more than before and after.
    """
    if int(data["logical_qubits"].max()) < NEW_PHASES[-1] + 2:
        return []
    one = data.sel(series="strings")
    states, seconds, bias = (one[name].values for name in ("states", "seconds", "bias"))
    growth = one["states"].diff("logical_qubits").diff("logical_qubits")  # under the number of logical qubits that it leads to
    bends = [
        size for size in NEW_PHASES if growth.sel(logical_qubits=size + 1) > growth.sel(logical_qubits=[size, size + 2]).max()
    ]
    return [
        verdict(
            "fig5-time-and-inflections",
            bool((np.diff(states) > 0).all()) and bends == list(NEW_PHASES),
            f"{states[0]:.2g} to {states[-1]:.2g} states written ({seconds[0]:.2g} to {seconds[-1]:.2g} s); "
            f"bends at {', '.join(map(str, bends)) or 'none of 4 and 8'}",
            f"Judged by the states written, which repeat exactly. The bias grows from {bias[0]:.2%} to {bias[-1]:.2%}.",
        )
    ]


def map_verdicts(data: xr.Dataset) -> list[Verdict]:
    """Fig. 6 and the abstract's dozen, from ``states``, ``states_peak`` (series, logical_qubits) and traced ``bytes``."""
    one, sizes = data.sel(series="strings"), data["logical_qubits"].values
    if sizes[-1] < 13:
        return []
    maps, states = one["states_peak"].values, one["states"].values
    span = math.log(sizes[-1] / sizes[0])
    largest, time = math.log(maps[-1] / maps[0]) / span, math.log(states[-1] / states[0]) / span
    each = float((data["bytes"].values / one["states_peak"].sel(logical_qubits=data["traced"].values)).mean())
    memory = each * maps[-1]
    return [
        verdict(
            "fig6-map-size-superlinear",
            1 < largest < time,
            f"{maps[0]:.2g} to {maps[-1]:.2g} states: power {largest:.2f} of the logical qubits; "
            f"states written, for the time: power {time:.2f}",
        ),
        verdict(
            "abstract-dozen-logical-qubits",
            memory > 4e9,
            f"{sizes[-1]} logical qubits take {memory / 1e9:.2g} GB as Pauli strings at the paper's thresholds",
            f"What limits them there is the bias of the rate, {float(one['bias'][-1]):.1%}, rather than memory.",
        ),
    ]
