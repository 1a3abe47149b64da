"""What the tree and the Monte Carlo say of the paper's claims.

In: results of both engines over error rates. Out: verdicts on the claims of chi2008 that one recovery decides.
"""

from __future__ import annotations

from collections.abc import Mapping

from triptych.qec.criteria import css, paper22, strict
from triptych.qec.program import Program
from triptych.qec.simulate import Result, simulate
from triptych.qec.tasks import MergeRule
from triptych.runs import Verdict

AGREES = 4.0  # standard deviations
SHARP = 0.2  # of the rate: a certified half-width or a standard deviation above it leaves nothing to compare


def models_agree(tree: Mapping[float, Result], drawn: Mapping[float, Result]) -> Verdict | None:
    """Sec. III: both models estimate the same crash rate, wherever both estimates are sharp; None where they never are."""
    outside = {}
    for p in sorted(tree.keys() & drawn.keys()):
        rate, mean = tree[p].crash_rate, drawn[p].crash_rate
        assert rate.lower is not None and rate.upper is not None and mean.error is not None
        if max((rate.upper - rate.lower) / 2, mean.error) < SHARP * max(rate.value, mean.value):
            outside[p] = max(rate.lower - mean.value, mean.value - rate.upper, 0.0) / mean.error
    if not outside:
        return None
    worst, compared = max(outside.values()), ", ".join(f"{p:g}" for p in outside)
    return Verdict(
        id="chi2008/sec3-models-agree",
        verdict="holds" if worst < AGREES else "does not hold",
        our_value=f"Monte Carlo at most {worst:.1f} sigma outside the certified interval, p = {compared}",
        note=f"compared where half the interval and the standard deviation are below {SHARP:.0%} of the rate; "
        f"agreement is less than {AGREES:g} sigma",
    )


def merges_bracket(program: Program, converged: Result, *, event_threshold: float, merge_threshold: float) -> Verdict:
    """Sec. II.E: at a large merge threshold, preservation overestimates the success rate and lossy merging underestimates it.

    `converged` has the same event threshold and a small merge threshold, so that only the merges differ.
    """
    success = {}
    rules: tuple[MergeRule, ...] = ("preservation", "lossy")
    for rule in rules:
        found = simulate(program, event_threshold=event_threshold, merge_threshold=merge_threshold, merge=rule)
        success[rule] = 1 - found.crash_rate.value - found.lost
    truth = 1 - converged.crash_rate.value
    return Verdict(
        id="chi2008/sec2e-preservation-over-lossy-under",
        verdict="holds" if success["lossy"] < truth < success["preservation"] else "does not hold",
        our_value=f"success - converged success: preservation {success['preservation'] - truth:+.1e}, "
        f"lossy {success['lossy'] - truth:+.1e} (merge threshold {merge_threshold:g})",
        note="seen in one bit-flip recovery; neither is a bound in general",
    )


def nonfailing_states() -> Verdict:
    """Sec. IV.D: the nonfailing error states of a [[7,1,3]] block, counted one by one."""
    errors = [(x, z) for x in range(128) for z in range(128)]
    raw = sum(not strict(x, z) for x, z in errors)
    classes, separate = (sum(not crash(x, z) for x, z in errors) // 64 for crash in (paper22, css))
    return Verdict(
        id="chi2008/sec4d-22-states",
        verdict="holds" if raw == 22 else "does not hold",
        our_value=f"{raw} of {len(errors)} Pauli strings; modulo stabilizers {classes} of 256 classes",
        note=f"correcting X and Z separately saves {separate} classes",
    )
