"""The mock universe, written as GADGET-4 would write it, through the whole route of real simulations and back to its truth."""

from __future__ import annotations

import json
import signal

import h5py
import numpy as np
import pytest
from scipy import stats

from triptych.cli import main
from triptych.halos import accretion_rate, link_particles, mass_history, measure, read_catalogue, read_links, read_tree_file
from triptych.halos.mass_function import Power, tinker08
from triptych.halos.mock import amplitudes, draw_universe, write_simulation
from triptych.halos.mock.gadget import REACH
from triptych.halos.mock.population import box_side
from triptych.halos.mock.structure import X, enclosed
from triptych.halos.mock.universe import LETTER_PARTICLE_MASS, PLANCK

HIGHEST = 3e13


class Box:
    """A mock universe in the volume that so many halos live in, written and read again.

    Attributes
    ----------
    halo : (row of `table`,), number of the mock halo that each measured one is: particle IDs rise from halo to halo.
    lever : (halo,), relative error of M200m over that of the mass inside a fixed radius; the sphere grows with what is in it.
    within : (halo,), share of the halo's particles that lie inside r200m.
    """

    def __init__(self, folder, *, halos, particle_mass, times, seed):
        lowest = 300 * particle_mass
        limits = {"lowest": lowest, "highest": HIGHEST}
        self.universe = draw_universe(halos, seed=seed, scale_factors=times, particle_mass=particle_mass, **limits)
        self.side = box_side(halos, lowest, HIGHEST, cosmology=PLANCK, power=Power())
        self.particles = round(self.side**3 * PLANCK.mean_density / particle_mass)
        rng = np.random.default_rng(seed)
        self.folder = write_simulation(self.universe, folder, particles=self.particles, softening=10.0, rng=rng)
        self.groups = read_catalogue(self.folder)
        self.table = measure(self.folder, self.groups, min_particles=1)
        with h5py.File(self.groups.path) as file:
            first = file["Subhalo/SubhaloIDMostbound"][...]
        self.halo = np.argsort(np.argsort(first))[self.table["id"]]
        self.density = self.universe.structure.density()
        self.lever = 1 / (1 - self.universe.structure.density(np.array([1.0]))[self.halo, 0] / 200)
        self.within = 200 / enclosed(self.density)[self.halo, np.searchsorted(X, REACH)]
        self.share = (self.universe.histories / self.universe.histories.max(axis=1, keepdims=True))[self.halo]

    def expected_counts(self):
        """(row, shell) particles that the true profiles stand for in the shells measured."""
        x = self.table["r_edge"].to_numpy() / self.universe.structure.radius[self.halo, None]
        inside = enclosed(self.density)[self.halo]
        inside = np.exp([np.interp(np.log(at), np.log(X), np.log(row)) for at, row in zip(x, inside, strict=True)])
        mass = self.universe.structure.mass[self.halo, None]
        return np.diff(inside, axis=1) / 200 * mass / self.universe.matter.particle_mass


@pytest.fixture(scope="module")
def smooth(tmp_path_factory):
    """Halos without clumps, whose errors are known exactly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(amplitudes, "SUBHALO_SURVIVORS", 0.0)
        return Box(tmp_path_factory.mktemp("smooth"), halos=40, particle_mass=1e9, times=np.geomspace(0.35, 1.0, 12), seed=4)


@pytest.fixture(scope="module")
def tracked(smooth):
    return mass_history(smooth.folder, read_tree_file(smooth.folder), smooth.table["id"])


def masses_are_the_catalogues(box):
    """Within 1 % for every group of at least 300 particles: the catalogue counts each halo's own particles."""
    rows = np.flatnonzero(box.groups.lengths >= 300)
    measured = box.table.isel(halo=np.flatnonzero(np.isin(box.table["id"], rows)))
    np.testing.assert_allclose(measured["mass"], box.groups.m200m[rows], rtol=0.01)
    np.testing.assert_allclose(measured["halo_radius"], box.groups.r200m[rows], rtol=0.01)
    return len(rows)


def branches_are_gadgets(box):
    """Groups along TreeMainProgenitor, read here by hand, against the three ways to follow a halo; the share that agrees."""
    with h5py.File(box.folder / "trees.hdf5") as file:
        halos, table = file["TreeHalos"], file["TreeTable"]
        start, main = table["StartOffset"][...][halos["TreeID"][...]], halos["TreeMainProgenitor"][...]
        output, group = halos["SnapNum"][...], halos["GroupNr"][...]
    trees = [read(box.folder) for read in (read_tree_file, read_links, link_particles)]
    agree, steps = [], 0
    for wanted in np.flatnonzero(box.groups.lengths >= 300):
        row = int(np.flatnonzero((output == output.max()) & (group == wanted))[0])
        path = [(output[row], group[row])]
        while main[row] >= 0:
            row = start[row] + main[row]
            path.append((output[row], group[row]))
        steps += len(path)
        branches = [tree.main_branch(int(wanted)) for tree in trees]
        agree.append([list(zip(one.output, one.group, strict=True)) == path for one in branches])
    print(f"main branches that are GADGET-4's, of {len(agree)} halos: tree file, links, particles {np.sum(agree, axis=0)}")
    return np.mean(agree, axis=0), steps / len(agree)


def mass_function_deviance(box, bins):
    """p-value of the counts of measured masses against Tinker et al. (2008) times the volume of the snapshot."""
    edges = np.geomspace(1.2 * 300 * box.universe.matter.particle_mass, HIGHEST, bins + 1)  # below, masses scatter out of the cut
    counts = np.histogram(box.table["mass"], edges)[0]
    fine = np.geomspace(edges[0], edges[-1], 100 * bins + 1)
    density = tinker08(fine, cosmology=PLANCK, power=Power()) / fine
    steps = np.diff(fine) * (density[1:] + density[:-1]) / 2
    expected = box.table.attrs["box_size"] ** 3 * steps.reshape(bins, 100).sum(axis=1)
    deviance = 2 * np.sum(expected - counts + counts * np.log(np.where(counts > 0, counts, 1) / expected))
    return stats.chi2.sf(deviance, bins), counts.sum()


def test_masses_and_radii_are_those_of_the_catalogue(smooth):
    assert masses_are_the_catalogues(smooth) >= 30
    across = (np.abs(smooth.groups.positions - smooth.side / 2) > smooth.side / 2 - smooth.groups.r200m[:, None]).any(axis=1)
    assert across.any()  # some lie across the edges


def test_main_branches_are_those_of_the_tree(smooth):
    agree, steps = branches_are_gadgets(smooth)
    assert (agree >= 0.95).all()
    assert steps > 10  # of 12 outputs


def test_the_mass_function_is_tinkers(smooth):
    p_value, halos = mass_function_deviance(smooth, 3)
    assert halos > 25
    assert p_value > 1e-3


def test_present_masses_are_true_within_their_errors(smooth):
    """Counting errors times the lever: chi-squared over all halos."""
    found = smooth.table
    true = smooth.universe.structure.mass[smooth.halo]
    pull = (found["mass"] / true - 1) * np.sqrt(found["particles"]) / smooth.lever
    assert len(pull) == 40
    assert 1e-4 < stats.chi2.sf(float((pull**2).sum()), 40) < 1 - 1e-4
    assert abs(float(pull.mean())) < 4 / np.sqrt(40)


def test_profiles_are_true_within_their_errors(smooth):
    """Counts in all shells of all halos against the true profiles."""
    expected, counts = smooth.expected_counts(), smooth.table["counts"].to_numpy()
    pull = (counts - expected) / np.sqrt(expected)
    assert expected.min() > 5
    assert pull.var() == pytest.approx(1.0, abs=4 * np.sqrt(2 / pull.size))
    assert (np.abs(pull.mean(axis=0)) < 4.5 / np.sqrt(len(pull))).all()  # in each of 20 shells
    error = smooth.table["density_error"].to_numpy()
    np.testing.assert_allclose((smooth.table["density"] / error) ** 2, counts, rtol=1e-9)


def test_histories_are_true_within_their_errors(smooth, tracked):
    """Each mass is known better than by counting alone, since a halo's particles are as many as its history says."""
    true = smooth.universe.histories[smooth.halo]
    known = tracked["mass"].notnull().to_numpy()
    assert known.mean() > 0.9
    error = smooth.lever[:, None] * np.sqrt(
        (1 - smooth.within[:, None] * (1 - smooth.share)) / tracked["particles"].to_numpy().clip(1)
    )
    pull = (tracked["mass"].to_numpy() / true - 1) / error
    for column in range(12):
        here = pull[known[:, column], column]
        assert 1e-4 < stats.chi2.sf((here**2).sum(), len(here)) < 1 - 1e-4, column
        assert abs(here.mean()) < 4 / np.sqrt(len(here)), column


@pytest.mark.parametrize("definition", ["consecutive", "dk14", "dynamical", "instantaneous"])
def test_accretion_rates_are_true_within_their_errors(smooth, tracked, definition):
    """The errors given are upper limits, from independent particles at each output; here a halo keeps its particles."""
    times, particles = smooth.universe.scale_factors, tracked["particles"].to_numpy()
    found = accretion_rate(tracked["mass"], times, PLANCK, definition, particles=particles)
    true = accretion_rate(smooth.universe.histories[smooth.halo], times, PLANCK, definition).gamma
    pull = (found.gamma - true) / found.error / smooth.lever[:, None]
    known = np.isfinite(pull)
    assert known[:, -1].all() and known.mean() > 0.6
    last = pull[:, -1]
    assert 0.05 < last.std() < 0.6
    assert abs(last.mean()) < 4 * last.std() / np.sqrt(len(last))
    assert np.abs(pull[known]).max() < 4
    assert true[:, -1].std() > 3 * (found.error * smooth.lever[:, None])[:, -1].mean() * last.std()  # it tells halos apart


def test_consecutive_rates_have_the_noise_of_the_particles_that_came(smooth, tracked):
    """Between two outputs a halo gains a known number of particles of its own; how many lie inside r200m is drawn."""
    counts, known = tracked["particles"].to_numpy(), tracked["mass"].notnull().all("output").to_numpy()
    wrong = np.diff(np.log(tracked["mass"].to_numpy() / smooth.universe.histories[smooth.halo]), axis=1)
    variance = (smooth.lever**2 * (1 - smooth.within))[:, None] * np.abs(np.diff(1 / np.where(counts > 0, counts, 1), axis=1))
    grown = known[:, None] & (np.diff(smooth.share, axis=1) > 0.1)
    assert grown.sum() > 40
    pull2 = (wrong**2 / variance.clip(1e-12))[grown]
    assert pull2.mean() == pytest.approx(
        1.0, abs=4 * np.sqrt(2 / grown.sum()) + 0.3
    )  # r200m ends at a particle: not quite Gaussian


@pytest.fixture
def triptych(tmp_path, monkeypatch, capsys):
    """Run a command in this process in an empty folder, and return its JSON."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        with pytest.raises(SystemExit) as left:
            main([*arguments, "--json"])
        for number, handler in before.items():
            signal.signal(number, handler)
        out, err = capsys.readouterr()
        assert left.value.code == 0, err
        return json.loads(out)

    return run


def test_the_verbs_from_mock_to_inspection(triptych, tmp_path):
    options = ("--kind", "virial", "--gadget.halos", "12", "--gadget.outputs", "3", "--gadget.files", "2")
    made = triptych("halos", "mock", *options, "--seed", "5", "--out", "made")
    assert (made["halos"], made["outputs"]) == (12, 3)
    folder = made["simulation"]
    assert len(list((tmp_path / "made/gadget").glob("snapshot_*.hdf5"))) == 6
    measured = triptych("halos", "measure", folder, "--min-particles", "1", "--out", "measured")["halos"]
    followed = triptych("halos", "histories", folder, "--min-particles", "1", "--out", "followed")["halos"]
    assert len(measured) == len(followed) == 12
    for one, other in zip(measured, followed, strict=True):
        assert (one["id"], one["m200m"]) == (other["id"], pytest.approx(other["m200m"][-1]))
        assert other["redshift"] == pytest.approx([7.0, 8**0.5 - 1, 0.0], abs=1e-9)
    box = ("--box.n", "8", "--box.scheme", "cic")
    built = triptych("halos", "build", "--training", folder, "--cuts.lowest", "10.9", *box, "--out", "built")
    assert (built["source"], built["halos"], built["splits"]["training"]) == ("simulation", 12, 12)
    found = triptych("halos", "inspect", "built", "--out", "inspected")
    assert sum(row["halos"] for row in found["mass_function"]) == 12
    expected = sum(row["tinker08"]["value"] for row in found["mass_function"])
    assert stats.poisson.sf(11, expected) > 1e-3 and stats.poisson.cdf(12, expected) > 1e-3  # its volume holds so many
    assert found["lost_histories"] < 0.5


@pytest.mark.slow
def test_two_million_particles_through_24_outputs(tmp_path):
    """Clumpy halos at the Letter's resolution: the checks of the real runs."""
    box = Box(tmp_path, halos=230, particle_mass=LETTER_PARTICLE_MASS, times=np.geomspace(1 / 8, 1.0, 24), seed=11)
    assert 1.8e6 < box.particles < 2.4e6
    assert masses_are_the_catalogues(box) > 180
    agree, steps = branches_are_gadgets(box)
    assert (agree >= 0.95).all()
    assert steps > 15
    p_value, halos = mass_function_deviance(box, 8)
    assert p_value > 1e-3 and halos > 150
    ratio = box.table["counts"].to_numpy() / box.expected_counts()
    error = ratio.std(axis=0, ddof=1) / np.sqrt(len(ratio))
    assert (np.abs(ratio.mean(axis=0) - 1) < 4 * error).all() and (error < 0.05).all()
    tracked = mass_history(box.folder, read_tree_file(box.folder), box.table["id"])
    ratio = tracked["mass"].to_numpy() / box.universe.histories[box.halo]
    deep = (tracked["particles"] > 300).to_numpy()
    for column in range(12, 24):
        here = ratio[deep[:, column], column]
        assert abs(here.mean() - 1) < 4 * here.std() / np.sqrt(len(here)) + 0.005, column
