"""The training: it pays, it goes on after an interrupt as if there had been none, and it refuses what cannot be."""

from __future__ import annotations

import importlib
import json
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.lattice.test_leapfroglayers import layers
from triptych.errors import ConfigError
from triptych.lattice import model as files
from triptych.lattice.action import Wilson
from triptych.lattice.draws import independent
from triptych.lattice.model import LayersConfig
from triptych.lattice.rewards import proposals
from triptych.lattice.samplers.kernel import draw, init
from triptych.lattice.train import TrainConfig, train
from triptych.learning import models
from triptych.runs import Run

module = importlib.import_module("triptych.lattice.train")
TINY = {
    "shape": (2, 3),
    "couplings": (1.0, 2.0),
    "ramp": 10,
    "hold": 20,
    "chains": 16,
    "layers": LayersConfig(number=2),
}
ONE = {**TINY, "couplings": (1.5,), "hold": 10}


def run_in(folder):
    return Run(path=folder, id="test")


WORTH = module._worth


def contrary(*arguments):
    """All worths with the other sign: the best model of a hold is then seldom the last."""
    return {name: -value for name, value in WORTH(*arguments).items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted training, its folder, and every model that was tested."""
    folder, tested = tmp_path_factory.mktemp("whole"), []

    def spy(model, *arguments):
        tested.append((model, contrary(model, *arguments)))
        return tested[-1][1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_worth", spy)
        trained = train(TrainConfig(**TINY), run=run_in(folder))
    return trained, folder, tested


def digests(trained):
    return {beta: model.settings()["digest"] for beta, model in trained.items()}


def test_the_best_model_of_each_coupling_is_kept(whole):
    """And at the end of each hold it is tested once more, free of the choice."""
    trained, folder, tested = whole
    assert list(trained) == [1.0, 2.0] and len(tested) == 6
    for beta, (*hold, (last, worth)) in zip(trained, (tested[:3], tested[3:]), strict=True):
        best, _ = max(hold, key=lambda one: one[1]["tunnelling_reward"])
        in_file = files.load(folder, beta, (2, 3))
        assert best.settings() == last.settings() == trained[beta].settings() == in_file.settings()
        training = models.read_header(folder / files.name_of(beta))["training"]
        assert {name: training[name] for name in worth} == {name: float(value) for name, value in worth.items()}
    begin = TrainConfig(**TINY).layers.build((2, 3), key=jax.random.key(0))
    assert abs(trained[2.0].kicks.s - begin.kicks.s).min() > 1e-4


def test_files_tell_what_the_training_took(whole):
    """Two trajectories a chain and step for the gradient and one for the move, and 8 for each of the scores."""
    _, folder, _ = whole
    for beta, steps, scores in ((1.0, 20, 2), (2.0, 50, 4)):
        header = models.read_header(folder / files.name_of(beta))
        assert header["beta"] == beta and header["training"]["config"]["hold"] == 20
        assert header["training"]["steps"] == steps
        assert header["training"]["force_evaluations"] == 16 * 4 * (3 * steps + 8 * scores)
    seconds = [files.training_price(folder, beta)["training_seconds"] for beta in (1.0, 2.0)]
    assert 0 < seconds[0] == pytest.approx(0.4 * seconds[1])


def test_interrupts_leave_no_trace(whole, tmp_path, monkeypatch):
    """In a ramp, and at the end of a hold: the same metrics and models, bit by bit."""
    trained, folder, _ = whole
    monkeypatch.setattr(module, "_worth", contrary)
    log = Run.log
    for end in (20, 30):

        def logged(run, record, end=end):
            log(run, record)
            if record["step"] == end:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Run, "log", logged)
            with pytest.raises(KeyboardInterrupt):
                train(TrainConfig(**TINY), run=run_in(tmp_path))
        assert not list(tmp_path.glob("*.eqx"))
    assert digests(train(TrainConfig(**TINY), run=run_in(tmp_path))) == digests(trained)
    assert (tmp_path / "metrics.jsonl").read_text() == (folder / "metrics.jsonl").read_text()
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [record["beta"] for record in records] == pytest.approx([1, 1, 1.45, 2, 2])


NETWORKS = [
    {"mode": "single"},
    {"mode": "single", "network": "dense", "width": 3, "depth": 1, "shared": True},
    {"network": "dense", "width": 3, "activation": "leaky_relu"},
    {"shared": True},
]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: " ".join(map(str, network.values())))
@pytest.mark.parametrize("loss", ["tunnelling", "mixed"])
def test_a_step_keeps_its_form(loss, network):
    """Seen from the shapes alone; nothing is computed."""
    config = TrainConfig(**{**ONE, "loss": loss, "layers": LayersConfig(number=2, **network)})

    def step(key):
        model = config.layers.build((2, 3), key=key)
        optimiser = module._optimiser(config, model)
        memory = optimiser.init(eqx.filter(model, eqx.is_inexact_array))
        carry = module.Carry(model, memory, jnp.zeros((2, 2, 3, 16)), module.Best(model, jnp.asarray(0.0)))
        return carry, module._update(config, optimiser, carry, jnp.asarray(0), key)

    carry, (following, metrics) = eqx.filter_eval_shape(step, jax.random.key(0))
    assert jax.tree.structure(following) == jax.tree.structure(carry) and {"acceptance", "tunnelling_reward"} < set(metrics)
    for new, old in zip(jax.tree.leaves(following), jax.tree.leaves(carry), strict=True):
        assert (new.shape, new.dtype) == (old.shape, old.dtype)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "samples", "network"),
    [
        ("charge", "exact", NETWORKS[0]),
        ("mixed", "chains", NETWORKS[1]),
        ("tunnelling", "exact", NETWORKS[2]),
        ("tunnelling", "chains", NETWORKS[3]),
    ],
)
def test_every_number_learns(loss, samples, network):
    """Every number but the masks moves, by about the learning rates."""
    config = TrainConfig(**{**ONE, "loss": loss, "samples": samples, "layers": LayersConfig(number=2, **network)})
    (trained,) = train(config).values()
    begin = config.layers.build((2, 3), key=_model_key(config))
    assert np.array_equal(trained.layers.mask, begin.layers.mask)
    for new, old in zip(jax.tree.leaves(trained), jax.tree.leaves(begin), strict=True):
        if eqx.is_inexact_array(new):
            assert 0 < np.abs(new - old).max() < 0.3


def _model_key(config):
    return jax.random.split(jax.random.key(module.subseed(config.seed, "lattice", "train")), 4)[0]


def test_training_pays():
    """From plain HMC to more than twice its reward, on configurations that the training has not seen."""
    config = TrainConfig(
        shape=(6, 6), couplings=(4.0,), hold=200, chains=256, layers=LayersConfig(number=5, step_size=0.15, heat=0.0)
    )

    @jax.jit
    def rewards(model, keys):
        starts, moves = jax.vmap(jax.random.split, out_axes=1)(keys)
        state = init(independent(starts, 4.0, (6, 6)), Wilson(4.0))
        seen = proposals(model, state, draw(moves, state.links)[0], Wilson(4.0))
        return seen.acceptance * seen.charge_change**2

    keys = jax.random.split(jax.random.key(8), 10_000)
    begin = layers("bias", shape=(6, 6), number=5, step_size=0.15, heat=0.0, noise=0.0)
    before, after = (np.asarray(rewards(model, keys)) for model in (begin, train(config)[4.0]))
    errors = [one.std() / math.sqrt(one.size) for one in (before, after)]
    assert after.mean() - 2 * before.mean() > 4 * math.hypot(errors[1], 2 * errors[0])


def test_annealing():
    """Holds at each coupling, and between them ramps by differences, by factors or by a given path."""
    settings = {"couplings": (2.0, 3.0, 6.0), "ramp": 20, "hold": 10}
    quarter = {"linear": lambda a, b: a + (b - a) / 4, "exponential": lambda a, b: a * (b / a) ** 0.25}
    half = {"linear": lambda a, b: (a + b) / 2, "exponential": lambda a, b: math.sqrt(a * b)}
    path = (0.0, 0.1, 1.0)  # half of the time for the first tenth
    quarter["custom"], half["custom"] = lambda a, b: a + (b - a) / 20, lambda a, b: a + (b - a) / 10
    for annealing in ("linear", "exponential", "custom"):
        config = TrainConfig(annealing=annealing, path=path if annealing == "custom" else (), **settings)
        assert config.steps == 70 and config.stage == 30
        found = np.asarray(jax.jit(jax.vmap(config.beta))(jnp.arange(75)))
        for first, a, b in ((0, 2.0, 3.0), (30, 3.0, 6.0)):
            np.testing.assert_allclose(found[first : first + 11], a, rtol=1e-14)
            np.testing.assert_allclose(
                found[[first + 15, first + 20]], [quarter[annealing](a, b), half[annealing](a, b)], rtol=1e-12
            )
        np.testing.assert_allclose(found[60:], 6.0, rtol=1e-14)
        assert np.all(np.diff(found) > -1e-12)
    assert [config.held(done) for done in range(10, 80, 10)] == [(0, True), None, None, (1, True), None, None, (2, True)]
    assert TrainConfig(**{**settings, "hold": 20}).held(10) == (0, False)
    steep = TrainConfig(**{**settings, "ramp": 0})
    assert [float(steep.beta(jnp.asarray(step))) for step in (9, 10, 20)] == [2.0, 3.0, 6.0]


def test_learning_rates():
    """Adam moves by its rate under a constant gradient: one for the schedule, one for the weights, falling in each hold."""
    config = TrainConfig(couplings=(1.0, 2.0), ramp=10, hold=20, learning_rate=0.02, weights_learning_rate=0.003)
    numbers = eqx.filter(layers("dense"), eqx.is_inexact_array)
    optimiser = module._optimiser(config, layers("dense"))

    @jax.jit
    def moves():
        slope = jax.tree.map(jnp.ones_like, numbers)

        def step(memory, _):
            change, memory = optimiser.update(slope, memory, numbers)
            return memory, (change.kicks.s, change.layers.log_drift, change.drifts.dense.heads[1].weight)

        return jax.lax.scan(step, optimiser.init(numbers), jnp.arange(50))[1]

    schedule, steps, weights = moves()
    for step, fall in ((0, 1.0), (10, 0.55), (20, 0.1), (29, 0.1), (30, 1.0), (40, 0.55)):
        np.testing.assert_allclose(schedule[step], -0.02 * fall, rtol=1e-4)
        np.testing.assert_allclose(steps[step], -0.02 * fall, rtol=1e-4)
        np.testing.assert_allclose(weights[step], -0.003 * fall, rtol=1e-4)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"shape": (1, 4)}, "shape"),
        ({"couplings": ()}, "couplings"),
        ({"couplings": (2.0, 2.0)}, "couplings"),
        ({"couplings": (3.0, 2.0)}, "couplings"),
        ({"couplings": (-1.0, 2.0)}, "beta"),
        ({"couplings": (0.0, 2.0), "annealing": "exponential"}, "beta = 0"),
        ({"annealing": "custom"}, "path"),
        ({"path": (0.0, 1.0)}, "path"),
        ({"annealing": "custom", "path": (0.0, 0.5)}, "path"),
        ({"annealing": "custom", "path": (0.0, 0.7, 0.5, 1.0)}, "path"),
        ({"ramp": 15}, "ramp"),
        ({"ramp": -10}, "ramp"),
        ({"hold": 0}, "hold"),
        ({"chains": 1}, "chains"),
        ({"perturbation": 0.0}, "perturbation"),
        ({"learning_rate": math.inf}, "learning_rate"),
        ({"weights_learning_rate": -1.0}, "weights_learning_rate"),
        ({"clip": math.nan}, "clip"),
    ],
)
def test_refusals(bad, said):
    with pytest.raises(ConfigError, match=said):
        TrainConfig(**bad)
