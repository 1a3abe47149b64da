"""Voxels of 131^3 about the largest halo of the sample against pynbody's 3-D grid, at equal smoothing lengths, in one run.

In: the sample of the package; pynbody where it is installed. Out: a table on stdout: seconds for a box, the best of five runs.
Both render all particles whose kernels reach into the cube, at full resolution. Either these are given ("render"), or they are
to be found among all of the snapshot ("box"). With two threads pynbody shares one box, and we
make two at a time; seconds are for one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.halos import Snapshot, index, read_catalogue, read_snapshot, sample_data
from triptych.halos.voxels.grids import Scheme, deposit, voxelise
from triptych.halos.voxels.smoothing import smooth

try:
    import pynbody
except ImportError:
    pynbody = None

SIDE, N = 400.0, 131


def main() -> None:
    snapshot, groups = read_snapshot(sample_data("letter")), read_catalogue(sample_data("letter"))
    particles, centre, rho_m = index(snapshot), groups.positions[0], snapshot.cosmology.mean_density
    smoothing = smooth(particles)
    rows = smoothing.reaching(particles, centre, SIDE / 2)
    rows = rows[np.abs(around(snapshot, centre)[rows]).max(axis=1) < SIDE / 2 + 2 * smoothing.lengths[rows]]
    offsets, masses, lengths = around(snapshot, centre)[rows], snapshot.masses[rows], smoothing.lengths[rows]

    def render() -> Any:
        return deposit(offsets, masses, side=SIDE, n=N, scheme="sph", smoothing=lengths)

    def box(scheme: Scheme = "sph") -> Any:
        return voxelise(particles, centre, side=SIDE, n=N, mean_density=rho_m, scheme=scheme, smoothing=smoothing)

    ours = {
        "lengths of all particles": fastest(lambda: smooth(index(snapshot)), 2),
        "render": fastest(render),
        "box": fastest(box),
        "box, two threads": fastest(lambda: pair(box)) / 2,
        "box, cic": fastest(lambda: box("cic")),
    }
    theirs, same = rival(snapshot, centre, rows) if pynbody else ({}, None)
    print(f"{len(rows)} of {len(snapshot.masses)} particles reach into the cube")
    print(f"{'seconds':>26} {'ours':>8} {'pynbody':>8} {'ratio':>6}")
    for name, seconds in ours.items():
        print(f"{name:>26} {seconds:8.4f}" + (f" {theirs[name]:8.4f} {theirs[name] / seconds:6.1f}" if name in theirs else ""))
    if same is None:
        print("pynbody is not installed: pip install 'triptych[halos-io]'")
        return
    once = [times["lengths of all particles"] + times["box"] for times in (ours, theirs)]
    print(f"{'one box with its lengths':>26} {once[0]:8.4f} {once[1]:8.4f} {once[1] / once[0]:6.1f}")
    ratio = same / render()
    print(f"pynbody / ours in the voxels: median {np.median(ratio):.4f}, 98 % within {np.quantile(ratio, [0.01, 0.99]).round(3)}")


def rival(snapshot: Snapshot, centre: NDArray[np.float64], rows: NDArray[np.intp]) -> tuple[dict[str, float], Any]:
    """Seconds that pynbody takes for each job, and its box."""

    def render(sim: Any, threads: int = 1) -> Any:
        pynbody.config["number_of_threads"] = threads
        return np.asarray(pynbody.sph.render_3d_grid(sim, "rho", nx=N, width=SIDE, approximate_fast=False, threaded=threads > 1))

    def simulation(which: Any) -> Any:
        sim = pynbody.new(dm=len(snapshot.masses[which]))
        sim["pos"] = pynbody.array.SimArray(around(snapshot, centre)[which], "kpc")
        sim["mass"] = pynbody.array.SimArray(snapshot.masses[which].copy(), "Msol")
        sim.properties["boxsize"] = snapshot.box_size * pynbody.units.Unit("kpc")
        return sim

    def lengths() -> Any:
        pynbody.config["number_of_threads"] = 1
        pynbody.config["sph"]["smooth-particles"] = 32
        sim = simulation(slice(None))
        assert len(sim["smooth"]) == len(sim)  # made when asked for
        return sim

    seconds = {"lengths of all particles": fastest(lengths, 2)}
    every, few = lengths(), simulation(rows)
    every["rho"], few["rho"], few["smooth"] = every["smooth"] ** -3, 1.0, every["smooth"][rows]  # the density cancels
    few["rho"].units = every["rho"].units = "Msol kpc^-3"
    seconds["render"] = fastest(lambda: render(few))
    seconds["box"] = fastest(lambda: render(every))
    seconds["box, two threads"] = fastest(lambda: render(every, 2))
    return seconds, render(few)


def around(snapshot: Snapshot, centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Offsets of the nearest images of all particles."""
    offsets = snapshot.positions - centre
    nearest: NDArray[np.float64] = offsets - snapshot.box_size * np.round(offsets / snapshot.box_size)
    return nearest


def pair(job: Callable[[], object]) -> None:
    """Do it twice at the same time."""
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(job), pool.submit(job)]:
            done.result()


def fastest(job: Callable[[], object], times: int = 5) -> float:
    """Seconds of the fastest of several runs, after one that compiles."""
    job()
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


if __name__ == "__main__":
    main()
