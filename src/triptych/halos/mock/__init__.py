"""A mock universe with a known truth.

In: a seed. Out: halos whose masses follow Tinker's mass function, whose histories are diffmah's with smooth noise, whose cores
are as dense as the universe was when they assembled, whose outskirts end where recent accretion puts them; triaxial, with
substructure, in particles of the Letter's mass. Every number has a source, or is marked as an assumption: :mod:`.amplitudes`.

Examples
--------
>>> from triptych.halos.mock import draw_universe
>>> universe = draw_universe(100, seed=7)
>>> universe.histories.shape, bool((universe.structure.truncation > 0.5).all())
((100, 91), True)
"""

from triptych.halos.mock.gadget import write_simulation
from triptych.halos.mock.universe import LETTER_OUTPUTS, LETTER_PARTICLE_MASS, PLANCK, Universe, draw_universe

__all__ = ["LETTER_OUTPUTS", "LETTER_PARTICLE_MASS", "PLANCK", "Universe", "draw_universe", "write_simulation"]
