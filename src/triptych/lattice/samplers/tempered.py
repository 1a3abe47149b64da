"""Tempered trajectories: hot in the middle, so that the charge can change, and exact all the same.

In: link angles of all chains, momenta, a step size and a heat. Out: the end of the trajectory.

The momenta are multiplied by e^(heat / 2) before and after each leapfrog step of the first half of the trajectory, and by
e^(-heat / 2) in the second half. The factors' product is 1, so that the map keeps phase-space volume; they read the same in both
directions, so that the map followed by a flip of the momenta is its own inverse. The Metropolis test is therefore that of HMC.
It is the one-parameter form of what the trained samplers do in the middle of their trajectories (Figs. 6 and 7), at the price of
plain HMC: the bar that a network has to pass. R. Neal, "MCMC using Hamiltonian dynamics" (2011), sec. 5.5.7.
"""

from __future__ import annotations

import math
from numbers import Real

import equinox as eqx
import jax
import jax.numpy as jnp

from triptych.errors import ConfigError
from triptych.lattice.action import Scalar
from triptych.lattice.samplers.hmc import Trajectories, drift, kick, refuse_no_trajectory
from triptych.lattice.samplers.kernel import Phase
from triptych.lattice.theory import Action


class Tempered(Trajectories):
    """Fresh momenta, a tempered trajectory, Metropolis. Costs one force evaluation a step.

    Long trajectories that heat slowly pay from beta = 5 on, although only one in five is accepted. On 8 x 8, 32 steps of 0.1 have
    tau(Q_Z) = 13.3(6) at beta = 5 (heat 0.06) and 13.7(6) at 7 (heat 0.08), where HMC of length 1 has 6e2 and 2e4. The plaquette
    takes longer than the charge: tau = 32(2) at both.

    Attributes
    ----------
    step_size : length of a leapfrog step in units of molecular-dynamics time, > 0; a traced number.
    heat : logarithm of the factor on the momenta a step, finite; a traced number. 0 is plain HMC.
    steps : leapfrog steps in a trajectory, even.

    Raises
    ------
    ConfigError
        If there is no step, it has no length, their number is odd, or the heat is not finite.

    Examples
    --------
    >>> from triptych.lattice.action import Wilson
    >>> from triptych.lattice.samplers.kernel import init
    >>> state = init(jnp.zeros((2, 4, 4, 3)), Wilson(5.0))
    >>> sampler = Tempered(steps=32, step_size=0.1, heat=0.06)
    >>> state, info = sampler.step(jax.random.split(jax.random.key(0), 3), state, Wilson(5.0))
    >>> bool(abs(info.delta_h).max() < 10)
    True
    """

    step_size: Scalar = 0.1
    heat: Scalar = 0.06
    steps: int = eqx.field(static=True, default=32)

    def __check_init__(self) -> None:
        refuse_no_trajectory(self.steps, self.step_size)
        if self.steps % 2:
            raise ConfigError("steps is odd", got=self.steps, expected="as many steps that heat as steps that cool")
        if isinstance(self.heat, Real) and not math.isfinite(self.heat):
            raise ConfigError("heat is no factor's logarithm", got=self.heat, expected="a finite number", fix="0.06 is usual")

    @property
    def force_evaluations(self) -> int:
        """One a step."""
        return self.steps

    def settings(self) -> dict[str, str | int | float]:
        """What an ensemble's attributes hold."""
        return {
            "sampler": "tempered",
            "steps": int(self.steps),
            "step_size": float(self.step_size),
            "heat": float(self.heat),
        }

    def end(self, start: Phase, theory: Action) -> Phase:
        """Where the trajectory leads."""
        return tempered(start, theory, step_size=self.step_size, heat=self.heat, steps=self.steps)


def tempered(start: Phase, theory: Action, *, step_size: Scalar, heat: Scalar, steps: int) -> Phase:
    """`steps` leapfrog steps between factors on the momenta, which warm in the first half and cool in the second."""
    time = jnp.asarray(step_size, start.links.dtype)
    warm = jnp.exp(jnp.asarray(0.5 * heat, start.links.dtype))

    def step(number: jax.Array, now: Phase) -> Phase:
        factor = jnp.where(number < steps // 2, warm, 1 / warm)
        kicked = kick(scale(now, factor), 0.5 * time)
        return scale(kick(drift(kicked, theory, time), 0.5 * time), factor)

    end: Phase = jax.lax.fori_loop(0, steps, step, start)
    return end


def scale(now: Phase, factor: jax.Array) -> Phase:
    """The momenta times a factor."""
    return now._replace(momenta=factor * now.momenta)
