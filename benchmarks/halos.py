"""Spherical overdensity masses with the tree against the distances to all particles, in one run.

In: nothing but the sample of the package. Out: a table on stdout. Both find mass and radius of every group with 300 particles
or more; the rival sorts the distances of all particles about each centre and takes the outermost crossing.
"""

from __future__ import annotations

import time

import numpy as np

from triptych.halos import index, overdensity, read_catalogue, read_snapshot, sample_data, threshold


def main() -> None:
    titles = {
        "run": 8,
        "particles": 10,
        "halos": 6,
        "tree s": 8,
        "masses s": 9,
        "all pairs s": 12,
        "ratio": 7,
        "same": 6,
        "worst": 8,
    }
    print(" ".join(f"{title:>{width}}" for title, width in titles.items()))
    for run in ("tiny32", "letter"):
        snapshot, groups = read_snapshot(sample_data(run)), read_catalogue(sample_data(run))
        rows = np.flatnonzero(groups.lengths >= 300)
        density = threshold(snapshot.cosmology, "200m", snapshot.redshift)
        began = time.perf_counter()
        particles = index(snapshot)
        built = time.perf_counter()
        ours = overdensity(particles, groups.positions[rows], groups.masses[rows], density).mass
        done = time.perf_counter()
        theirs = []
        for centre in groups.positions[rows]:
            offset = np.abs(snapshot.positions - centre)
            offset = np.minimum(offset, snapshot.box_size - offset)
            order = np.argsort(distance := np.sqrt((offset**2).sum(axis=1)))
            mass = np.cumsum(snapshot.masses[order])
            radius = np.cbrt(3 * mass / (4 * np.pi * density))
            inside = (distance[order] <= radius) & (radius < np.append(distance[order][1:], np.inf))
            theirs.append(mass[np.flatnonzero(inside)[-1]])
        rival = time.perf_counter() - done
        deviation = np.abs(ours / np.array(theirs) - 1)
        print(
            f"{run:>8} {len(snapshot.masses):10d} {len(rows):6d} {built - began:8.3f} {done - built:9.3f} {rival:12.3f} "
            f"{rival / (done - began):7.1f} {np.mean(deviation < 1e-9):6.0%} {deviation.max():8.1e}"
        )


if __name__ == "__main__":
    main()
