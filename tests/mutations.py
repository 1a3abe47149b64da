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
        "qec/program.py",
        "(p + q, rate / 15)",
        "(p + q, rate / 16)",
        ("tests/qec/test_steane.py", "tests/qec/test_reference.py"),
    ),
    Mutation(
        "qec: in a lazy frame, CNOTs turn round",
        "qec/tree/engine.py",
        "frame[2 * c] ^= frame[2 * t]",
        "frame[2 * t] ^= frame[2 * c]",
        ("tests/qec/test_tree.py",),
    ),
    Mutation(
        "qec: noise that improbable states would feel is not in the ledger",
        "qec/tree/errormap.py",
        "(rate * light + dropped + rounded)",
        "(dropped + rounded)",
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
        "return any(f2.parity(row & error) for row in rows for error in corrections(step))",
        "return False",
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
        "qec: the clock of the geometric sampler runs by rates",
        "qec/montecarlo/flat.py",
        "np.cumsum(-np.log1p(-rates))",
        "np.cumsum(rates)",
        ("tests/qec/test_montecarlo.py", "tests/qec/test_stratified.py"),
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
