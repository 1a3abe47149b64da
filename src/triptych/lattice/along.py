"""What happens along a trajectory of LeapfrogLayers: the quantities of the paper's Figs. 6 and 7.

In: a model, its lattice and a coupling. Out: a Dataset of energies, charges and plaquettes behind every layer, from starts in
equilibrium.
"""

from __future__ import annotations

import equinox as eqx
import jax
import numpy as np
import xarray as xr
from scipy.optimize import brentq

from triptych.errors import ConfigError
from triptych.lattice.action import Wilson
from triptych.lattice.draws import independent
from triptych.lattice.exact import LARGEST_BETA, torus, wilson_loop
from triptych.lattice.samplers.kernel import Phase, draw, init, kinetic
from triptych.lattice.samplers.leapfroglayers import LeapfrogLayers
from triptych.lattice.theory import Shape, refuse_impossible

MEANINGS = {
    "energy": "H - sum log |J|, less its value at the start",
    "plaquette": "cos x_P, mean over the lattice",
    "charge": "Q_Z, integer topological charge (eq. 5)",
    "real_charge": "Q_R, sum of sin x_P / 2 pi (below eq. 15)",
}


def along(model: LeapfrogLayers, *, beta: float, shape: Shape, chains: int, key: jax.Array) -> xr.Dataset:
    """One trajectory of every chain, seen behind every layer.

    Parameters
    ----------
    model : forward layers only where its mode is "single".
    beta, shape : coupling and lattice (T, L).
    chains : independent trajectories, each from an exact draw.

    Returns
    -------
    Dataset
        `energy`, `plaquette`, `charge` and `real_charge` (chain, step), step = 0 ... N; the exact mean plaquette as the attribute
        `plaquette_exact`, so that <x_P - x_P*> of the paper is the mean of `plaquette` less this.

    Raises
    ------
    ConfigError
        If beta or the shape cannot be.

    Examples
    --------
    >>> model = LeapfrogLayers.new(shape=(4, 4), layers=3, step_size=0.2, heat=0.1, key=jax.random.key(0))
    >>> seen = along(model, beta=2.0, shape=(4, 4), chains=64, key=jax.random.key(1))
    >>> dict(seen.sizes), bool(seen.plaquette[:, 3].mean() < seen.plaquette[:, 0].mean())
    ({'chain': 64, 'step': 7}, True)
    """
    refuse_impossible(beta, shape)
    seen = _watched(model, Wilson(beta), jax.random.split(key, chains), shape=shape)
    data = xr.Dataset({name: (("step", "chain"), np.asarray(values)) for name, values in seen.items()}).transpose("chain", "step")
    data["energy"] = data.energy - data.energy.isel(step=0)
    for name, meaning in MEANINGS.items():
        data[name].attrs = {"long_name": meaning, "units": "1"}
    attributes = {"beta": beta, "shape": list(shape), "plaquette_exact": torus(beta, shape).plaquette, "mode": model.mode}
    return data.assign_coords(step=np.arange(data.sizes["step"]), chain=np.arange(chains)).assign_attrs(attributes)


def effective_beta(plaquette: float, shape: Shape) -> float:
    """The coupling at which the exact mean plaquette on the torus is `plaquette`.

    Raises
    ------
    ConfigError
        If there is none: `plaquette` lies outside [0, 1).

    Examples
    --------
    >>> round(effective_beta(torus(3.0, (8, 8)).plaquette, (8, 8)), 9)
    3.0
    """

    def difference(beta: float) -> float:
        return wilson_loop(beta, shape, 1) - plaquette

    if not (plaquette >= 0 and difference(LARGEST_BETA) > 0):
        raise ConfigError("no coupling has this mean plaquette", got=plaquette, expected="0 <= plaquette < 1")
    return float(brentq(difference, 0.0, LARGEST_BETA, xtol=1e-12))


@eqx.filter_jit
def _watched(model: LeapfrogLayers, theory: Wilson, keys: jax.Array, *, shape: Shape) -> dict[str, jax.Array]:
    """The observables [step, chain]."""
    start_keys, move_keys = jax.vmap(jax.random.split, out_axes=1)(keys)
    state = init(independent(start_keys, theory.beta, shape), theory)
    momenta, _ = draw(move_keys, state.links)

    def watch(now: Phase, log_jacobian: jax.Array) -> dict[str, jax.Array]:
        energy = theory.energy(now.links) + kinetic(now.momenta) - log_jacobian
        return {"energy": energy, **theory.observables(now.links)}

    seen: dict[str, jax.Array] = model.path(Phase(state.links, momenta, state.force), theory, watch)
    return seen
