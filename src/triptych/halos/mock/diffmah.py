"""The one place that knows diffmah, whose population model is no public interface (so that its version is pinned).

In: masses today and a seed. Out: smooth mass accretion histories.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_LEAST_ROOM = 1024  # halos


def smooth_histories(masses: ArrayLike, ages: ArrayLike, *, seed: int) -> NDArray[np.float64]:
    """M(t) / M(t0) of central halos drawn from diffmah's bimodal population (Hearin et al. 2021, arXiv:2105.05859).

    Histories are peak masses: they never fall, and may have stopped to grow before today.

    Parameters
    ----------
    masses : (halo,), today, in Msun (not per h; diffmah's unit).
    ages : (time,), age of the universe in Gyr, increasing; the last is today.
    seed : of JAX's random key.

    Returns
    -------
    (halo, time), 1 at the last time.

    Notes
    -----
    1 MB and some 10 microseconds per 100 halos and 100 times, after 2 s of compilation; float32 inside.

    Examples
    --------
    >>> import numpy as np
    >>> share = smooth_histories(np.full(500, 1e12), np.linspace(1.0, 13.8, 50), seed=1)
    >>> bool((np.diff(share) >= 0).all()), bool(0.3 < np.median(share[:, 17]) < 0.7)  # half the mass at 5.4 Gyr or so
    (True, True)
    """
    import jax
    import jax.numpy as jnp
    from diffmah import mah_halopop
    from diffmah.diffmahpop_kernels.bimod_censat_params import DEFAULT_DIFFMAHPOP_PARAMS
    from diffmah.diffmahpop_kernels.mc_bimod_cens import mc_diffmah_cenpop

    times = np.asarray(ages, dtype=np.float64)
    log_today = np.log10(times[-1])
    halos = len(np.asarray(masses))
    room = max(_LEAST_ROOM, 1 << (halos - 1).bit_length())  # few sizes, so that JAX compiles but once or twice
    log_mass = jnp.asarray(np.pad(np.log10(masses), (0, room - halos), mode="edge"), dtype=jnp.float32)
    today = np.full(room, times[-1], dtype=np.float32)
    population = mc_diffmah_cenpop(DEFAULT_DIFFMAHPOP_PARAMS, log_mass, jnp.asarray(today), jax.random.key(seed), log_today)
    _, history = mah_halopop(population.mah_params, jnp.asarray(times, dtype=jnp.float32), log_today)
    log_share = np.asarray(history[:halos], dtype=np.float64)
    return np.asarray(10.0 ** (log_share - log_share[:, -1:]))
