"""Long runs: trained samplers against the exact values, and HMC's autocorrelation times against measured ones."""

from __future__ import annotations

import equinox as eqx
import jax
import numpy as np
import pytest
from scipy import stats

from triptych.lattice import measure, sample, torus
from triptych.lattice.action import Wilson, wrap
from triptych.lattice.draws import independent
from triptych.lattice.samplers import HMC
from triptych.lattice.samplers.kernel import Phase, draw
from triptych.lattice.train import TrainConfig, train

COUPLINGS = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0)


@pytest.fixture(scope="module")
def models():
    return train(TrainConfig(couplings=COUPLINGS, ramp=20, hold=100, chains=512))


@pytest.mark.slow
@pytest.mark.parametrize("beta", COUPLINGS)
def test_a_trained_sampler_is_exact(models, beta):
    shape, chains, trajectories = (8, 8), 2048, 1000
    data = sample(
        beta=beta,
        shape=shape,
        chains=chains,
        trajectories=trajectories,
        sampler=models[beta],
        start="equilibrium",
        key=jax.random.key(31),
    )
    truth, answer = torus(beta, shape), measure(data)
    assert abs(answer.plaquette.pull(truth.plaquette)) < 4 and answer.plaquette.error <= 1e-4
    assert abs(answer.charge_squared.pull(truth.charge_squared)) < 4
    assert answer.acceptance.value < 0.5 or abs(answer.exp_minus_dh.pull(1.0)) < 4
    assert answer.tau["Q_Z"].value < 20  # HMC: 6e2 at beta = 5, 2e4 at beta = 7
    charges = abs(data.charge.isel(trajectory=slice(199, None, 200)).to_numpy().ravel())
    common = [q for q, p in truth.sectors.items() if charges.size * p > 20]
    expected = charges.size * np.array([(2 - (q == 0)) * truth.sectors[q] for q in common])
    counted = np.array([(charges == q).sum() for q in common])
    expected, counted = (np.append(one, charges.size - one.sum()) for one in (expected, counted))
    assert stats.chisquare(counted, expected).pvalue > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("beta", COUPLINGS)
def test_a_trained_sampler_is_reversible(models, beta):
    @eqx.filter_jit
    def there_and_back(model, theory, keys):
        links = independent(keys, theory.beta, (8, 8))
        start = Phase(links, draw(keys, links)[0], theory.force(links))
        end, up = model.merged(start, theory)
        back, down = model.merged(end, theory)
        return start, end, back, up + down

    start, end, back, log_jacobian = there_and_back(models[beta], Wilson(beta), jax.random.split(jax.random.key(1), 64))
    assert np.abs(wrap(back.links - start.links)).max() < 1e-10
    assert np.abs(back.momenta - start.momenta).max() < 1e-10
    assert np.abs(log_jacobian).max() < 1e-10
    assert np.abs(wrap(end.links - start.links)).max() > 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("side", "beta", "steps", "tau", "error"),
    [
        (8, 2.0, 6, 6.0, 0.1),
        (8, 3.0, 6, 27.5, 1.0),
        (8, 4.0, 8, 117.0, 5.0),
        (8, 5.0, 8, 608.0, 30.0),
        (8, 6.0, 8, 3150.0, 158.0),
        (8, 7.0, 10, 18e3, 1440.0),
        (16, 2.0, 8, 6.3, 0.2),
        (16, 3.0, 8, 27.5, 1.6),
        (16, 4.0, 10, 127.0, 9.0),
        (16, 5.0, 10, 645.0, 30.0),
    ],
)
def test_autocorrelation_of_hmc(side, beta, steps, tau, error):
    """Trajectories of length 1; `tau` was measured by another program, a plain NumPy HMC."""
    data = sample(
        beta=beta,
        shape=(side, side),
        chains=2048 if beta > 5 else 512 if side == 8 else 256,
        trajectories=2500,
        sampler=HMC(steps=steps, step_size=1 / steps),
        start="equilibrium",
        key=jax.random.key(41),
    )
    found = measure(data).tau["Q_Z"]
    assert found.error < 0.15 * found.value
    assert abs(found.value - tau) < 4 * np.hypot(found.error, error)
