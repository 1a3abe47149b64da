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


def write_halos(folder, output, groups, *, field=(), positions=None, subhalos=True, ids=True, parts=1, a=None, box=1000.0):
    """A snapshot and its catalogue in a folder.

    `groups` is a list of FOF groups, each a list of subhalos, each the IDs of its particles, the most bound first; a tuple at the
    end of a group holds particles that are not bound to any of its subhalos. The particles of `field` are in no group.
    `positions` maps an ID to a place; a halo lies where its first particle does.
    """
    a = 0.1 * (output + 1) if a is None else a
    everywhere = (lambda _: np.full(3, box / 2)) if positions is None else positions.__getitem__
    members = [[particle for subhalo in group for particle in subhalo] for group in groups]
    bound = [[list(subhalo) for subhalo in group if not isinstance(subhalo, tuple)] for group in groups]
    order = [particle for group in members for particle in group] + list(field)
    places = np.array([everywhere(particle) for particle in order]).reshape(-1, 3)
    several = "" if parts == 1 else ".{}"
    path = str(folder / f"snapshot_{output:03d}{several}.hdf5")
    write_snapshot(path, places, a=a, parts=parts, box=box)
    for part, rows in enumerate(np.array_split(np.arange(len(order)), parts)):
        if ids:
            with h5py.File(path.format(part), "r+") as file:
                file["PartType1/ParticleIDs"] = np.array(order, dtype=np.uint64)[rows]
    lengths = [len(group) for group in members]
    path = str(folder / f"fof_subhalo_tab_{output:03d}{several}.hdf5")
    centres = np.array([everywhere(group[0]) for group in members]).reshape(-1, 3)
    write_catalogue(path, centres, lengths=lengths, masses=np.array(lengths, dtype=float), a=a, parts=parts, box=box)
    flat = [(number, rank, subhalo) for number, group in enumerate(bound) for rank, subhalo in enumerate(group)]
    count = np.array([len(subhalo) for _, _, subhalo in flat], dtype=np.int32)
    starts = np.cumsum([0, *lengths])
    within = [sum(map(len, bound[number][:rank])) for number, rank, _ in flat]
    columns = {
        "SubhaloPos": np.array([everywhere(subhalo[0]) for _, _, subhalo in flat]).reshape(-1, 3),
        "SubhaloLen": count,
        "SubhaloMass": count.astype(np.float32),
        "SubhaloGroupNr": np.array([number for number, _, _ in flat], dtype=np.int64),
        "SubhaloRankInGr": np.array([rank for _, rank, _ in flat], dtype=np.int32),
        "SubhaloLenType": _of_type_one(count),
        "SubhaloOffsetType": _of_type_one([starts[number] + inside for (number, _, _), inside in zip(flat, within, strict=True)]),
    }
    of_groups = {"GroupLenType": _of_type_one(lengths), "GroupOffsetType": _of_type_one(starts[:-1])}
    for part in range(parts):
        with h5py.File(path.format(part), "r+") as file:
            rows = np.array_split(np.arange(len(groups)), parts)[part]
            for name, values in of_groups.items() if len(rows) else ():
                file["Group"][name] = values[rows]
            if subhalos:
                _write_rows(file, "Subhalo", "Nsubhalos", columns, part, parts)


def _of_type_one(values):
    table = np.zeros((len(values), 6), dtype=np.int64)
    table[:, 1] = values
    return table


def _write_rows(file, table, count, columns, part=0, parts=1):
    """Part of the rows of a table, and the header's counts; no table without rows, as GADGET-4 does."""
    total = len(next(iter(columns.values())))
    rows = np.array_split(np.arange(total), parts)[part]
    file.require_group("Header").attrs.update({"NumFiles": parts, f"{count}_ThisFile": len(rows), f"{count}_Total": total})
    for name, values in columns.items() if len(rows) else ():
        file.require_group(table)[name] = np.asarray(values)[rows]


def write_links(folder, output, descendant, progenitor, parts=1):
    """Links of the subhalos of `output` to the next one, and of the next one back."""
    several = "" if parts == 1 else ".{}"
    for kind, number, name, links in (
        ("desc", output, "DescSubhaloNr", descendant),
        ("prog", output + 1, "ProgSubhaloNr", progenitor),
    ):
        for part in range(parts):
            with h5py.File(str(folder / f"subhalo_{kind}_{number:03d}{several}.hdf5").format(part), "w") as file:
                _write_rows(file, "Subhalo", "Nsubhalos", {name: np.asarray(links, dtype=np.int64)}, part, parts)


def write_trees(path, *, snap, subhalo, group, tree, main, first_in_group, last, parts=1):
    """A finished tree; `main` and `first_in_group` are rows of the table, which must be sorted by `tree`."""
    tree = np.asarray(tree)
    length = np.bincount(tree)
    start = np.cumsum(length) - length
    columns = {
        "SnapNum": snap,
        "SubhaloNr": subhalo,
        "GroupNr": group,
        "TreeID": tree,
        "TreeIndex": np.arange(len(tree)) - start[tree],
        "TreeMainProgenitor": np.where(np.asarray(main) < 0, -1, main - start[tree]),
        "TreeFirstHaloInFOFgroup": first_in_group - start[tree],
    }
    for part in range(parts):
        with h5py.File(str(path).format(part), "w") as file:
            _write_rows(file, "TreeHalos", "Nhalos", columns, part, parts)
            _write_rows(file, "TreeTable", "Ntrees", {"StartOffset": start, "Length": length}, part, parts)
            file["Header"].attrs["LastSnapShotNr"] = last


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
