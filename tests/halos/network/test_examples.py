"""What a network learns from: which halos, in which order, from memory or from the disk."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.halos.dataset.stores import attributes
from tests.halos.network import curves, universe
from triptych.errors import DataError
from triptych.halos.network import examples as room
from triptych.halos.network import vectors
from triptych.halos.network.examples import of_halos
from triptych.halos.network.settings import EncoderConfig
from triptych.halos.voxels.symmetries import apply_symmetry


def numbered(training=20, validation=3, test=2):
    """Examples that say which row they are."""
    rows = np.arange(training + validation + test, dtype=float)[:, None]
    return vectors(rows, query=rows, target=rows, validation=validation, test=test)


def orders(made, epochs, *, batch=6, seed=1):
    steps = made.steps(batch)
    chunks = [made.chunk(epoch * steps, (epoch + 1) * steps, batch=batch, seed=seed, turn=True) for epoch in range(epochs)]
    return [chunk.stored.ravel().astype(int).tolist() for chunk in chunks]


def test_each_training_example_comes_once_an_epoch_at_most():
    made = numbered()
    for order in orders(made, 5):
        assert len(order) == 18 == len(set(order))
        assert set(order) <= set(range(20))
    assert set().union(*orders(made, 5)) == set(range(20))  # what is left over comes in another epoch


def test_the_order_depends_on_seed_and_epoch_alone():
    made = numbered()
    first = orders(made, 3)
    assert first == orders(made, 3)
    assert len({tuple(order) for order in first}) == 3
    assert orders(made, 3, seed=2) != first
    with_others = replace(made, rows={**made.rows, "validation": made.rows["validation"][:1]})
    assert orders(with_others, 3) == first


def test_chunks_do_not_change_the_order():
    made = numbered()
    whole = made.chunk(0, 9, batch=6, seed=1, turn=False)
    parts = [made.chunk(first, min(first + 4, 9), batch=6, seed=1, turn=False) for first in (0, 4, 8)]
    for place, array in enumerate(whole):
        assert array.shape == (9, 6, 1)
        np.testing.assert_array_equal(np.concatenate([part[place] for part in parts]), array)
    np.testing.assert_array_equal(whole.stored, whole.target)
    np.testing.assert_array_equal(whole.stored, whole.query)


@pytest.mark.parametrize("sees", ["boxes", "sphere", "profile"])
def test_a_row_is_a_halo(data, sees):
    """What is stored, where it is asked for, and the answer belong to the same halo of the right split."""
    made = of_halos(data, EncoderConfig(sees=sees))
    for split, number in zip(("training", "validation", "test"), universe.HALOS, strict=True):
        assert len(made.rows[split]) == number
        assert (data.table["split"].to_numpy()[made.rows[split]] == ("training", "validation", "test").index(split)).all()
    batch = made.batch(np.array([140, 3]))
    stored = {
        "boxes": data.boxes[...],
        "sphere": data.table["sphere/counts"].to_numpy(),
        "profile": data.table["log_density"].to_numpy().astype(np.float32),
    }[sees]
    np.testing.assert_array_equal(batch.stored, stored[[140, 3]])
    np.testing.assert_allclose(10**batch.query, data.table["r"].to_numpy()[[140, 3]], rtol=1e-6)
    np.testing.assert_allclose(batch.target, data.table["log_density"].to_numpy()[[140, 3]], rtol=1e-6)
    assert made.shape == stored.shape[1:]


def test_the_mean_number_of_particles_in_a_cell(data):
    """Cells times their number at the mean density make the particles of the whole volume."""
    per_volume = universe.MEAN / universe.PARTICLE
    boxes, sphere = (of_halos(data, EncoderConfig(sees=sees)).at_mean for sees in ("boxes", "sphere"))
    np.testing.assert_allclose(boxes.ravel() * 8**3, per_volume * np.array([600.0, 150.0]) ** 3)
    edges = data.table["sphere/edge"].to_numpy()
    assert 48 * sphere.sum() == pytest.approx(per_volume * 4 / 3 * math.pi * (edges[-1] ** 3 - edges[0] ** 3))


@pytest.mark.parametrize("turn", [True, False])
def test_the_disk_gives_what_memory_gives(data, monkeypatch, turn):
    in_memory = of_halos(data, EncoderConfig())
    monkeypatch.setattr(room, "IN_MEMORY", 0)
    streamed = of_halos(data, EncoderConfig())
    assert streamed.read == data.read
    settings = {"batch": 8, "seed": 5, "turn": turn}
    for first, end in ((0, 8), (4, 9)):
        one, other = (made.chunk(first, end, **settings) for made in (in_memory, streamed))
        for here, there in zip(one, other, strict=True):
            assert np.asarray(here).tobytes() == np.asarray(there).tobytes()


def test_boxes_are_turned_by_symmetries(data):
    made = of_halos(data, EncoderConfig())
    plain, turned = (made.chunk(0, 8, batch=8, seed=1, turn=turn) for turn in (False, True))
    kinds = set()
    for box, other in zip(plain.stored.reshape(-1, 2, 8, 8, 8), turned.stored.reshape(-1, 2, 8, 8, 8), strict=True):
        matching = [k for k in range(48) if (apply_symmetry(box, k) == other).all()]
        assert matching
        kinds.add(matching[0])
    assert len(kinds) > 24
    np.testing.assert_array_equal(plain.target, turned.target)
    sphere = of_halos(data, EncoderConfig(sees="sphere"))
    plain, turned = (sphere.chunk(0, 8, batch=8, seed=1, turn=turn) for turn in (False, True))
    np.testing.assert_array_equal(plain.stored, turned.stored)


def test_chunks_do_not_change_the_turns(data):
    made = of_halos(data, EncoderConfig())
    whole = made.chunk(0, 6, batch=8, seed=1, turn=True).stored
    parts = [made.chunk(first, first + 2, batch=8, seed=1, turn=True).stored for first in (0, 2, 4)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_halos_with_an_empty_bin_are_left_out(tmp_path):
    made = of_halos(universe.write(tmp_path / "x.zarr", empty=(2, 127, 128, 155)), EncoderConfig(sees="sphere"))
    assert [len(made.rows[split]) for split in ("training", "validation", "test")] == [126, 23, 7]
    assert not {2, 127, 128, 155} & set(np.concatenate(list(made.rows.values())).tolist())


def test_pieces_are_all_rows(monkeypatch):
    made = numbered()
    monkeypatch.setattr(room, "PIECE", 7)
    pieces = made.pieces(np.arange(20))
    assert [len(piece) for piece in pieces] == [7, 7, 6]
    np.testing.assert_array_equal(np.concatenate(pieces), np.arange(20))
    monkeypatch.setattr(room, "PIECE_BYTES", 3 * made.bytes)
    assert [len(piece) for piece in made.pieces(np.arange(8))] == [3, 3, 2]
    monkeypatch.setattr(room, "PIECE_BYTES", 1)
    assert len(made.pieces(np.arange(8))) == 8


@pytest.mark.parametrize(
    ("training", "batch", "memory", "expected"),
    [(20, 6, 1000, (3, 3)), (20, 2, 16, (2, 10)), (22, 2, 16, (1, 11)), (22, 2, 40, (3, 9)), (20, 6, 1, (1, 3))],
)
def test_batches_that_are_read_together_fit_into_memory(monkeypatch, training, batch, memory, expected):
    """4 bytes an example here. Parts of an epoch are equal, so that it may lose some steps; one step is read in any case."""
    made = numbered(training)
    monkeypatch.setattr(room, "CHUNK_BYTES", memory)
    together, steps = made.together(batch), made.steps(batch)
    assert steps % together == 0
    assert together == 1 or 4 * batch * together <= memory
    assert (together, steps) == expected


def test_vectors_are_split_in_order():
    made = numbered(5, 3, 2)
    assert [made.rows[split].tolist() for split in ("training", "validation", "test")] == [[0, 1, 2, 3, 4], [5, 6, 7], [8, 9]]
    assert made.digest != numbered(5, 3, 3).digest
    assert made.digest == numbered(5, 3, 2).digest


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"query": np.zeros((4, 3))}, "do not belong together"),
        ({"target": np.zeros((5, 3))}, "do not belong together"),
        ({"inputs": np.zeros(5)}, "do not belong together"),
        ({"target": np.full((5, 2), np.nan)}, "not finite"),
        ({"inputs": np.full((5, 2), np.inf)}, "not finite"),
    ],
)
def test_vectors_that_are_refused(bad, reason):
    given = {"inputs": np.zeros((5, 2)), "query": np.zeros((5, 2)), "target": np.zeros((5, 2)), **bad}
    with pytest.raises(DataError, match=reason):
        vectors(given.pop("inputs"), **given, validation=1)


def test_too_few_examples_are_refused():
    with pytest.raises(DataError, match="20 to train on"):
        numbered().steps(21)
    with pytest.raises(DataError, match="0 to validate"):
        numbered(validation=0).steps(5)


def test_data_without_spherical_cells_are_refused(tmp_path):
    data = universe.write(tmp_path / "x.zarr", leave_out=lambda name: name.startswith("sphere/"))
    with pytest.raises(DataError, match="no spherical cells"):
        of_halos(data, EncoderConfig(sees="sphere"))
    assert of_halos(data, EncoderConfig()).shape == (2, 8, 8, 8)


def test_simulations_of_different_resolution_are_refused(tmp_path):
    one, other = attributes().simulations
    data = universe.write(tmp_path / "x.zarr", simulations=(one, replace(other, particle_mass=1.1 * one.particle_mass)))
    for sees in ("boxes", "sphere"):
        with pytest.raises(DataError, match="differ in resolution"):
            of_halos(data, EncoderConfig(sees=sees))
    assert of_halos(data, EncoderConfig(sees="profile")).shape == (universe.BINS,)


def test_the_examples_of_the_curves_are_what_they_say():
    """The tests of the training stand on these."""
    made = curves.examples()
    x, smooth, noisy = curves.curves()
    assert made.steps(curves.BATCH) == curves.STEPS
    np.testing.assert_allclose(made.profiles.target, noisy, rtol=1e-6)
    assert (noisy - smooth).std() == pytest.approx(0.1, rel=0.1)
    np.testing.assert_allclose(made.profiles.query, x, rtol=1e-6)
