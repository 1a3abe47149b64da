"""The files that re-run the Letter's simulations say what the Letter and the rest of the package say."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from triptych.halos.dataset_commands import BuildConfig
from triptych.halos.mass_function import Power
from triptych.halos.mock.universe import LETTER_OUTPUTS, LETTER_PARTICLE_MASS, PLANCK
from triptych.halos.sample import sample_data
from triptych.halos.simulation.files import locate
from triptych.runs.config import load

FOLDER = Path(__file__).parents[2] / "papers" / "luciesmith2023" / "simulations"
RUNS = (1, 2, 3, 4)

#: What GADGET-4 asks for only where it makes the initial conditions itself.
NGENIC = {
    *("NSample", "GridSize", "Seed", "SphereMode", "PowerSpectrumType", "PowerSpectrumFile", "ReNormalizeInputSpectrum"),
    *("PrimordialIndex", "ShapeGamma", "Sigma8", "InputSpectrum_UnitLength_in_cm"),
}


def entries(name: str) -> dict[str, list[str]]:
    """Words of each line by its first word, comments left out; a first word that stands twice is an error."""
    lines = [re.split(r"[%#]", line)[0].split() for line in (FOLDER / name).read_text().splitlines()]
    found = {line[0]: line[1:] for line in lines if line}
    assert len(found) == sum(bool(line) for line in lines)
    return found


@pytest.fixture(scope="module")
def parameters() -> dict[str, str]:
    return {key: value for key, (value,) in entries("param.txt").items()}


@pytest.fixture(scope="module")
def options() -> dict[str, str]:
    return dict((*key.split("="), "")[:2] for key in entries("Config.sh"))


@pytest.fixture(scope="module")
def real_run() -> h5py.File:
    with h5py.File(locate(sample_data(), "snapshot")) as file:
        yield file


def test_gadget_gets_every_parameter_that_it_asks_for_and_no_other(parameters, real_run):
    """A missing and an unknown parameter both stop it; a real run of the same modules holds the list."""
    assert set(parameters) == set(real_run["Parameters"].attrs) - NGENIC


def test_units_are_those_of_the_real_run(parameters, real_run):
    for name in ("UnitLength_in_cm", "UnitMass_in_g", "UnitVelocity_in_cm_per_s", "Hubble", "GravityConstantInternal"):
        assert float(parameters[name]) == real_run["Parameters"].attrs[name]


def test_box_cosmology_and_time_are_the_letters(parameters):
    number = {key: float(parameters[key]) for key in ("BoxSize", "Omega0", "OmegaLambda", "HubbleParam", "TimeBegin", "TimeMax")}
    assert number["BoxSize"] == 50.0
    assert (number["Omega0"], number["OmegaLambda"]) == (PLANCK.omega_matter, PLANCK.omega_lambda)
    assert number["HubbleParam"] == PLANCK.hubble
    assert number["TimeBegin"] == pytest.approx(1.0 / (1.0 + 99.0)) and number["TimeMax"] == 1.0
    assert float(parameters["OmegaBaryon"]) == 0.0
    _, particles = entries("genetic_1.txt")["base_grid"]
    mass = PLANCK.mean_density * (1e3 * number["BoxSize"] / int(particles)) ** 3
    assert mass == pytest.approx(LETTER_PARTICLE_MASS, rel=1e-12)


def test_softening_is_a_thirtieth_of_the_spacing(parameters):
    for name in ("SofteningComovingClass0", "SofteningMaxPhysClass0"):
        assert float(parameters[name]) == pytest.approx(50.0 / 512 / 30, abs=5e-10)


def test_outputs_are_those_of_the_mock_universe(parameters):
    table = np.loadtxt(FOLDER / parameters["OutputListFilename"])
    assert table.shape == (91, 2)
    np.testing.assert_allclose(table[:, 0], LETTER_OUTPUTS, rtol=0, atol=5e-9)
    assert (table[:, 1] == 1).all()
    assert float(parameters["MaxSizeTimestep"]) < 0.25 * np.diff(np.log(LETTER_OUTPUTS)).min()


def test_code_has_the_options_that_the_readers_need_and_real_ones_only(options, real_run):
    assert {"PERIODIC", "SELFGRAVITY", "FOF", "SUBFIND", "SUBFIND_HBT", "MERGERTREE"} <= set(options)
    assert not any(name.startswith("NGENIC") for name in options)
    assert set(options) - set(real_run["Config"].attrs) == {"GADGET2_HEADER"}
    assert (options["NTYPES"], options["NSOFTCLASSES"]) == ("6", "1")
    assert int(options["PMGRID"]) == 2 * 512


def test_initial_conditions_differ_in_seed_and_name_only():
    files = [entries(f"genetic_{run}.txt") for run in RUNS]
    for run, file in zip(RUNS, files, strict=True):
        assert file.pop("outname") == [f"letter_{run}"]
    assert len({tuple(file.pop("random_seed")) for file in files}) == len(RUNS)
    assert all(file == files[0] for file in files)


def test_initial_conditions_are_of_the_same_universe(parameters):
    lines = entries("genetic_1.txt")
    power = Power()
    expected = {
        "Om": PLANCK.omega_matter,
        "Ol": PLANCK.omega_lambda,
        "hubble": PLANCK.hubble,
        "s8": power.sigma8,
        "ns": power.spectral_index,
        "z": 99.0,
    }
    assert {name: float(lines[name][0]) for name in expected} == expected
    assert "Ob" not in lines  # would make particles of gas
    assert [float(word) for word in lines["base_grid"]] == [float(parameters["BoxSize"]), 512]
    order = list(lines)
    assert order.index("camb") > max(order.index(name) for name in expected)  # normalised when it is read
    assert order.index("gadget_particle_type") > order.index("base_grid")
    assert order[-1] == "done"


def test_gadget_reads_what_genetic_writes(parameters, options):
    lines = entries("genetic_1.txt")
    assert parameters["InitCondFile"] == f"{lines['outdir'][0]}{lines['outname'][0]}.{lines['outformat'][0]}"
    assert lines["outformat"] == ["gadget3"] and parameters["ICFormat"] == "1" and "GADGET2_HEADER" in options


def test_densities_of_the_transfer_function_add_up():
    given = {
        name: float(value) for name, value in re.findall(r"(om[bc]h2|hubble) = ([\d.]+)", (FOLDER / "README.md").read_text())
    }
    neutrinos = 0.6451e-3  # of the file that the command starts from: 0.06 eV
    assert given["hubble"] == 100 * PLANCK.hubble
    assert given["ombh2"] == pytest.approx(Power().omega_baryon * PLANCK.hubble**2, rel=1e-3)
    total = given["ombh2"] + given["omch2"] + neutrinos
    assert total == pytest.approx(PLANCK.omega_matter * PLANCK.hubble**2, rel=1e-3)


def test_data_set_is_split_as_in_the_letter():
    config = load(BuildConfig, FOLDER / "build.toml")
    assert config.training == ("run_1/output", "run_2/output", "run_3/output")
    assert config.validation == config.test == ("run_4/output",)
    recipe = config.recipe()
    assert (recipe.kind, recipe.cuts.lowest, recipe.cuts.highest) == ("virial", 11.0, 13.0)
    assert (recipe.box.n, recipe.box.sides) == (131, (400.0,))
