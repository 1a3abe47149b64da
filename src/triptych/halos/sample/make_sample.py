"""How the sample was made from the full output of GADGET-4.

In: the folder of a run and an output number. Out: the catalogue as it is, and the snapshot without velocities, losslessly packed.
Usage: ``python make_sample.py RUN_FOLDER NUMBER TARGET_FOLDER``.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import h5py

KEPT = ("Coordinates", "ParticleIDs")


def pack(source: Path, target: Path) -> None:
    """Copy groups, attributes and the datasets in KEPT under their original names."""
    with h5py.File(source, "r") as full, h5py.File(target, "w") as small:
        for name, group in full.items():
            copy = small.create_group(name)
            copy.attrs.update(group.attrs)
            for key in KEPT:
                if key in group:
                    data = group[key][()]
                    chunks = (len(data), 1) if data.ndim == 2 else True
                    copy.create_dataset(key, data=data, chunks=chunks, shuffle=True, compression="gzip", compression_opts=9)
                    copy[key].attrs.update(group[key].attrs)


if __name__ == "__main__":
    run, output, folder = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    pack(run / f"snapshot_{output:03d}.hdf5", folder / f"snapshot_{output:03d}.hdf5")
    shutil.copyfile(run / f"fof_subhalo_tab_{output:03d}.hdf5", folder / f"fof_subhalo_tab_{output:03d}.hdf5")
