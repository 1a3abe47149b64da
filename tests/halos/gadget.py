"""Small files in the form of GADGET-4, with any particles and any fault."""

from __future__ import annotations

import h5py
import numpy as np

from triptych.halos import CRITICAL_DENSITY

MPC, KPC = 3.085678e24, 3.085678e21


def parameters(unit_length=KPC, softening=1.0):
    return {
        "Omega0": 0.3,
        "OmegaLambda": 0.7,
        "HubbleParam": 0.7,
        "UnitLength_in_cm": unit_length,
        "UnitMass_in_g": 1.989e43,
        "SofteningClassOfPartType1": 0,
        "SofteningComovingClass0": softening,
        "SofteningMaxPhysClass0": softening,
    }


def write_snapshot(path, positions, *, mass=1.0, masses=None, box=1000.0, a=1.0, kind=1, parts=1, parameter=None, leave_out=()):
    """Particles of one type in file units; `path` holds ``{}`` for the number of the part where there are several."""
    blocks = np.array_split(np.arange(len(positions)), parts)
    for part, rows in enumerate(blocks):
        with h5py.File(str(path).format(part), "w") as file:
            total = np.zeros(6, dtype=np.uint64)
            total[kind] = len(positions)
            here, table = np.zeros(6, dtype=np.uint64), np.zeros(6)
            here[kind], table[kind] = len(rows), mass if masses is None else 0.0
            header = {
                "BoxSize": box,
                "MassTable": table,
                "NumFilesPerSnapshot": parts,
                "NumPart_ThisFile": here,
                "NumPart_Total": total,
                "Redshift": 1 / a - 1,
                "Time": a,
            }
            header = {key: value for key, value in header.items() if key not in leave_out}
            file.create_group("Header").attrs.update(header)
            file.create_group("Parameters").attrs.update(parameters() if parameter is None else parameter)
            group = file.create_group(f"PartType{kind}")
            group["Coordinates"] = np.asarray(positions)[rows]
            if masses is not None:
                group["Masses"] = np.asarray(masses)[rows]


def write_catalogue(path, centres, *, lengths, masses, box=1000.0, a=1.0, parts=1, parameter=None, leave_out=()):
    """FOF groups in file units, without SUBFIND masses; no datasets in a part without groups, as GADGET-4 does."""
    for part, rows in enumerate(np.array_split(np.arange(len(centres)), parts)):
        with h5py.File(str(path).format(part), "w") as file:
            header = {
                "BoxSize": box,
                "NumFiles": parts,
                "Ngroups_ThisFile": len(rows),
                "Ngroups_Total": len(centres),
                "Redshift": 1 / a - 1,
                "Time": a,
            }
            file.create_group("Header").attrs.update({key: value for key, value in header.items() if key not in leave_out})
            file.create_group("Parameters").attrs.update(parameters() if parameter is None else parameter)
            if len(rows) == 0:
                continue
            group = file.create_group("Group")
            columns = {"GroupPos": centres, "GroupLen": lengths, "GroupMass": masses}
            columns |= {f"Group_{q}_{d}200": np.zeros(len(centres)) for q in "MR" for d in ("Mean", "Crit", "TopHat")}
            for name, values in columns.items():
                if name not in leave_out:
                    group[name] = np.asarray(values)[rows]


def nfw_ball(number, rs, r200, *, rng):
    """Offsets of particles in a sphere of radius r200 that follow an NFW profile, by rejection in x = r / rs."""
    radii = np.empty(0)
    while len(radii) < number:
        x = rng.uniform(0, r200 / rs, 4 * number)
        keep = rng.uniform(0, 0.25, x.size) < x / (1 + x) ** 2  # r^2 rho(r), at most 1/4
        radii = np.append(radii, rs * x[keep])
    direction = rng.normal(size=(number, 3))
    return radii[:number, None] * direction / np.linalg.norm(direction, axis=1, keepdims=True)


MEAN_DENSITY = 0.3 * CRITICAL_DENSITY
