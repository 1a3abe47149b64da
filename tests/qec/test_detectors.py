"""Joint distributions and logical error rates against lists of all errors, Stim's sampler and sampled decoders."""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from itertools import product

import numpy as np
import pytest
import sinter
import stim
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.errors import ConfigError, MissingExtraError
from triptych.qec import Builder, Noise, steane
from triptych.qec import program as do
from triptych.qec.detectors import (
    Distribution,
    Mechanisms,
    evaluate,
    follow,
    logical_error_rates,
    maximum_likelihood,
    of_model,
    of_program,
    transform,
)
from triptych.qec.detectors.mechanisms import Event
from triptych.statistics import Estimate, wilson

WIDE = Mechanisms(
    events=(
        {0b00101: 0.1, 0b00110: 0.2, 0b01000: 0.05},
        {0b10001: 0.5},
        {0b11000: 0.93},
        {0b00111: 1e-3, 0b11111: 2e-3},
        {0b01101: 0.3},
        {0b00010: 0.4, 0b00001: 0.5, 0b00011: 0.1},
    ),
    detectors=3,
    observables=2,
)
"""Disjoint errors, mixing that is full or more, an event that always strikes."""


def enumerated(mechanisms: Mechanisms) -> dict[int, float]:
    """Outcome -> probability, from all combinations of errors."""
    found: defaultdict[int, float] = defaultdict(float)
    choices = [[(0, 1 - math.fsum(event.values())), *event.items()] for event in mechanisms.events]
    for combination in product(*choices):
        vector = 0
        for one, _ in combination:
            vector ^= one
        found[vector] += math.prod(p for _, p in combination)
    return found


def best(mechanisms: Mechanisms) -> tuple[list[float], float]:
    """By the definition: the rate of each observable, and of any, of the best decoder."""
    everything, k = enumerated(mechanisms), mechanisms.observables
    syndromes = range(1 << mechanisms.detectors)
    each = []
    for i in range(k):
        split = [
            [sum(everything.get(s << k | o, 0.0) for o in range(1 << k) if o >> i & 1 == flipped) for flipped in (0, 1)]
            for s in syndromes
        ]
        each.append(math.fsum(min(pair) for pair in split))
    jointly = (sorted(everything.get(s << k | o, 0.0) for o in range(1 << k)) for s in syndromes)
    return each, math.fsum(p for row in jointly for p in row[:-1])


@st.composite
def mechanisms(draw: st.DrawFn) -> Mechanisms:
    detectors, observables = draw(st.integers(0, 4)), draw(st.integers(1, 2))
    vectors = st.integers(1, (1 << detectors + observables) - 1)

    def event() -> Event:
        struck = draw(st.lists(vectors, min_size=1, max_size=4, unique=True))
        weights = draw(st.lists(st.floats(1e-3, 1.0), min_size=len(struck), max_size=len(struck)))
        rate = draw(st.sampled_from([1e-6, 1e-3, 0.1, 0.5, 0.9, 1.0]))
        return {vector: rate * weight / sum(weights) for vector, weight in zip(struck, weights, strict=True)}

    return Mechanisms(tuple(event() for _ in range(draw(st.integers(0, 5)))), detectors, observables)


def check_distribution(given: Mechanisms) -> None:
    truth, found = enumerated(given), transform(given)
    errors = [abs(p - truth.get(key, 0.0)) for (key,), p in zip(found.keys.tolist(), found.p.tolist(), strict=True)]
    assert math.fsum(errors) <= found.absolute < 1e-12


def check_rates(given: Mechanisms, distribution: Distribution) -> None:
    each, any_wrong = best(given)
    found = maximum_likelihood(distribution)
    for estimate, truth in zip((*found.observables, found.any), (*each, any_wrong), strict=True):
        assert estimate.lower <= truth + 1e-15 and truth - 1e-15 <= estimate.upper  # type: ignore[operator]
        assert abs(estimate.value - truth) <= estimate.half_width + 1e-15


def test_the_transform_against_all_combinations() -> None:
    check_distribution(WIDE)


@settings(max_examples=60, deadline=None)
@given(given=mechanisms())
def test_random_mechanisms(given: Mechanisms) -> None:
    check_distribution(given)
    check_rates(given, transform(given))
    for threshold in (0.0, 1e-4, 0.03):
        check_rates(given, follow(given, threshold=threshold))


def test_a_small_rate_has_all_its_digits_in_the_tree() -> None:
    """Three flips of probability p and a majority vote: 3 p^2 - 2 p^3, far below the rounding of the transform."""
    p = 1e-9
    model = stim.DetectorErrorModel(f"error({p}) D0 L0\nerror({p}) D0 D1\nerror({p}) D1")
    found = logical_error_rates(model, engine="tree", relative_width=1e-9)
    assert found.stopped == "" and found.any.value == pytest.approx(3 * p**2 - 2 * p**3, rel=1e-9)
    coarse = logical_error_rates(model, engine="transform")
    assert coarse.stopped == "rounding" and coarse.any.lower == 0.0 and found.any.value < coarse.any.upper < 1e-14  # type: ignore[operator]


def test_what_the_tree_drops_for_lack_of_memory_is_in_the_interval() -> None:
    events: list[Event] = [{1 << i | 1 << (7 * i + 3) % 16: 0.02, 1 << i: 0.01} for i in range(16)]
    given = Mechanisms(tuple(events), detectors=15, observables=1)
    truth = maximum_likelihood(transform(given)).any.value
    found = follow(given, threshold=0.0, max_memory_gb=1e-4)
    rate = maximum_likelihood(found).any
    assert found.exhausted and rate.lower <= truth <= rate.upper  # type: ignore[operator]
    assert found.missing > 0 and found.p.sum() + found.missing == pytest.approx(1.0, abs=1e-12)


def test_syndromes_beyond_one_word() -> None:
    """Eighty repeated bits: each detector compares neighbours, and the observable is the first bit."""
    lines = ["error(0.001) D0 L0", *(f"error(0.001) D{i} D{i + 1}" for i in range(79)), "error(0.001) D79"]
    found = follow(of_model(stim.DetectorErrorModel("\n".join(lines))), threshold=1e-8)
    assert found.keys.shape[1] == 2
    syndromes = found.syndromes(np.arange(found.starts.size - 1))
    kept = {tuple(np.flatnonzero(row).tolist()): found.p[start] for row, start in zip(syndromes, found.starts[:-1], strict=True)}
    assert len(kept) == len(syndromes) == len(found.p)
    single = [(0,), *((i, i + 1) for i in range(79)), (79,)]
    assert [kept[fired] for fired in single] == pytest.approx([0.001 * 0.999**80] * 81, rel=1e-12)
    assert kept[0, 1, 40, 41] == pytest.approx(0.001**2 * 0.999**79, rel=1e-12)
    flipped = {fired for fired, start in zip(kept, found.starts[:-1], strict=True) if found.flips[start]}
    assert (0,) in flipped and not flipped & set(single[1:])


def surface(rounds: int, p: float) -> stim.Circuit:
    return stim.Circuit.generated(
        "surface_code:rotated_memory_z",
        distance=3,
        rounds=rounds,
        after_clifford_depolarization=p,
        before_measure_flip_probability=p,
        after_reset_flip_probability=p,
        before_round_data_depolarization=p,
    )


def matched(circuit: stim.Circuit, shots: int) -> Estimate:
    """How often the matching decoder is wrong about samples."""
    model = circuit.detector_error_model(decompose_errors=True)
    decoder = sinter.BUILT_IN_DECODERS["pymatching"].compile_decoder_for_dem(dem=model)
    detections, truth = circuit.compile_detector_sampler(seed=1).sample(shots, separate_observables=True, bit_packed=True)
    wrong = decoder.decode_shots_bit_packed(bit_packed_detection_event_data=detections) != truth
    return wilson(int(wrong.sum()), shots)


def test_a_matching_decoder_against_samples() -> None:
    circuit = surface(2, 1e-2)
    found = logical_error_rates(circuit, decoder="pymatching", relative_width=1e-2)
    assert abs(matched(circuit, 100_000).pull(found.any.value)) < 4  # type: ignore[arg-type]
    assert found.any.half_width <= 1e-2 * found.any.value and found.stopped == ""
    assert found.cost.counts["syndromes_decoded"] < 2**16
    assert logical_error_rates(circuit).any.value < found.any.value


@pytest.mark.slow
def test_twenty_five_bits() -> None:
    """Distance 3, three rounds: exact, above the best decoder, as sampled, and inside what the tree certifies."""
    circuit = surface(3, 1e-3)
    exact, matching = logical_error_rates(circuit), logical_error_rates(circuit, decoder="pymatching")
    tree = logical_error_rates(circuit, engine="tree", relative_width=1e-3)
    assert (exact.engine, exact.any.half_width < 1e-10, matching.stopped) == ("transform", True, "")
    assert tree.any.lower <= exact.any.value <= tree.any.upper < matching.any.value  # type: ignore[operator]
    assert abs(matched(circuit, 1_000_000).pull(matching.any.value)) < 4  # type: ignore[arg-type]


def test_every_way_to_name_a_decoder_is_the_same() -> None:
    circuit = surface(1, 1e-2)
    model = circuit.detector_error_model(decompose_errors=True)
    kind = sinter.BUILT_IN_DECODERS["pymatching"]

    def by_hand(syndromes: np.ndarray) -> np.ndarray:
        packed = np.packbits(syndromes, axis=1, bitorder="little")
        made = kind.compile_decoder_for_dem(dem=model)
        return made.decode_shots_bit_packed(bit_packed_detection_event_data=packed) & 1 == 1

    rates = [logical_error_rates(circuit, decoder=one).any.value for one in ("pymatching", kind, by_hand)]
    assert rates[0] == rates[1] == rates[2]


def test_a_decoder_against_all_combinations() -> None:
    def decoder(syndromes: np.ndarray) -> np.ndarray:
        return np.stack([syndromes[:, 0] ^ syndromes[:, 2], syndromes[:, 1]], axis=1)

    truth = np.zeros(3)
    for key, p in enumerated(WIDE).items():
        s = np.array([[key >> 2 & 1, key >> 3 & 1, key >> 4 & 1]], dtype=bool)
        miss = decoder(s)[0] ^ np.array([key & 1, key >> 1 & 1], dtype=bool)
        truth += p * np.array([*miss, miss.any()])
    for distribution in (transform(WIDE), follow(WIDE, threshold=0.0)):
        found = evaluate(distribution, decoder, relative_width=1e-9)
        assert [one.value for one in (*found.observables, found.any)] == pytest.approx(truth, abs=1e-13)


def test_undecoded_syndromes_are_in_the_interval() -> None:
    """With a wide interval most of the 2^16 syndromes are never decoded."""
    distribution = transform(of_model(surface(2, 1e-2).detector_error_model()))
    trivial = lambda syndromes: np.zeros((len(syndromes), 1), dtype=bool)  # noqa: E731
    whole = evaluate(distribution, trivial, relative_width=1e-9)
    part = evaluate(distribution, trivial, relative_width=0.2)
    assert part.decoded < whole.decoded == 2**16
    assert part.any.lower <= whole.any.value <= part.any.upper  # type: ignore[operator]
    assert whole.any.value == pytest.approx(float(distribution.p[distribution.flips == 1].sum()), rel=1e-12)


def test_the_tree_and_the_transform_agree() -> None:
    circuit = surface(2, 1e-3)
    exact = logical_error_rates(circuit)
    tree = logical_error_rates(circuit, engine="tree", relative_width=1e-2)
    assert (exact.engine, tree.engine, tree.stopped) == ("transform", "tree", "")
    assert tree.any.lower <= exact.any.value <= tree.any.upper  # type: ignore[operator]
    assert tree.any.half_width <= 1e-2 * tree.any.value
    fixed = logical_error_rates(circuit, event_threshold=1e-7)
    assert fixed.stopped == "event_threshold" and fixed.any.lower <= exact.any.value <= fixed.any.upper  # type: ignore[operator]
    small = logical_error_rates(circuit, max_memory_gb=1e-3)
    assert (small.engine, small.stopped) == ("tree", "max_memory_gb")
    assert small.any.lower <= exact.any.value <= small.any.upper  # type: ignore[operator]


def test_a_program_of_our_own_is_pulled_back() -> None:
    """Three bits that are repeated, compared and read: the errors of each event, followed by hand."""
    circuit = Builder(noise=Noise(reset=0.0, one_qubit=0.0, two_qubit=0.0, measurement=0.1))
    circuit.add(*(do.Prepare(qubit=q) for q in range(3)), do.Depolarize1(qubit=0, rate=0.3)).cx(0, 1).h(2).cx(2, 0).h(2)
    program = circuit.measure(0, 1, 2).program(blocks=[])
    found = of_program(program, detectors=[1, 2], observables=[0])
    # X on 0 flips bits 0 and 1; Z on 0 reaches 2 through the second CNOT, and its Hadamard makes it a flip
    assert [list(event) for event in found.events] == [[0b011, 0b111, 0b100], [0b001], [0b010], [0b100]]
    assert list(found.events[0].values()) == pytest.approx([0.1, 0.1, 0.1]) and found.events[1] == {1: 0.1}


def test_repeated_models() -> None:
    text = "repeat 3 {\n error(0.1) D0 D1 ^ D1 L0\n shift_detectors 1\n}\nerror(0.2) D0\nerror(0) D5\nlogical_observable L1"
    found = of_model(stim.DetectorErrorModel(text))
    assert found == Mechanisms(({0b101: 0.1}, {0b1001: 0.1}, {0b10001: 0.1}, {0b100000: 0.2}), detectors=9, observables=2)


def test_decoders_that_cannot_help(monkeypatch: pytest.MonkeyPatch) -> None:
    three = stim.Circuit("E(0.1) X0 X1 X2\nM 0 1 2\n" + "\n".join(f"DETECTOR rec[-{i}]" for i in (1, 2, 3)))
    with pytest.raises(ConfigError, match="Failed to decompose"):
        logical_error_rates(three, decoder="pymatching")
    monkeypatch.setitem(sys.modules, "sinter", None)
    with pytest.raises(MissingExtraError, match=r"triptych\[decoders\]"):
        logical_error_rates(surface(1, 1e-2), decoder="pymatching")


def test_what_is_refused() -> None:
    model = stim.DetectorErrorModel("error(0.1) D30 L0")
    with pytest.raises(ConfigError, match="32 bits"):
        logical_error_rates(model, engine="transform")
    with pytest.raises(ConfigError, match="no such decoder"):
        logical_error_rates(model, decoder="pymathcing")
    with pytest.raises(ConfigError, match="not a decoder"):
        logical_error_rates(model, decoder=3)
    with pytest.raises(ConfigError, match="another shape"):
        logical_error_rates(model, engine="tree", decoder=lambda syndromes: np.zeros(len(syndromes)))
    with pytest.raises(ConfigError, match="no such engine"):
        logical_error_rates(model, engine="wht")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="relative_width"):
        logical_error_rates(model, relative_width=0.0)
    with pytest.raises(ConfigError, match="no threshold"):
        logical_error_rates(model, engine="transform", event_threshold=1e-3)
    with pytest.raises(ConfigError, match="too many observables"):
        logical_error_rates(stim.DetectorErrorModel("error(0.1) D0 L60"))
    with pytest.raises(ConfigError, match="not linear"):
        of_program(steane.recovery(Noise.uniform(1e-3)), detectors=[], observables=[0])
