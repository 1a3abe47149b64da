"""What the trained panels share: a training loop that resumes, schedules, models in files, several devices.

The room knows of parameters, steps and keys, and of nothing that is trained. It leaves JAX as it finds it: whether numbers have
32 or 64 bits is the panel's decision.

Examples
--------
Noisy gradient descent to the minimum of (x - 3)^2:

>>> import jax, jax.numpy as jnp
>>> from triptych import learning
>>> def update(x, step, key):
...     slope = 2 * (x - 3) + 0.01 * jax.random.normal(key)
...     return x - 0.1 * slope, {"loss": (x - 3) ** 2}
>>> x, *_ = learning.train(update, jnp.zeros(()), steps=100, key=jax.random.key(0))
>>> print(f"{x:.1f}")
3.0
"""

from triptych.learning import devices, loop, models, schedules
from triptych.learning.devices import replicate, spread
from triptych.learning.loop import Best, Trained, better, train

__all__ = ["Best", "Trained", "better", "devices", "loop", "models", "replicate", "schedules", "spread", "train"]
