"""The exact engine: gadgets compiled to channels, and a network of them contracted."""

from triptych.qec.exact.algebra import REAL, Algebra, jets, series
from triptych.qec.exact.compiled import Short, compiled
from triptych.qec.exact.network import BYTES, Plan, Solution, affordable, plan, solve

__all__ = ["BYTES", "REAL", "Algebra", "Plan", "Short", "Solution", "affordable", "compiled", "jets", "plan", "series", "solve"]
