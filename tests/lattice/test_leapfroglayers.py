"""What must hold of every LeapfrogLayer, whatever its numbers: inverses, Jacobians, symmetries, exact averages."""

from __future__ import annotations

import math
from functools import cache, partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from tests.oracles import lattice as oracle
from triptych.lattice import measure, sample, torus
from triptych.lattice.action import Wilson, charge
from triptych.lattice.samplers import HMC
from triptych.lattice.samplers.kernel import Phase, draw, init, propose
from triptych.lattice.samplers.leapfroglayers import LeapfrogLayers

SHAPE, CHAINS, THEORY = (3, 4), 5, Wilson(2.5)
KINDS = ["bias", "bias shared", "dense", "dense shared"]
DIRECTIONS = ["forward", "backward", "merged"]


@cache
def layers(kind="dense", mode="merged", shape=SHAPE, number=3, step_size=0.25, heat=0.1, noise=0.3):
    """Layers with given step sizes and heat, in which every number is moved by `noise` normal deviates."""
    settings = {"shape": shape, "layers": number, "step_size": step_size, "heat": heat, "mode": mode, "activation": "tanh"}
    dense = {"width": 8, "depth": 2} if "dense" in kind else {}
    empty = eqx.filter_eval_shape(
        partial(LeapfrogLayers.new, **settings, **dense, shared="shared" in kind), key=jax.random.key(0)
    )
    rng = np.random.default_rng(7)

    def fill(leaf):
        if leaf.dtype == bool:
            half = np.arange(leaf.size // number) < leaf.size // number // 2
            return jnp.asarray(rng.permuted(np.tile(half, (number, 1)), axis=1).reshape(leaf.shape))
        return jnp.asarray(noise * rng.normal(size=leaf.shape))

    filled = jax.tree.map(fill, empty)
    return eqx.tree_at(
        lambda it: (it.layers.log_kick, it.layers.log_drift, it.kicks.s),
        filled,
        replace_fn=lambda leaf: leaf + (heat / step_size if leaf is filled.kicks.s else math.log(step_size)),
    )


def begin(chains=CHAINS, shape=SHAPE):
    """Links and momenta that have nothing of equilibrium."""
    rng = np.random.default_rng(5)
    return rng.uniform(-np.pi, np.pi, (2, *shape, chains)), rng.normal(size=(2, *shape, chains))


@eqx.filter_jit
def go(model, direction, links, momenta):
    """Where "forward", "backward" or "merged" leads: links, momenta, log |J| and force."""
    end, change = getattr(model, direction)(Phase(links, momenta, THEORY.force(links)), THEORY)
    return end.links, end.momenta, change, end.force


def apart(one, other):
    """Largest distance of two points of phase space, with angles on the circle."""
    (x, v, *_), (y, w, *_) = one, other
    return max(np.abs(np.angle(np.exp(1j * (np.asarray(x) - np.asarray(y))))).max(), np.abs(np.asarray(v) - np.asarray(w)).max())


@pytest.mark.parametrize("kind", KINDS)
def test_reversible(kind):
    model, start = layers(kind), begin()
    pairs = [("merged", "merged"), ("forward", "backward"), ("backward", "forward")]
    for there, back in pairs[:1] if "shared" in kind else pairs:
        x, v, change, force = go(model, there, *start)
        *again, undone, _ = go(model, back, x, v)
        assert apart(start, (x, v)) > 0.5 and (np.abs(change).min() > 1e-3 or ("bias" in kind and there == "merged"))
        assert apart(start, again) < 1e-12 and np.abs(change + undone).max() < 1e-12
        assert x.min() >= -np.pi and x.max() < np.pi
        known = [oracle.force(np.asarray(x[..., chain]), THEORY.beta) for chain in range(CHAINS)]
        np.testing.assert_allclose(force, np.stack(known, axis=-1), atol=1e-12)


QUICK = [("bias", "backward"), ("bias shared", "forward"), ("dense", "forward"), ("dense shared", "merged")]
OTHERS = [(kind, direction) for kind in KINDS for direction in DIRECTIONS if (kind, direction) not in QUICK]


@pytest.mark.parametrize(("kind", "direction"), [*QUICK, *(pytest.param(*one, marks=pytest.mark.slow) for one in OTHERS)])
def test_jacobian(kind, direction):
    model, start = layers(kind), begin(1)

    @eqx.filter_jit
    def found(model, point):
        def flow(point):
            x, v, change, _ = go(model, direction, *point)
            return jnp.stack([x, v]), change[0]

        return jax.jacfwd(flow, has_aux=True)(point)

    jacobian, change = found(model, np.stack(start))
    sign, log_size = np.linalg.slogdet(np.reshape(jacobian, (4 * math.prod(SHAPE), -1)))
    assert sign == 1 and (abs(log_size) > 1e-3 or ("bias" in kind and direction == "merged"))
    assert abs(log_size - change) < 1e-12


def test_merged_is_forwards_then_backwards():
    model = layers()
    x, v, up, _ = go(model, "forward", *begin())
    *end, down, _ = go(model, "backward", x, -v)
    *found, change, _ = go(model, "merged", *begin())
    assert apart(found, end) < 1e-12 and np.abs(change - up - down).max() < 1e-12


@pytest.mark.parametrize(("mode", "steps"), [("merged", 4), ("single", 2)])
def test_without_networks_it_is_hmc(mode, steps):
    model = layers("bias", mode, number=2, heat=0.0, noise=0.0, step_size=0.2)
    links, keys = jnp.asarray(begin(200)[0]), jax.random.split(jax.random.key(8), 200)

    @eqx.filter_jit
    def end(sampler):
        state = init(links, THEORY)
        if mode == "merged":  # no direction is drawn: the random numbers are the same, too
            following, info = sampler.step(keys, state, THEORY)
            return following.links, info.delta_h, info.accepted
        proposal, delta_h = propose(state, draw(keys, links)[0], THEORY, sampler.move)
        return proposal.links, delta_h, jnp.ones(200, bool)

    *ours, accepted = end(model)
    *theirs, as_often = end(HMC(steps=steps, step_size=0.2))
    assert apart(ours, theirs) < 1e-13 and apart(ours, (links, 0)) > 1
    assert accepted.tolist() == as_often.tolist() and accepted.sum() > 0


def test_layers_link_by_link():
    """Against loops in NumPy over the paper's formulas."""
    model, (links, momenta) = layers(), begin()
    x, v, change, _ = go(model, "forward", links, momenta)
    for chain in range(2):
        at, known = np.s_[..., chain], 0.0
        our_links, our_momenta = links[at], momenta[at]
        for number in range(model.depth):
            one = jax.tree.map(lambda leaf, number=number: np.asarray(leaf[number]), eqx.filter(model, eqx.is_array))
            layer = {
                "eps_v": math.exp(one.layers.log_kick),
                "eps_x": math.exp(one.layers.log_drift),
                "mask": one.layers.mask,
                "kick": plain(one.kicks),
                "drift": plain(one.drifts),
            }
            our_links, our_momenta, part = oracle.leapfrog_layer(our_links, our_momenta, beta=THEORY.beta, layer=layer)
            known += part
        assert apart((x[at], v[at]), (our_links, our_momenta)) < 1e-12 and abs(change[chain] - known) < 1e-12


def plain(network):
    """The weights as the oracle wants them."""
    dense = network.dense
    cosines, sines = np.split(dense.of_links.weight, 2, axis=1)
    return {
        "cos": cosines,
        "sin": sines,
        "field": dense.of_field.weight,
        "b_1": dense.of_links.bias,
        "hidden": [(layer.weight, layer.bias) for layer in dense.hidden],
        **{f"w_{name}": head.weight for name, head in zip("stq", dense.heads, strict=True)},
        **{f"b_{name}": getattr(network, name) for name in "stq"},
        **{f"lambda_{name}": math.exp(getattr(network, f"log_lambda_{name}")) for name in "sq"},
    }


def test_links_are_angles():
    """2 pi more in any link changes nothing, although the networks see it."""
    model, (links, momenta) = layers(), begin()
    turns = np.random.default_rng(1).integers(-2, 3, links.shape)
    for direction in DIRECTIONS:
        *end, change, _ = go(model, direction, links, momenta)
        *same, no_other, _ = go(model, direction, links + 2 * np.pi * turns, momenta)
        assert apart(end, same) < 1e-12 and np.abs(change - no_other).max() < 1e-12


def test_gauge_covariance_without_weights():
    """A gauge transformation before or after the move is the same; energies, charges and Jacobians do not change."""
    model, (links, momenta) = layers("bias"), begin()
    gauge = np.random.default_rng(2).uniform(-np.pi, np.pi, (*SHAPE, CHAINS))
    transformation = np.stack([gauge - np.roll(gauge, -1, axis=axis) for axis in (0, 1)])
    see = jax.jit(lambda links: (THEORY.energy(links), charge(links)))
    for direction in DIRECTIONS:
        x, v, change, _ = go(model, direction, links, momenta)
        y, w, same, _ = go(model, direction, links + transformation, momenta)
        assert apart((x + transformation, v), (y, w)) < 1e-12 and np.abs(change - same).max() < 1e-12
        for ours, theirs in zip(see(x), see(y), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-11)


def test_directions_are_drawn_for_each_chain():
    chains = 2000
    model, (links, _), keys = layers("bias", "single", noise=0.1), begin(2000), jax.random.split(jax.random.key(4), chains)

    @jax.jit
    def look(keys, links):
        state = init(links, THEORY)
        momenta, uniform = draw(jax.vmap(jax.random.split)(keys)[:, 1], links)  # the first half draws the direction
        energies = [propose(state, momenta, THEORY, move)[1] for move in (model.forward, model.backward)]
        return model.step(keys, state, THEORY), jnp.stack(energies), momenta[:, 1, 2], uniform

    (following, info), energies, momenta, uniform = look(keys, links)
    forwards, backwards = np.abs(energies - info.delta_h) < 1e-9
    assert np.all(forwards ^ backwards)
    assert abs(forwards.mean() - 0.5) < 4 * 0.5 / math.sqrt(chains)
    for other in (*momenta, uniform, np.roll(forwards, 1)):
        assert abs(np.corrcoef(forwards, other)[0, 1]) < 4 / math.sqrt(chains)
    order = np.random.default_rng(1).permutation(chains)  # other neighbours
    (again, again_info), *_ = look(keys[order], links[..., order])
    np.testing.assert_array_equal(again.links, following.links[..., order])
    np.testing.assert_array_equal(again_info.delta_h, info.delta_h[order])


@pytest.fixture(scope="module", params=[(mode, start) for mode in ("merged", "single") for start in ("hot", "equilibrium")])
def ensemble(request):
    mode, start = request.param
    heat = 0.1 if mode == "merged" else 0.0
    model = layers("dense", mode, (4, 4), number=2, step_size=0.2, heat=heat, noise=0.15)
    return sample(
        beta=2.0,
        shape=(4, 4),
        chains=1000,
        trajectories=50,
        thermalization=50 if start == "hot" else 0,
        start=start,
        sampler=model,
        key=jax.random.key(21),
    )


def test_averages_are_exact(ensemble):
    truth, answer = torus(2.0, (4, 4)), measure(ensemble)
    assert 0.5 < answer.acceptance.value < 0.95
    assert abs(answer.plaquette.pull(truth.plaquette)) < 4 and answer.plaquette.error < 3e-3
    assert abs(answer.charge_squared.pull(truth.charge_squared)) < 4
    assert abs(answer.exp_minus_dh.pull(1.0)) < 4


def test_sectors_are_distributed_exactly(ensemble):
    """Chi-squared over sectors, on the last configurations."""
    truth = torus(2.0, (4, 4)).sectors
    charges = abs(ensemble.charge.isel(trajectory=-1).to_numpy())
    common = [q for q, p in truth.items() if charges.size * p > 20]
    expected = charges.size * np.array([(2 - (q == 0)) * truth[q] for q in common])
    counted = np.array([(charges == q).sum() for q in common])
    expected, counted = (np.append(one, charges.size - one.sum()) for one in (expected, counted))
    assert stats.chisquare(counted, expected).pvalue > 1e-4


def test_new_layers():
    """Masks of half of the links, at random; every other number as it was asked for."""
    new = partial(LeapfrogLayers.new, shape=SHAPE, layers=40, step_size=0.2, heat=0.1, mode="single")
    model = jax.jit(lambda key: new(key=key))(jax.random.key(0))
    mask = np.asarray(model.layers.mask)
    assert mask.shape == (40, 2, *SHAPE) and mask.dtype == bool
    assert np.all(mask.sum(axis=(1, 2, 3)) == 12) and len({one.tobytes() for one in mask}) == 40
    assert np.abs(mask.mean(axis=0) - 0.5).max() < 4 * 0.5 / math.sqrt(40)
    for leaf, value in ((model.layers.log_kick, math.log(0.2)), (model.layers.log_drift, math.log(0.2)), (model.kicks.t, 0)):
        np.testing.assert_allclose(leaf, np.full(40, value), rtol=1e-15)
    np.testing.assert_allclose(np.exp(model.kicks.log_lambda_s) * np.tanh(model.kicks.s), 0.1 / 0.2, rtol=1e-14)
    assert model.drifts.s is None and model.drifts.log_lambda_s is None


@pytest.mark.parametrize(
    ("kind", "mode", "steps", "networks"),
    [("bias", "merged", 6, 0), ("dense", "merged", 6, 24), ("dense shared", "single", 3, 24), ("bias shared", "single", 3, 0)],
)
def test_price(kind, mode, steps, networks):
    """Single trajectories compute both directions, of which one is taken."""
    model = layers(kind, mode)
    assert (model.depth, model.steps, model.force_evaluations, model.network_evaluations) == (3, steps, 6, networks)


def test_settings_tell_models_apart():
    model = layers()
    known = model.settings()
    assert {name: known[name] for name in ("sampler", "mode", "layers")} == {
        "sampler": "leapfroglayers",
        "mode": "merged",
        "layers": 3,
    }
    others = [
        eqx.tree_at(lambda it: it.layers.mask, model, ~model.layers.mask),
        eqx.tree_at(lambda it: it.kicks.s, model, model.kicks.s + 1e-15),
        layers(mode="single"),
        layers(number=2),
    ]
    assert all(other.settings() != known for other in others)
    assert jax.tree.map(jnp.array, model).settings() == known


def test_numbers_compile_nothing_anew():
    traced = []

    @jax.jit
    def step(keys, state, theory, sampler):
        traced.append(theory)
        return sampler.step(keys, state, theory)

    state, keys = jax.jit(init)(begin(1)[0], THEORY), jax.random.split(jax.random.key(0), 1)
    for noise in (0.0, 0.3):
        step(keys, state, Wilson(1.0 + noise), layers("bias", noise=noise))
    assert len(traced) == 1
