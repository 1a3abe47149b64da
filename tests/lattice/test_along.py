"""What is seen along a trajectory belongs to its ends, and shows the heat in the middle."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from tests.lattice.test_leapfroglayers import layers
from triptych.errors import ConfigError
from triptych.lattice import torus
from triptych.lattice.action import Wilson
from triptych.lattice.along import along, effective_beta
from triptych.lattice.draws import independent
from triptych.lattice.samplers.kernel import draw, init, propose

SHAPE, BETA, CHAINS = (4, 4), 4.0, 2000
KEY = jax.random.key(12)


def of_mode(mode):
    return layers("bias", mode, SHAPE, number=4, step_size=0.2, heat=0.15 if mode == "merged" else 0.0, noise=0.0)


@pytest.fixture(scope="module")
def heated():
    return along(of_mode("merged"), beta=BETA, shape=SHAPE, chains=CHAINS, key=KEY)


@pytest.mark.parametrize("mode", ["merged", "single"])
def test_both_ends_are_those_of_the_proposal(heated, mode):
    """The same keys again, through the kernel."""
    model, theory = of_mode(mode), Wilson(BETA)
    seen = heated if mode == "merged" else along(model, beta=BETA, shape=SHAPE, chains=CHAINS, key=KEY)

    @jax.jit
    def ends(keys):
        start_keys, move_keys = jax.vmap(jax.random.split, out_axes=1)(keys)
        state = init(independent(start_keys, BETA, SHAPE), theory)
        end, delta_h = propose(state, draw(move_keys, state.links)[0], theory, model.move)
        return theory.observables(state.links), theory.observables(end.links), delta_h

    first, last, delta_h = ends(jax.random.split(KEY, CHAINS))
    assert dict(seen.sizes) == {"chain": CHAINS, "step": model.steps + 1}
    for step, known in ((0, first), (model.steps, last)):
        for name, values in known.items():
            np.testing.assert_allclose(seen[name].sel(step=step), values, atol=1e-12)
    assert np.all(seen.energy.sel(step=0) == 0)
    np.testing.assert_allclose(seen.energy.sel(step=model.steps), delta_h, atol=1e-11)
    assert abs(delta_h).max() > 0.1 and seen.attrs["mode"] == mode


def test_the_heat_is_in_the_middle(heated):
    """Energy up and plaquette down until the middle, and back (Figs. 6 and 7)."""
    energy, plaquette = heated.energy.mean("chain"), heated.plaquette.mean("chain")
    assert energy.argmax("step") == 4
    assert np.all(np.diff(energy[:5]) > 0) and np.all(np.diff(energy[4:]) < 0)
    assert float(energy[4]) > 5 and float(plaquette[4]) < min(plaquette[0], plaquette[-1]) - 0.05
    assert 1 < effective_beta(float(plaquette[4]), SHAPE) < 3


def test_starts_are_in_equilibrium(heated):
    truth = torus(BETA, SHAPE)
    start = heated.isel(step=0)
    assert heated.attrs["plaquette_exact"] == truth.plaquette
    for values, exact in ((start.plaquette, truth.plaquette), (start.charge**2, truth.charge_squared)):
        assert abs(float(values.mean()) - exact) < 4 * float(values.std()) / np.sqrt(CHAINS)


@pytest.mark.parametrize("shape", [(4, 4), (8, 8), (3, 16)])
@pytest.mark.parametrize("beta", [0.0, 0.3, 2.0, 7.0, 50.0])
def test_effective_beta_is_the_inverse_of_the_exact_plaquette(shape, beta):
    assert effective_beta(torus(beta, shape).plaquette, shape) == pytest.approx(beta, abs=1e-9)


@pytest.mark.parametrize("plaquette", [-0.1, 1.0, float("nan")])
def test_no_coupling(plaquette):
    with pytest.raises(ConfigError, match="plaquette"):
        effective_beta(plaquette, SHAPE)


def test_impossible_lattices_are_refused():
    for bad in ({"beta": -1.0}, {"shape": (1, 4)}):
        with pytest.raises(ConfigError, match=next(iter(bad))):
            along(layers(), **{"beta": 2.0, "shape": (3, 4), "chains": 2, "key": KEY, **bad})
