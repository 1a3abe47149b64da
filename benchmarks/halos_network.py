"""What the networks reach on a mock universe that no choice was made on, and what each choice is worth.

    python benchmarks/halos_network.py [acceptance|changes|centring] [--mock 2024] [--sees sphere,boxes] [--folder DIRECTORY]

Without a word, all three. The first trains five seeds for each kind of profiles, and the autoencoder of the profile beside them,
and judges all on test halos. The second changes one thing at a time, and judges on validation halos of another mock universe.
The third moves the boxes of test halos off their centres by one and two softening lengths, and shows them to a network trained
on centred ones.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import numpy as np
from numpy.typing import NDArray

from triptych.halos import EncoderConfig, LossConfig, NetworkConfig, OptimiserConfig, open_dataset, train
from triptych.halos.dataset import DataSet
from triptych.halos.dataset.build import box_of
from triptych.halos.dataset.columns import Kind
from triptych.halos.mock import build
from triptych.halos.mock.build import SOFTENING, build_mock
from triptych.halos.mock_commands import MockConfig
from triptych.halos.network import kl_of, model
from triptych.halos.network.baselines import baselines, table_of_accuracy
from triptych.halos.network.judge import accuracy, judge, own_latents, stability
from triptych.halos.network.settings import Sees
from triptych.halos.voxels.sphere import sphere_counts

KINDS: tuple[Kind, ...] = ("infall", "virial")
CHOSEN_ON = 11  # the mock universe that choices were made on


def data_set(folder: Path, kind: Kind, seed: int, **sizes: Any) -> DataSet:
    """A mock data set with the default recipe; one that is there is opened."""
    path = folder / f"{kind}-{seed}.zarr"
    config = MockConfig(kind=kind, seed=seed, **sizes)
    return open_dataset(path) if path.exists() else build_mock(path, config.realisations(), config.recipe())


def acceptance(folder: Path, seed: int, sees: list[Sees]) -> None:
    """Five seeds of each encoder on both kinds of profiles."""
    for kind in KINDS:
        data = data_set(folder, kind, seed)
        rows = data.rows("test")
        for one in sees:
            config = NetworkConfig(seed=seed, encoder=EncoderConfig(sees=one))
            ensemble = train(data, config)
            table = judge(ensemble.networks, data, rows, rng=np.random.default_rng(1))
            active = table["active"].to_numpy()
            others = baselines(data, config, rows, components=int(np.median(active)), rng=np.random.default_rng(2))
            print(f"\n## {kind}, {one}: {ensemble.seconds:.0f} s for {config.members} seeds")
            print("active", active, "KL", np.sort(table["kl"].to_numpy(), axis=1)[:, ::-1][:, :4].round(2).tolist())
            print("largest MI of two", table["pair_mi"].max(("latent", "other")).to_numpy().round(3))
            print("MI with log M", table["mi"].sel(quantity="log_mass").max("latent").to_numpy().round(2))
            print("largest |mean residual|", abs(table["bias"]).max("bin").to_numpy().round(4))
            print("strongest latents", own_latents(table))
            examples = ensemble.selected.examples(data)  # the boxes are read once for all seeds
            print("alike", round(stability([network.encode(examples, rows) for network in ensemble.networks]), 3))
            for record in table_of_accuracy(table, others, data, rows):
                print({key: round(value, 4) if isinstance(value, float) else value for key, value in record.items()})


def changes(folder: Path) -> None:
    """One thing at a time; three seeds, infall, spherical cells, validation halos."""
    data = data_set(folder, "infall", CHOSEN_ON)
    default = NetworkConfig(members=3, encoder=EncoderConfig(sees="sphere"))
    print("| change | rms | rms to truth | worst mean residual | active | largest MI of two | MI with log M | alike | s |")
    for name, config in _changes(default):
        stretch = 1.0 if name == "log r between -1 and 1" else model.STRETCH
        with mock.patch.object(model, "STRETCH", stretch):
            jax.clear_caches()  # type: ignore[no-untyped-call]
            ensemble = train(data, config)
            table = judge(ensemble.networks, data, data.rows("validation"), rng=np.random.default_rng(1))
            alike = stability([network.encode(data, data.rows("validation")) for network in ensemble.networks])
        pair = table["pair_mi"].max(("latent", "other")).max().item()
        mass = table["mi"].sel(quantity="log_mass").max("latent").median().item()
        bias = abs(table["bias"]).max("bin").median().item()
        active = ", ".join(map(str, table["active"].to_numpy()))
        print(
            f"| {name} | {table['rms'].median().item():.4f} | {table['rms_true'].median().item():.4f} | {bias:.3f} | {active} "
            f"| {pair:.2f} | {mass:.2f} | {alike:.2f} | {ensemble.seconds:.0f} |",
            flush=True,
        )


def _changes(default: NetworkConfig) -> Iterator[tuple[str, NetworkConfig]]:
    yield "none", default
    yield "log_density", replace(default, encoder=EncoderConfig(sees="sphere", form="log_density"))
    yield "tilt 0", replace(default, loss=LossConfig(tilt=0.0))
    yield "tilt 0.7", replace(default, loss=LossConfig(tilt=0.7))
    yield "decoder 48", replace(default, decoder=48)
    yield "log r between -1 and 1", default
    yield "learning rate 1e-3", replace(default, optimiser=OptimiserConfig(learning_rate=1e-3))
    yield "16 epochs", replace(default, optimiser=OptimiserConfig(epochs=16))
    yield "constant beta", replace(default, loss=LossConfig(annealing="constant"))
    yield "published annealing, beta 0.1, mean KL", replace(default, loss=LossConfig(annealing="published", kl="mean", beta=0.1))
    yield "beta 0.005", replace(default, loss=LossConfig(beta=0.005))
    yield "beta 0.08", replace(default, loss=LossConfig(beta=0.08))
    yield "total correlation", replace(default, loss=LossConfig(penalty="total_correlation"))
    yield "covariance", replace(default, loss=LossConfig(penalty="covariance"))


def centring(folder: Path, sees: list[Sees]) -> None:
    """Test halos whose boxes are off their centres, seen by a network that was trained on centred ones."""
    for kind in KINDS:
        for one in sees:
            network = train(data_set(folder, kind, CHOSEN_ON), NetworkConfig(members=1, encoder=EncoderConfig(sees=one))).selected
            centred = None
            for lengths in (0, 1, 2):
                with _off_centre(lengths * SOFTENING):
                    data = data_set(folder / f"off-{lengths}", kind, 777, training=0, validation=0, test=1000)
                rows = data.rows("test")
                posterior = network.encode(data, rows)
                centred = posterior if centred is None else centred
                seen = accuracy(
                    network.predict(posterior, data.table["r"].to_numpy()[rows], rng=np.random.default_rng(0)), data, rows
                )
                moved = ((posterior.mean - centred.mean) / centred.sigma)[:, kl_of(centred) > 0.1]
                print(
                    f"{kind}, {one}, {lengths} softenings: rms {seen.rms:.4f}, to truth {seen.rms_true:.4f}, largest mean "
                    f"residual {np.abs(seen.bias).max():.3f}, innermost {seen.bias[0]:+.3f}; latents move by "
                    f"{moved.mean(axis=0).round(2)} +- {moved.std(axis=0).round(2)} of their widths",
                    flush=True,
                )


def _off_centre(by: float) -> AbstractContextManager[object]:
    """Boxes and spherical cells about points that lie `by` (kpc/h) off the centre, in a direction of the halo's own."""

    def moved(centre: NDArray[np.float64]) -> NDArray[np.float64]:
        direction = np.random.default_rng(int(np.abs(centre).sum() * 1e4)).normal(size=3)
        return centre + by * direction / np.linalg.norm(direction)

    box, sphere = box_of, sphere_counts
    return mock.patch.multiple(
        build,
        box_of=lambda held, spec, density, centre: box(held, spec, density, moved(centre)),
        sphere_counts=lambda particles, centre, edges: sphere(particles, moved(centre), edges),
    )


def main() -> None:
    """Run one of the three, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("acceptance", "changes", "centring"))
    parser.add_argument("--mock", type=int, default=2024, help="seed of the fresh mock universe")
    parser.add_argument("--sees", default="sphere,boxes", help="encoders")
    parser.add_argument("--folder", type=Path, default=None, help="where mock data sets are kept")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp())
    began = time.monotonic()
    if arguments.what in (None, "acceptance"):
        acceptance(folder, arguments.mock, arguments.sees.split(","))
    if arguments.what in (None, "changes"):
        changes(folder)
    if arguments.what in (None, "centring"):
        centring(folder, arguments.sees.split(","))
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
