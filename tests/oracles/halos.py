"""Independent answers for the halos panel: explicit images and loops, and numerical integrals of eq. (1)."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.integrate import quad
from scipy.optimize import curve_fit


def distances(positions, box, centre):
    """Distance of every particle to the centre: the least over all 27 images of the box."""
    shifts = [np.array(shift) * box for shift in itertools.product((-1, 0, 1), repeat=3)]
    return np.min([np.linalg.norm(positions + shift - centre, axis=1) for shift in shifts], axis=0)


def crossings(radii, masses, density):
    """All (mass, radius, particles) at which the mean density inside a radius falls through `density`, innermost first."""
    order = np.argsort(radii)
    found, mass = [], 0.0
    for count, particle in enumerate(order, start=1):
        mass += masses[particle]
        radius = (3 * mass / (4 * np.pi * density)) ** (1 / 3)
        following = radii[order[count]] if count < len(order) else np.inf
        if radii[particle] <= radius < following:
            found.append((mass, radius, count))
    return found


def shells(radii, masses, edges):
    """Mass in each shell, one particle at a time."""
    total = np.zeros(len(edges) - 1)
    for radius, mass in zip(radii, masses, strict=True):
        for shell in range(len(total)):
            if edges[shell] < radius <= edges[shell + 1]:
                total[shell] += mass
    return total


def nfw_mass(r, rs, rho_s):
    """The integral of 4 pi r^2 times eq. (1), by quadrature."""
    return quad(lambda s: 4 * np.pi * s**2 * rho_s / ((s / rs) * (1 + s / rs) ** 2), 0, r, epsrel=1e-12)[0]


def nfw_least_squares(edges, density, error):
    """ln rs, ln rho_s and their covariance by least squares of ln density with Poisson weights, masses by quadrature."""
    volume = 4 / 3 * np.pi * np.diff(edges**3)

    def log_density(_, log_rs, log_rho_s):
        mass = [nfw_mass(r, np.exp(log_rs), 1.0) for r in edges]
        return np.log(np.diff(mass) / volume) + log_rho_s

    start = (np.log(np.sqrt(edges[0] * edges[-1])), np.log(density[0]))
    return curve_fit(log_density, edges, np.log(density), p0=start, sigma=error / density, absolute_sigma=True)
