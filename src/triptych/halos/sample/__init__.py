"""Real output of GADGET-4 that comes with the package: see README.md in this folder.

In: the name of a run. Out: its folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def sample_data(run: Literal["letter", "tiny32"] = "letter") -> Path:
    """The folder of a small simulation that comes with the package.

    ``letter`` has the resolution of Lucie-Smith, Peiris & Pontzen (2023): 64^3 particles of 8e7 Msun/h in 6.25 Mpc/h, at z = 0.
    ``tiny32`` is coarse: 32^3 particles of 2.1e10 Msun/h in 20 Mpc/h, at z = 0, with a halo across the edge of the box; it also
    has a catalogue without groups, output 0 at z = 7.

    Examples
    --------
    >>> sorted(path.name for path in sample_data().iterdir())
    ['fof_subhalo_tab_023.hdf5', 'snapshot_023.hdf5']
    """
    return Path(__file__).parent / run
