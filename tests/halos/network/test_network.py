"""Networks in use: in a file as in memory, and each answer against the others."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.halos.network import curves, universe
from tests.halos.network.curves import bits
from triptych.errors import ConfigError, DataError
from triptych.halos import index
from triptych.halos.dataset import BoxSpec
from triptych.halos.network import Posterior, load_network, vectors
from triptych.halos.network import network as room
from triptych.halos.network.examples import of_halos
from triptych.halos.voxels.sphere import sphere_counts, sphere_edges
from triptych.halos.voxels.symmetries import apply_symmetry, cube_symmetries
from triptych.learning import models

R = np.geomspace(20.0, 190.0, 9)


@pytest.fixture(params=["ensemble", "stems", "convolutions"])
def trained(request):
    """A network of each encoder, and what it looks at."""
    network = request.getfixturevalue(request.param).selected
    return network, curves.examples() if request.param == "ensemble" else request.getfixturevalue("data")


def test_a_file_holds_all_of_it(trained, tmp_path):
    network, data = trained
    network.save(tmp_path / "model.eqx")
    for path in (tmp_path / "model.eqx", str(tmp_path)):  # the file, or the folder of a run
        again = load_network(path)
        assert again.config == network.config and again.shape == network.shape
        assert again.about == network.about
        assert (again.ive.input.form, again.ive.input.stored) == (network.ive.input.form, network.ive.input.stored)
        assert bits([again]) == bits([network])
    rows = np.arange(6)
    assert again.encode(data, rows).mean.tobytes() == network.encode(data, rows).mean.tobytes()
    assert again.decode([[0.1, 0.2, -1.0]], R).tobytes() == network.decode([[0.1, 0.2, -1.0]], R).tobytes()


def test_a_header_that_says_all(trained, tmp_path):
    network, _ = trained
    network.save(tmp_path / "x.eqx")
    header = models.read_header(tmp_path / "x.eqx")
    assert header["kind"] == "halos-ive"
    assert header["config"]["loss"]["beta"] == 0.02
    assert header["about"]["digest"] == network.about["digest"]
    json.dumps(header, allow_nan=False)


def test_files_that_are_refused(ensemble, tmp_path):
    path = tmp_path / "x.eqx"
    ensemble.selected.save(path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(DataError, match="damaged"):
        load_network(path)
    with pytest.raises(DataError):
        load_network(tmp_path / "nowhere.eqx")


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"box": BoxSpec(n=8, sides=(800.0, 200.0), scheme="ngp")}, r"sides \[800.0, 200.0\][\s\S]*sides \[600.0, 150.0\]"),
        ({"box": BoxSpec(n=8, sides=(600.0, 150.0), scheme="cic")}, "scheme cic"),
        ({"kind": "infall"}, "kind infall"),
    ],
)
def test_other_boxes_are_refused(stems, tmp_path, change, names):
    other = universe.write(tmp_path / "x.zarr", **change)
    with pytest.raises(DataError, match=rf"other data[\s\S]*{names}"):
        stems.selected.encode(other, np.arange(3))


def test_other_halos_of_the_same_kind_are_welcome(stems, tmp_path):
    other = universe.write(tmp_path / "x.zarr", seed=5)
    assert np.isfinite(stems.selected.encode(other, other.rows("test")).mean).all()


def test_posteriors_are_the_encoders(trained):
    """Rows in any order, in pieces or at once; a width is the root of the variance."""
    network, data = trained
    examples = network.examples(data)
    rows = np.array([7, 2, 60, 2])
    posterior = network.encode(data, rows)
    mean, log_variance = network.ive.posterior(np.asarray(examples.read(rows)))
    np.testing.assert_allclose(posterior.mean, mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(posterior.sigma**2, np.exp(np.asarray(log_variance, float)), rtol=1e-4)
    assert posterior.mean.dtype == np.float64
    np.testing.assert_allclose(posterior.mean[1], posterior.mean[3], rtol=1e-6)


def test_each_halo_is_decoded_at_its_own_radii(ensemble):
    network = ensemble.selected
    z, r = np.random.default_rng(1).normal(size=(5, 3)), 10 ** np.random.default_rng(2).uniform(0.5, 3.0, (5, 4))
    whole = network.decode(z, r)
    assert whole.shape == (5, 4)
    for row in range(5):
        np.testing.assert_allclose(network.decode(z[row], r[row])[0], whole[row], rtol=1e-5)
    np.testing.assert_allclose(network.decode(z, r[0]), network.decode(z, np.tile(r[0], (5, 1))), rtol=0)


def test_many_halos_are_decoded_in_parts(ensemble, monkeypatch):
    z = np.random.default_rng(1).normal(size=(7, 3))
    whole = ensemble.selected.decode(z, R)
    monkeypatch.setattr(room, "DECODED", 3)
    np.testing.assert_allclose(ensemble.selected.decode(z, R), whole, rtol=1e-5)


def test_traversals_move_one_latent(ensemble):
    network = ensemble.selected
    for latent in range(3):
        z = np.zeros((3, 3))
        z[:, latent] = [-1.0, 0.0, 2.0]
        np.testing.assert_array_equal(network.traverse(latent, [-1.0, 0.0, 2.0], R), network.decode(z, R))
    for wrong in (-1, 3):
        with pytest.raises(DataError, match="no such latent"):
            network.traverse(wrong, [0.0], R)


@pytest.mark.parametrize(
    ("z", "r", "reason"),
    [
        ([[0.0, 1.0]], [10.0], "nothing to decode"),
        ([[0.0] * 4], [10.0], "nothing to decode"),
        ([[0.0, np.nan, 0.0]], [10.0], "nothing to decode"),
        ([[0.0] * 3], [], "nothing to decode"),
        ([[0.0] * 3] * 2, [[10.0]] * 3, "nothing to decode"),
        ([[0.0] * 3], [0.0, 10.0], "radii"),
        ([[0.0] * 3], [-10.0], "radii"),
        ([[0.0] * 3], [10.0, np.nan], "radii"),
        ([[0.0] * 3], [1300.0], "radii"),
        ([[0.0] * 3], [2.4], "radii"),
    ],
)
def test_what_cannot_be_decoded_is_refused(ensemble, z, r, reason):
    """The curves were learnt from r = 10^0.5 to 10^3."""
    with pytest.raises(DataError, match=reason):
        ensemble.selected.decode(z, r)


def test_radii_of_the_training_and_a_little_beyond(ensemble):
    np.testing.assert_allclose(ensemble.selected.radii, (10**0.5, 10**3.0), rtol=1e-5)
    assert np.isfinite(ensemble.selected.decode([[0.0] * 3], [2.6, 1200.0])).all()


def test_no_draws_are_refused(ensemble):
    with pytest.raises(ConfigError, match="no draws"):
        ensemble.selected.predict(Posterior(np.zeros((1, 3)), np.ones((1, 3))), [[10.0]], rng=np.random.default_rng(1), draws=0)


def test_other_vectors_are_refused(ensemble):
    x, _, noisy = curves.curves()
    other = vectors(noisy[:, :5], query=x, target=noisy, validation=1)
    with pytest.raises(DataError, match="other data"):
        ensemble.selected.encode(other, np.arange(3))


def test_predictions_are_draws_of_the_posterior(ensemble):
    network = ensemble.selected
    mean, sigma = np.array([[0.3, -0.5, 1.0]]), np.array([[0.5, 0.1, 0.8]])
    r = 10 ** np.linspace(0.5, 3.0, 4)[None]
    sharp = network.predict(Posterior(mean, 0 * sigma), r, rng=np.random.default_rng(1), draws=3)
    np.testing.assert_allclose(sharp, np.tile(network.decode(mean, r), (3, 1, 1)), rtol=1e-6)
    drawn = network.predict(Posterior(mean, sigma), r, rng=np.random.default_rng(1), draws=400)
    assert drawn.shape == (400, 1, 4)
    z = mean + sigma * np.random.default_rng(7).normal(size=(4000, 3))
    exact = network.decode(z, r[0])
    error = exact.std(axis=0) / np.sqrt(400)
    assert (abs(drawn[:, 0].mean(axis=0) - exact.mean(axis=0)) < 4.5 * error).all()
    np.testing.assert_allclose(drawn[:, 0].std(axis=0), exact.std(axis=0), rtol=0.2)
    again = network.predict(Posterior(mean, sigma), r, rng=np.random.default_rng(1), draws=400)
    np.testing.assert_array_equal(again, drawn)


def turned_counts(counts, matrix):
    """Spherical counts of a halo that was turned, from the layers of pixels that go with directions."""
    rng = np.random.default_rng(3)
    directions = rng.normal(size=(4000, 3))
    points = 20.0 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    edges = sphere_edges(600.0)

    def pixel(offset):
        made = sphere_counts(index(universe.snapshot(offset[None])), [1000.0] * 3, edges)
        return int(made.sum(axis=0).argmax())

    to = {}
    for point in points[:1500]:
        to.setdefault(pixel(point), pixel(matrix @ point))
    assert sorted(to) == list(range(48)) == sorted(to.values())
    turned = np.empty_like(counts)
    turned[..., list(to.values())] = counts[..., list(to)]
    return turned


def test_to_turn_a_halo_changes_nothing_for_the_stem(stems, data):
    network, examples = stems.selected, stems.selected.examples(data)
    rows = data.rows("test")
    before = network.encode(examples, rows)
    for k in (7, 17, 40):
        counts = turned_counts(examples.read(rows), cube_symmetries()[k])
        assert (counts != examples.read(rows)).any()
        after = network.encode(replace(examples, read=lambda some, counts=counts: counts[some]), np.arange(len(rows)))
        np.testing.assert_allclose(after.mean, before.mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(after.sigma, before.sigma, rtol=1e-4)


def test_to_turn_a_halo_changes_less_than_the_posterior_width(convolutions, data):
    """Convolutions must learn it: for each symmetry the profile moves by less than what the network does not know."""
    network = convolutions.selected
    examples, rows = of_halos(data, network.config.encoder), np.concatenate([data.rows("validation"), data.rows("test")])
    r = data.table["r"].to_numpy()[rows]
    posterior = network.encode(examples, rows)
    width = network.predict(posterior, r, rng=np.random.default_rng(1), draws=64).std(axis=0)
    expected = network.decode(posterior.mean, r)
    for k in range(1, 48, 9):
        turned = np.stack([apply_symmetry(box, k) for box in examples.read(rows)])
        after = network.encode(replace(examples, read=lambda some, turned=turned: turned[some]), np.arange(len(rows)))
        moved = network.decode(after.mean, r) - expected
        assert 0 < np.sqrt((moved**2).mean()) < np.sqrt((width**2).mean())
