"""Runs many HMC chains and keeps what was seen of every trajectory.

In: a theory (beta, shape), a sampler (steps, step size), how long to run, and a key. Out: an xarray Dataset with the observables
[chain, trajectory], the state of the chains, and the price.

Draw 0 of chain i takes the key fold_in(fold_in(key, i), 0), and its trajectory n = 1, 2, ... takes fold_in(fold_in(key, i), n).
A chain therefore comes out the same, bit by bit, whatever the number of its neighbours, the chunks of the loop and the
interruptions.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from triptych.errors import ConfigError, DataError
from triptych.lattice import hmc
from triptych.lattice.action import Scalar, charge, mean_plaquette, real_charge
from triptych.lattice.theory import Shape, refuse_impossible
from triptych.runs import progress

Start = Literal["cold", "hot"]
CHUNK = 50  # trajectories compiled into one loop
SECONDS_BETWEEN_CHECKPOINTS = 2.0

OBSERVABLES = {
    "plaquette": "cos x_P, mean over the lattice",
    "charge": "Q_Z, integer topological charge (eq. 5)",
    "real_charge": "Q_R, sum of sin x_P / 2 pi (below eq. 15)",
    "acceptance": "acceptance probability (eq. 11)",
    "delta_h": "energy error of the trajectory",
}
STATE_DIMS = {"links": ("mu", "t", "x", "chain"), "action": ("chain",), "force": ("mu", "t", "x", "chain")}


def sample(
    *,
    beta: float,
    shape: Shape,
    chains: int,
    trajectories: int,
    key: jax.Array,
    thermalization: int = 0,
    steps: int = 10,
    step_size: float = 0.1,
    start: Start = "cold",
    resume: xr.Dataset | None = None,
    checkpoint: Callable[[xr.Dataset], None] | None = None,
) -> xr.Dataset:
    """Sample 2D U(1) with HMC.

    Parameters
    ----------
    beta, shape : coupling and lattice (T, L).
    chains, trajectories : independent chains, and how many trajectories of each are recorded (at least two of both).
    key : where all random numbers come from, as from `jax.random.key`.
    thermalization : trajectories run before the first that is recorded.
    steps, step_size : leapfrog steps of a trajectory, and their size in units of molecular-dynamics time.
    start : "cold" (all angles 0, Q_Z = 0) or "hot" (uniform angles).
    resume : what `checkpoint` was given, or a shorter run, of the same question: goes on from there.
    checkpoint : called every few seconds, and at an interrupt (Ctrl-C), with the Dataset so far.

    Returns
    -------
    Dataset
        `plaquette`, `charge` (Q_Z), `real_charge` (Q_R), `acceptance` and `delta_h` with dims (chain, trajectory); the final
        `links` (chain, mu, t, x) with their `action` and `force`; the settings and the price (`force_evaluations`, counted over
        all chains, and `seconds`, with compilation) as attributes.

    Raises
    ------
    ConfigError
        If the settings are impossible.
    DataError
        If `resume` belongs to another question.

    Notes
    -----
    Time grows as (trajectories + thermalization) x chains x steps x T L; memory as chains x (T L + trajectories).

    Examples
    --------
    >>> data = sample(beta=2.0, shape=(4, 4), chains=2, trajectories=3, key=jax.random.key(0))
    >>> data.charge.dims, data.links.dims
    (('chain', 'trajectory'), ('chain', 'mu', 't', 'x'))
    """
    refuse_bad_settings(
        beta=beta,
        shape=shape,
        chains=chains,
        trajectories=trajectories,
        thermalization=thermalization,
        steps=steps,
        step_size=step_size,
        start=start,
    )
    question = {
        "sampler": "hmc",
        "beta": float(beta),
        "chains": int(chains),
        "thermalization": int(thermalization),
        "steps": int(steps),
        "step_size": float(step_size),
        "start": start,
        "shape": [int(n) for n in shape],
        "key": np.asarray(jax.random.key_data(key)).ravel().tolist(),
    }
    began = saved = time.monotonic()
    total = thermalization + trajectories
    parts, done, spent = [], 0, 0.0
    if resume is not None:
        _refuse_other_question(resume, question, total)
        parts, done, spent = [resume], int(resume.attrs["trajectories_done"]), float(resume.attrs["seconds"])

    def so_far(parts: list[xr.Dataset], state: hmc.State, done: int) -> xr.Dataset:
        return _dataset(parts, state, question, done, spent + time.monotonic() - began)

    reached: tuple[list[xr.Dataset], hmc.State, int] | None = None  # replaced in one step: an interrupt finds no half of a chunk
    with progress.task(f"beta {beta:g}", total) as shown:
        try:
            keys, state = _begin(key, beta, chains=chains, shape=(int(shape[0]), int(shape[1])), start=start)
            if resume is not None:
                state = _state_of(resume)
            reached = (parts, state, done)
            shown.advance(min(done, total))
            while done < total:
                length = min(CHUNK, (thermalization if done < thermalization else total) - done)
                state, seen = _advance(state, keys, done + 1, beta, step_size, steps=steps, length=length)
                if done >= thermalization:
                    parts = [*parts, _record(seen, first=done - thermalization + 1)]
                done += length
                reached = (parts, state, done)
                shown.advance(length)
                if checkpoint is not None and done < total and time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                    checkpoint(so_far(*reached))
                    saved = time.monotonic()
        except KeyboardInterrupt:
            if checkpoint is not None and reached is not None:
                checkpoint(so_far(*reached))
            raise
    return so_far(*reached)


def refuse_bad_settings(
    *,
    beta: float,
    shape: Shape,
    chains: int,
    trajectories: int,
    thermalization: int,
    steps: int,
    step_size: float,
    start: str,
) -> None:
    """Refuse a run that cannot be; the parameters are those of `sample`.

    Raises
    ------
    ConfigError
        Naming the first setting that is impossible.
    """
    refuse_impossible(beta, shape)
    counts = {
        "chains": (chains, 2),
        "trajectories": (trajectories, 2),
        "thermalization": (thermalization, 0),
        "steps": (steps, 1),
    }
    for name, (count, least) in counts.items():
        if not (math.isfinite(count) and int(count) == count and count >= least):
            raise ConfigError(f"{name} is too small or no whole number", got=count, expected=f"a whole number >= {least}")
    if not (math.isfinite(step_size) and step_size > 0):
        raise ConfigError(
            "step_size is no step", got=step_size, expected="a finite number > 0", fix="1 / steps is a good first try"
        )
    if start not in ("cold", "hot"):
        raise ConfigError("no such start", got=start, expected="'cold' or 'hot'")


@partial(jax.jit, static_argnames=("chains", "shape", "start"))
def _begin(key: jax.Array, beta: Scalar, *, chains: int, shape: Shape, start: Start) -> tuple[jax.Array, hmc.State]:
    """The keys of the chains, and where they start: draw 0 of each."""

    def uniform(key: jax.Array) -> jax.Array:
        return jax.random.uniform(jax.random.fold_in(key, 0), (2, *shape), minval=-jnp.pi, maxval=jnp.pi)

    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, jnp.arange(chains))
    links = jnp.zeros((2, *shape, chains)) if start == "cold" else jax.vmap(uniform, out_axes=-1)(keys)
    return keys, hmc.init(links, beta=beta)


@partial(jax.jit, static_argnames=("steps", "length"))
def _advance(
    state: hmc.State, keys: jax.Array, first: int, beta: Scalar, step_size: Scalar, *, steps: int, length: int
) -> tuple[hmc.State, dict[str, jax.Array]]:
    """`length` trajectories from number `first` on; the observables come as [trajectory, chain]."""

    def trajectory(state: hmc.State, number: jax.Array) -> tuple[hmc.State, dict[str, jax.Array]]:
        trajectory_keys = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, number)
        state, info = hmc.step(trajectory_keys, state, beta=beta, step_size=step_size, steps=steps)
        return state, {
            "plaquette": mean_plaquette(state.links),
            "charge": charge(state.links),
            "real_charge": real_charge(state.links),
            "acceptance": info.acceptance,
            "delta_h": info.delta_h,
        }

    return jax.lax.scan(trajectory, state, first + jnp.arange(length))


def _record(seen: dict[str, jax.Array], *, first: int) -> xr.Dataset:
    """The observables of one chunk."""
    arrays = {name: (("trajectory", "chain"), np.asarray(values)) for name, values in seen.items()}
    length = len(seen["plaquette"])
    return xr.Dataset(arrays, coords={"trajectory": np.arange(first, first + length)}).transpose("chain", "trajectory")


def _dataset(parts: list[xr.Dataset], state: hmc.State, question: dict[str, Any], done: int, seconds: float) -> xr.Dataset:
    """The whole answer; also what a resumed run starts from."""
    chains = question["chains"]
    if parts:
        data = xr.concat([part[list(OBSERVABLES)] for part in parts], dim="trajectory")
    else:
        data = _record({name: jnp.empty((0, chains)) for name in OBSERVABLES}, first=1)
    state_arrays = {name: (dims, np.asarray(getattr(state, name))) for name, dims in STATE_DIMS.items()}
    data = data.assign_coords(chain=np.arange(chains)).assign(state_arrays).transpose("chain", "trajectory", "mu", "t", "x")
    for name, meaning in OBSERVABLES.items():
        data[name].attrs = {"long_name": meaning, "units": "1"}
    data["links"].attrs = {"long_name": "final link angles", "units": "radian"}
    evaluations = chains * (1 + done * question["steps"])
    return data.assign_attrs(question, trajectories_done=done, force_evaluations=evaluations, seconds=seconds)


def _state_of(data: xr.Dataset) -> hmc.State:
    """The state that `_dataset` wrote."""
    return hmc.State(**{name: jnp.asarray(data[name].transpose(*dims).to_numpy()) for name, dims in STATE_DIMS.items()})


def _refuse_other_question(data: xr.Dataset, question: dict[str, Any], total: int) -> None:
    for name, value in question.items():
        found = data.attrs.get(name)
        if found is None or not np.array_equal(found, value):
            raise DataError(f"the run to resume had another {name}", got=found, expected=value, fix="start a new run")
    if data.attrs["trajectories_done"] > total:
        raise DataError(
            "the run to resume is longer than the one asked for", got=data.attrs["trajectories_done"], expected=f"<= {total}"
        )
