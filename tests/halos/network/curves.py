"""Curves of two known numbers, in noise, for tests of the training; run as a script it trains slowly.

y(x) = a sin(x) + b cos(2 x) + noise
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np

from triptych import interrupts
from triptych.halos.network import EncoderConfig, LossConfig, NetworkConfig, OptimiserConfig, train, vectors
from triptych.runs import Run

TRAINING, VALIDATION, TEST, BATCH, EPOCHS = 128, 24, 8, 16, 10
STEPS = TRAINING // BATCH


def settings(sees="sphere", *, epochs=EPOCHS, patience=0, filters=2, half=False, form="counts", batch=BATCH, **changes):
    """A tiny network; all tests that take the same one share its compiled steps."""
    return NetworkConfig(
        **{
            "latents": 3,
            "members": 2,
            "decoder": 16,
            "encoder": EncoderConfig(sees=sees, width=8, filters=filters, half=half, form=form),
            "loss": LossConfig(tilt=0.0),
            "optimiser": OptimiserConfig(epochs=epochs, batch=batch, learning_rate=3e-2, patience=patience),
            **changes,
        }
    )


def curves(number=TRAINING + VALIDATION + TEST, seed=3):
    """Queries, curves without noise, and curves with it."""
    rng = np.random.default_rng(seed)
    x = np.tile(np.linspace(0.5, 3.0, 7), (number, 1))
    a, b = rng.normal(size=(2, number, 1))
    smooth = 2.0 + a * np.sin(x) + b * np.cos(2 * x)
    return x, smooth, smooth + 0.1 * rng.normal(size=x.shape)


def examples(**changes):
    x, _, noisy = curves()
    return replace(vectors(noisy, query=x, target=noisy, validation=VALIDATION, test=TEST), **changes)


def bits(networks):
    """All numbers of some networks, as bytes."""
    return [np.asarray(leaf).tobytes() for network in networks for leaf in jax.tree.leaves(network.ive)]


def slow(made):
    """The same examples from a slow disk."""

    def read(rows):
        time.sleep(0.05)
        return made.read(rows)

    return replace(made, read=read)


if __name__ == "__main__":
    interrupts.install()
    try:
        train(slow(examples()), settings(), run=Run(path=Path(sys.argv[1]), id="test"))
    except KeyboardInterrupt:
        sys.exit(130)
