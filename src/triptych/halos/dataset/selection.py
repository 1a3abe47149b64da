"""Which halos enter a data set, and which of them a network learns from.

In: masses and radii of halos; which simulations train, validate and test. Out: the halos inside the cuts with the number lost to
each cut; the split of every halo. Simulations are never mixed: what trains is never tested.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triptych.errors import ConfigError, DataError
from triptych.halos.cosmology import HALO_OVERDENSITY, Cosmology

Split = Literal["training", "validation", "test"]
SPLITS: tuple[Split, ...] = ("training", "validation", "test")  # their place is their code in the column ``split``


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """The halos of Lucie-Smith, Peiris & Pontzen (arXiv:2305.03077): 10^11 to 10^13 Msun (not Msun/h).

    Attributes
    ----------
    lowest, highest : log10 of M200m / Msun.
    largest_radius : r200m in comoving kpc/h; None takes all. The Letter has 150 for profiles that reach out to 2 r200m.

    Raises
    ------
    ConfigError
        If no halo could pass.

    Examples
    --------
    >>> import numpy as np
    >>> chosen, lost = Cuts(largest_radius=150.0).apply(np.array([5e10, 1e11, 3e12]), np.array([80.0, 98.0, 300.0]), hubble=0.7)
    >>> chosen.tolist(), lost
    ([1], {'mass below': 1, 'mass above': 0, 'radius above': 1})
    """

    lowest: float = 11.0
    highest: float = 13.0
    largest_radius: float | None = None

    def __post_init__(self) -> None:
        if not (self.lowest < self.highest and (self.largest_radius is None or self.largest_radius > 0)):
            raise ConfigError(
                "no halo can pass these cuts",
                got=asdict(self),
                expected="lowest < highest (log10 of M200m in Msun), largest_radius > 0 (comoving kpc/h)",
                fix="the Letter has 11, 13 and, for profiles beyond r200m, 150",
            )

    def mass_range(self, cosmology: Cosmology) -> tuple[float, float]:
        """The M200m in Msun/h between which halos pass; that of the largest radius is 4/3 pi r200m^3 200 rho_m.

        Raises
        ------
        ConfigError
            If there are none.

        Examples
        --------
        >>> planck = Cosmology(omega_matter=0.3089, omega_lambda=0.6911, hubble=0.6774)
        >>> [f"{mass / planck.hubble:.2e}" for mass in Cuts(largest_radius=150.0).mass_range(planck)]  # in Msun
        ['1.00e+11', '3.58e+11']
        """
        lowest, highest = 10**self.lowest * cosmology.hubble, 10**self.highest * cosmology.hubble
        if self.largest_radius is not None:
            widest = 4.0 / 3.0 * np.pi * self.largest_radius**3 * HALO_OVERDENSITY * cosmology.mean_density
            highest = min(highest, widest)
        if not lowest < highest:
            raise ConfigError(
                "no halo can pass these cuts",
                got=f"at least {lowest:.3g} Msun/h by mass, at most {highest:.3g} Msun/h by radius",
                expected="a radius cut above that of the smallest mass",
                fix="raise largest_radius, or lower the smallest mass",
            )
        return lowest, highest

    def apply(
        self, mass: NDArray[np.float64], radius: NDArray[np.float64], *, hubble: float
    ) -> tuple[NDArray[np.intp], dict[str, int]]:
        """Rows of the halos that pass, and how many are lost to each cut; a halo counts for the first cut that it fails.

        Parameters
        ----------
        mass : (halo,), M200m in Msun/h.
        radius : (halo,), r200m in comoving kpc/h.
        hubble : h, which turns Msun/h into Msun.
        """
        log_mass = np.log10(np.asarray(mass) / hubble)
        widest = np.inf if self.largest_radius is None else self.largest_radius
        fails = {"mass below": log_mass < self.lowest, "mass above": log_mass > self.highest, "radius above": radius > widest}
        passing = np.ones(len(log_mass), dtype=bool)
        lost = {}
        for name, fail in fails.items():
            lost[name] = int((passing & fail).sum())
            passing &= ~fail
        return np.flatnonzero(passing), lost


class Role(NamedTuple):
    """What the halos of one simulation are for.

    Attributes
    ----------
    simulation : its name.
    splits : ``("training",)``, ``("validation",)``, ``("test",)``, or validation and test, which then share its halos.
    """

    simulation: str
    splits: tuple[Split, ...]


def roles(given: Mapping[Split, Sequence[str]]) -> list[Role]:
    """The simulations in order of appearance, each with its split.

    Raises
    ------
    ConfigError
        If there is no simulation, one is named twice for one split, or trains and is held out as well.

    Examples
    --------
    >>> roles({"training": ["a", "b"], "validation": ["c"], "test": ["c"]})[-1]
    Role(simulation='c', splits=('validation', 'test'))
    """
    uses: dict[str, list[Split]] = {}
    for split in SPLITS:
        for simulation in given.get(split, ()):
            uses.setdefault(simulation, []).append(split)
    if not uses:
        raise ConfigError("there is no simulation", expected="at least one", fix="name the folder of a run: training = [...]")
    for simulation, splits in uses.items():
        if len(set(splits)) < len(splits):
            raise ConfigError("a simulation is named twice", got=f"{simulation} for {splits[0]}", fix="name each once")
        if "training" in splits and len(splits) > 1:
            raise ConfigError(
                "a simulation trains and is held out as well",
                got=f"{simulation} for {', '.join(splits)}",
                expected="training on some simulations, validation and test on others",
                fix="its halos share their environment: take another simulation for one of the two",
            )
    return [Role(simulation, tuple(splits)) for simulation, splits in uses.items()]


def assign(role: Role, halos: int, *, rng: np.random.Generator) -> NDArray[np.int8]:
    """The split code (halo,) of the halos of one simulation: all alike, or alternating in a random order.

    Raises
    ------
    DataError
        If a split would stay without halos.

    Examples
    --------
    >>> import numpy as np
    >>> codes = assign(Role("c", ("validation", "test")), 5, rng=np.random.default_rng(1))
    >>> np.bincount(codes, minlength=3).tolist()
    [0, 3, 2]
    """
    if halos < len(role.splits):
        raise DataError(
            "too few halos pass the cuts",
            got=f"{halos} of {role.simulation} for {' and '.join(role.splits)}",
            expected=f"at least {len(role.splits)}",
            fix="widen the cuts, or take a larger simulation",
        )
    codes = np.array([SPLITS.index(split) for split in role.splits], dtype=np.int8)
    result = np.empty(halos, dtype=np.int8)
    result[rng.permutation(halos)] = codes[np.arange(halos) % len(codes)]
    return result


def blocks(halos: int, block: int) -> Iterator[slice]:
    """The rows 0 .. halos in consecutive slices of at most `block`."""
    for first in range(0, halos, block):
        yield slice(first, min(first + block, halos))
