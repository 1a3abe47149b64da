"""Wrong versions of central formulas, each of which the suite must catch (``make test-slow``).

To add one: quote a piece of the right code that stands once in its file, write the wrong one, and name the tests that go red.
"""

from typing import NamedTuple


class Mutation(NamedTuple):
    """One wrong version: `right` becomes `wrong` in src/triptych/`file`, and one of `tests` must fail."""

    name: str
    file: str
    right: str
    wrong: str
    tests: tuple[str, ...]


MUTATIONS = (
    Mutation(
        "qec: swapped merge rule (the more probable factor becomes the identity)",
        "qec/tasks.py",
        'if moved > 0 and rule == "preservation":\n            new[state] = already(state, 0.0) + moved',
        'if moved > 0 and rule == "preservation":\n            new[0] = already(0, 0.0) + moved',
        ("tests/qec/test_reference.py",),
    ),
    Mutation(
        "qec: Z errors spread from control to target",
        "qec/tasks.py",
        "s ^ (s >> 2 * c & 1) << 2 * t ^ (s >> 2 * t + 1 & 1) << 2 * c + 1",
        "s ^ (s >> 2 * c & 1) << 2 * t ^ (s >> 2 * c + 1 & 1) << 2 * t + 1",
        ("tests/qec/test_reference.py",),
    ),
    Mutation(
        "qec: states below the event threshold are dropped from the ledger",
        "qec/tasks.py",
        "old.ledger + rate * unbranched +",
        "old.ledger +",
        ("tests/qec/test_reference.py",),
    ),
    Mutation(
        "qec: accepted ancillas are not renormalised",
        "qec/tasks.py",
        "exhausted, tries = 0.0, 1 / mass",
        "exhausted, tries = 0.0, 1.0",
        ("tests/qec/test_reference.py", "tests/qec/test_steane.py"),
    ),
    Mutation(
        "qec: two-qubit errors of 16ths instead of 15ths",
        "qec/instructions.py",
        "(p + q, rate / 15)",
        "(p + q, rate / 16)",
        ("tests/qec/test_steane.py", "tests/qec/test_reference.py"),
    ),
    Mutation(
        "qec: in a lazy frame, CNOTs turn round",
        "qec/tree/sets.py",
        "frame[2 * c] ^= frame[2 * t]",
        "frame[2 * t] ^= frame[2 * c]",
        ("tests/qec/test_tree.py",),
    ),
    Mutation(
        "qec: noise that improbable states would feel is not in the ledger",
        "qec/tree/errormap.py",
        "return rows, old, rate * light + rounded",
        "return rows, old, rounded",
        ("tests/qec/test_tree.py",),
    ),
    Mutation(
        "qec: the first merged pair below the threshold is not in the ledger",
        "qec/tree/kernels.py",
        "neglected += old[i] * above[kept]",
        "neglected += old[i] * above[min(kept + 1, count)]",
        ("tests/qec/test_tree.py",),
    ),
    Mutation(
        "qec: what was dropped counts as a rejected ancilla",
        "qec/tree/engine.py",
        "tries(accepted + made.ledger if bounded else accepted, step.supply)",
        "tries(accepted, step.supply)",
        ("tests/qec/test_tree.py",),
    ),
    Mutation(
        "qec: corrections are not seen by what is observed before them",
        "qec/tree/observed.py",
        "errors = corrections(step)",
        "errors = []",
        ("tests/qec/test_tree.py",),
    ),
    Mutation(
        "qec: crashes of independent sets add up",
        "qec/tree/engine.py",
        "one.crashed += other.crashed - one.crashed * other.crashed",
        "one.crashed += other.crashed",
        ("tests/qec/test_tree.py",),
    ),
    Mutation(
        "qec: the check polynomial of a cyclic code is not reversed",
        "qec/codes.py",
        'dual = int(f"{check:b}"[::-1], 2)',
        "dual = check",
        ("tests/qec/test_codes.py",),
    ),
    Mutation(
        "qec: classes of X errors and of Z errors change places",
        "qec/criteria.py",
        '_lost(code, "Z")[:, None] | _lost(code, "X")',
        '_lost(code, "X")[:, None] | _lost(code, "Z")',
        ("tests/qec/test_criteria.py",),
    ),
    Mutation(
        "qec: Z errors are looked up in the table of X errors",
        "qec/protocols.py",
        "for error in self.code.table(errors))",
        'for error in self.code.table("X"))',
        ("tests/qec/test_protocols.py",),
    ),
    Mutation(
        "qec: what post-selection changes at second order is left out of the malignant pairs",
        "qec/pairs.py",
        "- singles.sum() * accepted.sum() + singles @ rates",
        "- singles.sum() * rates.sum() + singles @ rates",
        ("tests/qec/test_pairs.py",),
    ),
    Mutation(
        "qec: corrections never cancel an error of a pair of faults",
        "qec/signatures.py",
        "values[field] ^= stage.moves[field, elected]",
        "values[field] |= stage.moves[field, elected]",
        ("tests/qec/test_pairs.py",),
    ),
    Mutation(
        "qec: a derivative by the logarithm of a rate is taken for one by the rate",
        "qec/budget.py",
        "derivatives[name] += slope / strength",
        "derivatives[name] += slope",
        ("tests/qec/test_budget.py",),
    ),
    Mutation(
        "qec: the clock of the geometric sampler runs by rates",
        "qec/montecarlo/flat.py",
        "np.cumsum(-np.log1p(-rates))",
        "np.cumsum(rates)",
        ("tests/qec/test_montecarlo.py", "tests/qec/test_stratified.py"),
    ),
    Mutation(
        "qec: the Walsh coefficient at zero has the wrong sign",
        "qec/detectors/distribution.py",
        "terms[0] = [-weight for",
        "terms[0] = [weight for",
        ("tests/qec/test_detectors.py",),
    ),
    Mutation(
        "qec: what the tree drops of a syndrome distribution is forgotten",
        "qec/detectors/distribution.py",
        "missing += states.branch(",
        "missing = states.branch(",
        ("tests/qec/test_detectors.py",),
    ),
    Mutation(
        "qec: chained correlated errors are independent",
        "qec/stim_import.py",
        "left *= 1 - p",
        "left *= 1",
        ("tests/qec/test_stim_import.py",),
    ),
    Mutation(
        "qec: a hidden bit that goes off may come on again at once",
        "qec/tree/errormap.py",
        "for errors, rows, old, lost in struck:",
        "for errors, rows, _, lost in struck:\n            old = self.p[rows]",
        ("tests/qec/test_tree.py",),
    ),
    Mutation(
        "qec: conditional noise does not look at its bit",
        "qec/tree/observed.py",
        "return f2.basis([*rows, *looks(step)]) if sees(step, rows) else rows",
        "return rows",
        ("tests/qec/test_instructions.py",),
    ),
    Mutation(
        "qec: outcomes of a compiled gadget below the threshold are not in the ledger",
        "qec/tree/kernels.py",
        "dropped += old[i] * above[v, j]",
        "dropped += old[i] * above[v, min(j + 1, count)]",
        ("tests/qec/test_instructions.py",),
    ),
    Mutation(
        "qec: a switch that the clock strikes flips the bit whatever its value",
        "qec/montecarlo/faults.py",
        "where = [-1, int(off > on)]",
        "where = [-1, -1]",
        ("tests/qec/test_instructions.py", "tests/qec/test_montecarlo.py"),
    ),
    Mutation(
        "qec: a certificate that holds p tells its sign",
        "qec/pseudothreshold.py",
        "if not rate.lower <= p <= rate.upper:",
        "if rate.lower < rate.upper:",
        ("tests/qec/test_pseudothreshold.py",),
    ),
    Mutation(
        "qec: the crossing is interpolated from the wrong end",
        "qec/pseudothreshold.py",
        "gap / (1 - above.excess / below.excess)",
        "gap / (1 - below.excess / above.excess)",
        ("tests/qec/test_pseudothreshold.py",),
    ),
    Mutation(
        "qec: a pseudothreshold is sought above the first rate where encoding does not pay",
        "qec/sweep.py",
        'p[(one["upper"].values < p) & (p < worse)]',
        'p[(one["upper"].values < p) & (p > worse)]',
        ("tests/qec/test_sweep.py",),
    ),
    Mutation(
        "lattice: a sign in the force",
        "lattice/action.py",
        "jnp.roll(sines, 1, axis=0) - sines]",
        "sines - jnp.roll(sines, 1, axis=0)]",
        ("tests/lattice/test_action.py",),
    ),
    Mutation(
        "lattice: the last half kick is missing",
        "lattice/hmc.py",
        "return end._replace(momenta=end.momenta + 0.5 * step_size * end.force)",
        "return end",
        ("tests/lattice/test_hmc.py",),
    ),
    Mutation(
        "lattice: the Metropolis test with the wrong sign",
        "lattice/hmc.py",
        "acceptance = jnp.exp(-jnp.maximum(delta_h, 0))",
        "acceptance = jnp.exp(jnp.minimum(delta_h, 0))",
        ("tests/lattice/test_hmc.py", "tests/lattice/test_sample.py"),
    ),
    Mutation(
        "lattice: <Q^2> as if the plaquettes were independent (V instead of V - 1)",
        "lattice/exact.py",
        "second = volume * (volume - 1) *",
        "second = volume * volume *",
        ("tests/lattice/test_exact.py",),
    ),
    Mutation(
        "halos: distances are not wrapped at the box edge",
        "halos/spheres.py",
        "boxsize=",
        "boxsize=None and ",
        ("tests/halos/test_overdensity.py", "tests/halos/test_spheres.py"),
    ),
    Mutation(
        "halos: 178 instead of 200 times the mean density",
        "halos/overdensity.py",
        "return 200.0 * snapshot.mean_density",
        "return 178.0 * snapshot.mean_density",
        ("tests/halos/test_overdensity.py",),
    ),
    Mutation(
        "halos: shells divided by r^2 dr at the midpoint's power",
        "halos/profiles.py",
        "volume = 4.0 / 3.0 * np.pi * np.diff(edges**3, axis=1)",
        "volume = 4.0 * np.pi * np.diff(edges, axis=1) * edges[:, 1:] ** 2",
        ("tests/halos/test_profiles.py",),
    ),
    Mutation(
        "halos: the NFW mass without its second term",
        "halos/nfw.py",
        "np.log1p(x) - x / (1 + x)",
        "np.log1p(x)",
        ("tests/halos/test_nfw.py",),
    ),
    Mutation(
        "statistics: tau with sum rho counted once",
        "statistics/autocorrelation.py",
        "tau = float(rho[: window + 1].sum() - 0.5)",
        "tau = float((rho[: window + 1].sum() - 1) / 2 + 0.5)",
        ("tests/statistics/test_autocorrelation.py",),
    ),
    Mutation(
        "statistics: the spread of chains without the square root of their number",
        "statistics/chains.py",
        "/ np.sqrt(means.size)",
        "",
        ("tests/statistics/test_estimate.py",),
    ),
    Mutation(
        "runs: an id that does not see its inputs",
        "runs/identity.py",
        '"inputs": digests,',
        '"inputs": {},',
        ("tests/runs/test_directory.py",),
    ),
    Mutation(
        "runs: streams that do not see their names",
        "runs/streams.py",
        "for name in (seed, *names)",
        "for name in (seed,)",
        ("tests/runs/test_fanout.py",),
    ),
)
