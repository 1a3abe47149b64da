"""How often is a decoder wrong?

In: a joint distribution, and a decoder. Out: the probability that it mispredicts each observable, and any of them. Each syndrome
is decoded once, the probable ones first, and nothing is drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import stim
from numpy.typing import NDArray

from triptych.errors import ConfigError, MissingExtraError, did_you_mean
from triptych.qec.detectors import kernels
from triptych.qec.detectors.distribution import Distribution
from triptych.qec.detectors.kernels import UNDECODED, Rows
from triptych.statistics import Estimate

Bits = NDArray[np.bool_]
Decoder = Callable[[Bits], Bits]
"""From (syndrome, detector) to the predicted (syndrome, observable)."""

FIRST = 4096  # syndromes of the first batch
GROWTH = 2  # of the batches, after each of which the interval is looked at


class Verdict(NamedTuple):
    """Logical error rates: observable by observable, and of any of them. `decoded` syndromes were looked at."""

    observables: tuple[Estimate, ...]
    any: Estimate
    decoded: int


def maximum_likelihood(distribution: Distribution) -> Verdict:
    """What no decoder can beat: sum over syndromes s of min(P(s, flipped), P(s, not flipped)), summed directly.

    The rate of a single observable is that of the best decoder for it, the rate of any that of the best decoder for all together.

    Examples
    --------
    A bit that is repeated three times, with flips of probability 0.1:

    >>> from triptych.qec.detectors import of_model, transform
    >>> model = stim.DetectorErrorModel("error(0.1) D0 L0; error(0.1) D0 D1; error(0.1) D1".replace("; ", chr(10)))
    >>> print(f"{maximum_likelihood(transform(of_model(model))).any.value:.6f}")  # 3 p^2 (1 - p) + p^3
    0.028000
    """
    jointly, singly = kernels.likeliest(distribution.starts, distribution.flips, distribution.p, distribution.observables)
    each, every = (_wrong(distribution, predicted) for predicted in (singly, jointly))
    return Verdict(tuple(_estimates(distribution, each)[:-1]), _estimates(distribution, every)[-1], jointly.size)


def evaluate(distribution: Distribution, decoder: Decoder, *, relative_width: float) -> Verdict:
    """The error rates of a decoder.

    Syndromes are decoded in the order of their probability, until the interval of the rate of any error is as narrow as
    `relative_width` (half of it over the rate), or until the rest is less probable than what the distribution does not know.

    Raises
    ------
    ConfigError
        If the decoder's predictions have another shape than (syndrome, observable).
    """
    mass = np.add.reduceat(distribution.p, distribution.starts[:-1])
    order = np.argsort(-mass, kind="stable")
    predicted = np.full(order.size, UNDECODED)
    done, size = 0, FIRST
    while True:
        chosen = order[done : done + size]
        predicted[chosen] = _packed(decoder(distribution.syndromes(chosen)), (chosen.size, distribution.observables))
        done, size = done + chosen.size, size * GROWTH
        found = _wrong(distribution, predicted)
        *each, every = _estimates(distribution, found)
        tight, unknown = every.half_width <= relative_width * every.value, max(distribution.missing, distribution.absolute)
        if tight or found[-1] <= unknown or done == order.size:
            return Verdict(tuple(each), every, done)


def _wrong(distribution: Distribution, predicted: Rows) -> list[float]:
    sums = kernels.wrong(distribution.starts, distribution.flips, distribution.p, predicted, distribution.observables)
    return [float(one) for one in sums]


def _estimates(distribution: Distribution, found: list[float]) -> list[Estimate]:
    """Of each observable and of any; the last of `found` is the probability of the syndromes without a prediction."""
    *wrong, undecoded = found
    bounds = [distribution.between(one, undecoded) for one in wrong]
    return [Estimate.certified(value, lower=lower, upper=upper) for value, lower, upper in bounds]


def _packed(predictions: Bits, shape: tuple[int, int]) -> Rows:
    if np.shape(predictions) != shape:
        raise ConfigError("the decoder answers in another shape", got=np.shape(predictions), expected=f"{shape}")
    packed: Rows = np.asarray(predictions, dtype=bool) @ (1 << np.arange(shape[1], dtype=np.int64))
    return packed


def compiled(decoder: Any, source: stim.Circuit | stim.DetectorErrorModel) -> Decoder:
    """A decoder as a function.

    Parameters
    ----------
    decoder : a name that sinter knows (``"pymatching"``), an object of sinter's kind (with ``compile_decoder_for_dem``), or a
        function already.
    source : what the decoder is to know of the noise; of a circuit, Stim's detector error model.

    Raises
    ------
    ConfigError
        If it is none of these, or if the decoder cannot do with the model.
    MissingExtraError
        If the decoder, or sinter, is not installed.
    """
    if isinstance(decoder, str):
        decoder = _by_name(decoder)
    if not hasattr(decoder, "compile_decoder_for_dem"):
        if not callable(decoder):
            raise ConfigError("not a decoder", got=decoder, expected="a name, a function, or an object as of sinter")
        function: Decoder = decoder
        return function
    model = _model(source)
    try:
        made = decoder.compile_decoder_for_dem(dem=model)
    except ImportError as error:
        raise MissingExtraError("the decoder is not installed", got=str(error), fix="install its package") from error
    except ValueError as error:
        raise ConfigError("the decoder refuses this model", got=str(error)) from error

    def decode(syndromes: Bits) -> Bits:
        packed = np.packbits(syndromes, axis=1, bitorder="little")
        answer = made.decode_shots_bit_packed(bit_packed_detection_event_data=packed)
        return np.unpackbits(answer, axis=1, count=model.num_observables, bitorder="little").astype(bool)

    return decode


def _model(source: stim.Circuit | stim.DetectorErrorModel) -> stim.DetectorErrorModel:
    """What Stim tells a decoder of a circuit: independent errors, as edges where it finds them."""
    if not isinstance(source, stim.Circuit):
        return source
    try:
        return source.detector_error_model(decompose_errors=True, approximate_disjoint_errors=True)
    except ValueError as error:
        raise ConfigError(
            "Stim finds no detector error model of edges for a decoder",
            got=str(error).splitlines()[0],
            fix="take a decoder that is a function of the syndromes, or maximum_likelihood",
        ) from error


def _by_name(name: str) -> Any:
    try:
        import sinter
    except ModuleNotFoundError as error:
        fix = "pip install 'triptych[decoders]'"
        raise MissingExtraError("decoders come with sinter, which is not installed", fix=fix) from error
    known = sinter.BUILT_IN_DECODERS
    if name not in known:
        raise ConfigError("no such decoder", got=name, fix=did_you_mean(name, ["maximum_likelihood", *known]))
    return known[name]
