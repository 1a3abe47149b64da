"""Exact and certified logical error rates of circuits with detectors.

In: a Stim circuit, a detector error model, or a linear program with the bits that are looked at. Out: the joint distribution of
detectors and observables, and how often a decoder is wrong.
"""

from triptych.qec.detectors.decoding import Verdict, evaluate, maximum_likelihood
from triptych.qec.detectors.distribution import Distribution, follow, transform
from triptych.qec.detectors.mechanisms import Mechanisms, of_model, of_program
from triptych.qec.detectors.rates import LogicalErrorRates, logical_error_rates

__all__ = [
    "Distribution",
    "LogicalErrorRates",
    "Mechanisms",
    "Verdict",
    "evaluate",
    "follow",
    "logical_error_rates",
    "maximum_likelihood",
    "of_model",
    "of_program",
    "transform",
]
