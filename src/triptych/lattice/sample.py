"""Runs many chains of any sampler and keeps what was seen of every trajectory.

In: a theory (beta, shape), a sampler, how long to run, and a key. Out: an xarray Dataset with the observables
[chain, trajectory], the state of the chains, the links of some trajectories where they are asked for, and the price.

Draw 0 of chain i takes the key fold_in(fold_in(key, i), 0), and its trajectory n = 1, 2, ... takes fold_in(fold_in(key, i), n).
A chain therefore comes out the same, bit by bit, whatever the number of its neighbours, the chunks of the loop, the interruptions
and, for samplers without networks, the number of devices, over which the chains are spread.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from triptych.errors import ConfigError, DataError
from triptych.lattice.action import Scalar, Wilson
from triptych.lattice.draws import independent
from triptych.lattice.samplers import HMC, Sampler, State, init
from triptych.lattice.theory import Action, Shape, refuse_impossible
from triptych.learning.devices import spread
from triptych.runs import progress

Start = Literal["cold", "hot", "equilibrium"]
Precision = Literal["float64", "float32"]
PLAIN = HMC(steps=10, step_size=0.1)
CHUNK = 50  # trajectories compiled into one loop
SECONDS_BETWEEN_CHECKPOINTS = 2.0
MOST_TIME_FOR_CHECKPOINTS = 0.05  # of a run: large ensembles are saved less often

OBSERVABLES = {
    "plaquette": "cos x_P, mean over the lattice",
    "charge": "Q_Z, integer topological charge (eq. 5)",
    "real_charge": "Q_R, sum of sin x_P / 2 pi (below eq. 15)",
    "acceptance": "acceptance probability (eq. 11)",
    "delta_h": "energy error of the trajectory, less the logarithm of its Jacobian determinant (eq. 16)",
}
PER_TRAJECTORY = ("force_evaluations", "network_evaluations")
CONFIGURATIONS = ("draw", "mu", "t", "x", "chain")
STATE_DIMS = {"links": ("mu", "t", "x", "chain"), "action": ("chain",), "force": ("mu", "t", "x", "chain")}


def sample(
    *,
    beta: float,
    shape: Shape,
    chains: int,
    trajectories: int,
    key: jax.Array,
    sampler: Sampler = PLAIN,
    thermalization: int = 0,
    start: Start = "cold",
    precision: Precision = "float64",
    keep_links: int = 0,
    resume: xr.Dataset | None = None,
    checkpoint: Callable[[xr.Dataset], None] | None = None,
) -> xr.Dataset:
    """Sample 2D U(1) with the Wilson action.

    Parameters
    ----------
    beta, shape : coupling and lattice (T, L).
    chains, trajectories : independent chains, and how many trajectories of each are recorded (at least two of both).
    key : where all random numbers come from, as from `jax.random.key`.
    sampler : from :mod:`triptych.lattice.samplers`; by default HMC with 10 steps of 0.1.
    thermalization : trajectories run before the first that is recorded.
    start : "cold" (all angles 0, Q_Z = 0), "hot" (uniform angles) or "equilibrium" (independent exact draws, which need no
        thermalization).
    precision : of links, momenta and forces; energies are summed in float64 in either case.
    keep_links : k > 0 keeps the links of every k-th recorded trajectory; 0 keeps those of the last alone.
    resume : what `checkpoint` was given, or a shorter run, of the same question: goes on from there.
    checkpoint : called every few seconds, and at an interrupt (Ctrl-C), with the Dataset so far.

    Returns
    -------
    Dataset
        `plaquette`, `charge` (Q_Z), `real_charge` (Q_R), `acceptance` and `delta_h` with dims (chain, trajectory); the final
        `links` (chain, mu, t, x) with their `action` and `force`; with `keep_links` also `configurations` (chain, draw, mu, t, x)
        in radians, where `draw` is the number of the trajectory. The attributes hold the settings and the price, counted over
        all chains: `force_evaluations`, `network_evaluations`, `seconds` with everything, and `sampling_seconds` of the
        trajectories alone, without compilation and checkpoints.

    Raises
    ------
    ConfigError
        If the settings are impossible.
    DataError
        If `resume` belongs to another question.

    Notes
    -----
    Time grows as (trajectories + thermalization) x chains x steps x T L; memory as chains x (T L + trajectories). The kept links
    take chains x trajectories / keep_links x 2 T L numbers of 8 bytes (float32: 4), and are saved with every checkpoint.

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
        start=start,
        precision=precision,
        keep_links=keep_links,
    )
    question = {
        **sampler.settings(),
        "steps": sampler.steps,
        **{f"{count}_per_trajectory": getattr(sampler, count) for count in PER_TRAJECTORY},
        "beta": float(beta),
        "chains": int(chains),
        "thermalization": int(thermalization),
        "start": start,
        "precision": precision,
        "keep_links": int(keep_links),
        "shape": [int(n) for n in shape],
        "key": np.asarray(jax.random.key_data(key)).ravel().tolist(),
    }
    began = saved = time.monotonic()
    pause = SECONDS_BETWEEN_CHECKPOINTS
    total = thermalization + trajectories
    parts, done, spent, sampling = [], 0, 0.0, 0.0
    if resume is not None:
        _refuse_other_question(resume, question, total)
        parts, done = [resume], int(resume.attrs["trajectories_done"])
        spent, sampling = float(resume.attrs["seconds"]), float(resume.attrs["sampling_seconds"])

    def so_far(parts: list[xr.Dataset], state: State, done: int, sampling: float) -> xr.Dataset:
        price = {
            "force_evaluations": chains * (1 + done * sampler.force_evaluations),
            "network_evaluations": chains * done * sampler.network_evaluations,
            "sampling_seconds": sampling,
            "seconds": spent + time.monotonic() - began,
        }
        return _dataset(parts, state, question, done, price)

    theory = Wilson(beta)
    reached: tuple[list[xr.Dataset], State, int, float] | None = (
        None  # replaced in one step: an interrupt finds no half of a chunk
    )
    with progress.task(f"beta {beta:g}", total) as shown:
        try:
            keys, state = _begin(key, beta, chains=chains, shape=(int(shape[0]), int(shape[1])), start=start, precision=precision)
            if resume is not None:
                state = _state_of(resume)
            keys, state = spread((keys, state))
            reached = (parts, state, done, sampling)
            shown.advance(min(done, total))
            while done < total:
                thermal = done >= thermalization
                length = min(CHUNK, (total if thermal else thermalization) - done)
                every = int(keep_links) if thermal else 0
                since_kept = (done - thermalization) % every if every else 0
                arguments = (state, keys, done + 1, since_kept, theory, sampler)
                _advance.lower(*arguments, length=length, every=every).compile()  # the call below finds it compiled
                chunk_began = time.monotonic()
                state, seen, kept = _advance(*arguments, length=length, every=every)
                np.asarray(seen["delta_h"])  # waits for the chunk
                sampling += time.monotonic() - chunk_began
                if thermal:
                    first = done - thermalization + 1
                    draws = np.arange(first + every - 1 - since_kept, first + length, every) if every else np.arange(0)
                    parts = [*parts, _record(seen, np.asarray(kept)[: draws.size], first=first, draws=draws)]
                done += length
                reached = (parts, state, done, sampling)
                shown.advance(length)
                if checkpoint is not None and done < total and time.monotonic() - saved > pause:
                    saving = time.monotonic()
                    checkpoint(so_far(*reached))
                    saved = time.monotonic()
                    pause = max(SECONDS_BETWEEN_CHECKPOINTS, (saved - saving) / MOST_TIME_FOR_CHECKPOINTS)
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
    start: str,
    precision: str,
    keep_links: int,
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
        "keep_links": (keep_links, 0),
    }
    for name, (count, least) in counts.items():
        if not (math.isfinite(count) and int(count) == count and count >= least):
            raise ConfigError(f"{name} is too small or no whole number", got=count, expected=f"a whole number >= {least}")
    for name, word, known in (("start", start, get_args(Start)), ("precision", precision, get_args(Precision))):
        if word not in known:
            raise ConfigError(f"no such {name}", got=word, expected=" or ".join(map(repr, known)))


@partial(jax.jit, static_argnames=("chains", "shape", "start", "precision"))
def _begin(
    key: jax.Array, beta: Scalar, *, chains: int, shape: Shape, start: Start, precision: Precision
) -> tuple[jax.Array, State]:
    """The keys of the chains, and where they start: draw 0 of each."""

    def uniform(key: jax.Array) -> jax.Array:
        return jax.random.uniform(key, (2, *shape), minval=-jnp.pi, maxval=jnp.pi)

    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, jnp.arange(chains))
    first = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, 0)
    if start == "cold":
        links = jnp.zeros((2, *shape, chains))
    elif start == "hot":
        links = jax.vmap(uniform, out_axes=-1)(first)
    else:
        links = independent(first, beta, shape)
    return keys, init(links.astype(precision), Wilson(beta))


@partial(jax.jit, static_argnames=("length", "every"))
def _advance(
    state: State,
    keys: jax.Array,
    first: int,
    since_kept: int,
    theory: Action,
    sampler: Sampler,
    *,
    length: int,
    every: int,
) -> tuple[State, dict[str, jax.Array], jax.Array]:
    """`length` trajectories from number `first` on; the observables come as [trajectory, chain].

    The links of each `every`-th trajectory are kept, counted from `since_kept` trajectories before `first`; `every` = 0 keeps
    none. They come as [draw, mu, t, x, chain]; where the last draws are not complete there are more places than draws.
    """
    places = (length - 1) // every + 2 if every else 0

    def trajectory(carry: tuple[State, jax.Array], index: jax.Array) -> tuple[tuple[State, jax.Array], dict[str, jax.Array]]:
        state, kept = carry
        state, info = sampler.step(jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, first + index), state, theory)
        if every:  # each place is written `every` times: the last of them stays
            kept = jax.lax.dynamic_update_index_in_dim(kept, state.links, (since_kept + index) // every, axis=0)
        seen = {"acceptance": info.acceptance, "delta_h": info.delta_h}
        return (state, kept), {**theory.observables(state.links), **seen}

    nothing = jnp.zeros((places, *state.links.shape), state.links.dtype)
    (state, kept), seen = jax.lax.scan(trajectory, (state, nothing), jnp.arange(length))
    return state, seen, kept


def _record(seen: Mapping[str, jax.Array], kept: NDArray[np.floating], *, first: int, draws: NDArray[np.int64]) -> xr.Dataset:
    """The observables of one chunk, and the links kept."""
    arrays = {name: (("trajectory", "chain"), np.asarray(values)) for name, values in seen.items()}
    length = len(seen["plaquette"])
    return xr.Dataset(
        {**arrays, "configurations": (CONFIGURATIONS, kept)},
        coords={"trajectory": np.arange(first, first + length), "draw": draws},
    )


def _dataset(
    parts: list[xr.Dataset], state: State, question: dict[str, Any], done: int, price: dict[str, int | float]
) -> xr.Dataset:
    """The whole answer; also what a resumed run starts from."""
    chains = question["chains"]
    if not parts:
        empty = {name: jnp.empty((0, chains)) for name in OBSERVABLES}
        parts = [_record(empty, np.empty((0, *state.links.shape), state.links.dtype), first=1, draws=np.arange(0))]
    data = xr.concat([part[list(OBSERVABLES)] for part in parts], dim="trajectory")
    if question["keep_links"]:
        data["configurations"] = xr.concat([part["configurations"] for part in parts], dim="draw")
        data["configurations"].attrs = {"long_name": "link angles after the trajectories `draw`", "units": "radian"}
    state_arrays = {name: (dims, np.asarray(getattr(state, name))) for name, dims in STATE_DIMS.items()}
    data = data.assign_coords(chain=np.arange(chains)).assign(state_arrays)
    for name, meaning in OBSERVABLES.items():
        data[name].attrs = {"long_name": meaning, "units": "1"}
    data["links"].attrs = {"long_name": "final link angles", "units": "radian"}
    data = data.transpose("chain", "trajectory", "draw", "mu", "t", "x", missing_dims="ignore")
    return data.assign_attrs(question, trajectories_done=done, **price)


def _state_of(data: xr.Dataset) -> State:
    """The state that `_dataset` wrote."""
    return State(**{name: jnp.asarray(data[name].transpose(*dims).to_numpy()) for name, dims in STATE_DIMS.items()})


def _refuse_other_question(data: xr.Dataset, question: dict[str, Any], total: int) -> None:
    for name, value in question.items():
        found = data.attrs.get(name)
        if found is None or not np.array_equal(found, value):
            raise DataError(f"the run to resume had another {name}", got=found, expected=value, fix="start a new run")
    if data.attrs["trajectories_done"] > total:
        raise DataError(
            "the run to resume is longer than the one asked for", got=data.attrs["trajectories_done"], expected=f"<= {total}"
        )
