"""Every number of the mock universe, and where it comes from.

In: nothing. Out: constants. They were frozen before any network was trained on the mock; a change needs a better source, and
shows the table of degrees of freedom before and after. What no source was found for is marked as an assumption.
"""

from __future__ import annotations

# Accretion history: the population of diffmah (Hearin et al. 2021, arXiv:2105.05859) in the calibration that diffmah 0.7.3 ships.
#: Its masses are virial (Bryan & Norman 1998). M200m / Mvir goes as (Delta_vir rho_c / 200 rho_m)^this: x / (3 - x) with
#: x = dlnM/dlnr = c^2 / ((1 + c)^2 m(c)) of an NFW halo of c = 11 at r200m.
VIRIAL_EXPONENT = 0.22
#: ln of the accretion rate scatters by this about the smooth history: log10 M of single halos then scatters by 0.10 dex, averaged
#: over ln a after 1 Gyr ("typical accuracy of 0.1 dex for t > 1 Gyr", abstract of Hearin et al. 2021).
HISTORY_SCATTER = 0.25
#: Correlation length of that scatter in dynamical times. Assumption: a halo cannot change much faster than matter crosses it.
HISTORY_MEMORY = 1.0

# Concentration: <rho>(r_-2) = C rho_crit(z_-2) with M(z_-2) = M(r_-2) (Ludlow et al. 2013, arXiv:1302.0288).
#: C for the Planck cosmology (Correa et al. 2015, arXiv:1502.00391, as in the authors' code commah).
LUDLOW_DENSITY = 880.0
#: log10 c at fixed mass and formation time scatters by this (Giocoli, Tormen & Sheth 2012, arXiv:1111.6977, abstract).
CONCENTRATION_SCATTER = 0.09

# Orbiting matter: truncated Einasto profile of Diemer (2023, arXiv:2205.03420), alpha and beta as for individual halos there.
EINASTO_ALPHA, TRUNCATION_BETA = 0.18, 3.0
#: r_t / R200m = A (1 + B Om) (1 + C exp(-Gamma / D)) (Diemer & Kravtsov 2014, arXiv:1401.1216, as colossus uses it here).
TRUNCATION = (0.43, 0.92, 2.18, 1.91)
#: log10 r_t scatters as log10 R_sp does at fixed Gamma and nu: a + b Gamma - c nu, at least the floor (Diemer 2020,
#: arXiv:2007.10992, as in colossus). That r_t scatters as R_sp is an assumption.
TRUNCATION_SCATTER, TRUNCATION_SCATTER_FLOOR = (0.050135, 0.003548, 0.010766), 0.02

# Infalling matter: delta_1 rho_m [(delta_1 / delta_max)^(1/zeta) + (r / R200m)^(s/zeta)]^-zeta (Diemer 2023), colossus' values.
INFALL_DENSITY, INFALL_SLOPE, INFALL_MAXIMUM, INFALL_ZETA = 10.0, 1.5, 100.0, 0.5
#: log10 delta_1 rises by this with each unit of dlnM/dlna over the last 0.09 in ln a, counted from 0.6. Matter that is to be
#: accreted has to be there; measured in two runs of GADGET-4 (105 halos, :doc:`/halos_mock`): the density between 1 and 2 r200m
#: rises by 0.07 +- 0.02 dex, in the mock by 0.06. "Depends on the accretion rate for fast-accreting
#: haloes but is mostly set by the environment for slowly accreting haloes": Diemer (2022, arXiv:2112.03921, abstract).
INFALL_ACCRETION, INFALL_INTERVAL, INFALL_PIVOT = 0.15, 0.09, 0.6
#: The rest of the scatter of log10 delta_1, from the same runs: the covariance of log10 rho between the shells 1.0 to 1.4 and 1.4
#: to 2.0 r200m is 0.023 dex^2 there, 0.021 in the mock. (At most 1 dex in the infalling term: Diemer 2022, abstract.)
INFALL_SCATTER = 0.28

# Shape: c/a = 0.54 (M / M*)^-0.05, Gaussian scatter 0.1 (Allgood et al. 2006, astro-ph/0508497, abstract).
SHORT_AXIS, SHORT_AXIS_SLOPE, SHORT_AXIS_SCATTER, SHORT_AXIS_RANGE = 0.54, -0.05, 0.1, (0.2, 1.0)
#: Between the short and the long axis the middle one follows Jing & Suto (2002, astro-ph/0202064), whose density of
#: p = a/b given a/c peaks halfway between max(a/c, this) and 1 and vanishes at both ends.
MIDDLE_AXIS_FLOOR = 0.5

# Substructure: Han et al. (2016, arXiv:1509.02175), numbers of the authors' code SubGen; M is the host's mass in 1e10 Msun/h.
SUBHALO_ABUNDANCE = (0.1, -0.02)  # dN/dln m = A M (m / 1e10)^-alpha / 1e10 with A = 0.1 M^-0.02, m the mass at infall
SUBHALO_SLOPE = 0.95
SUBHALO_SURVIVORS = 0.55  # share that survives
SUBHALO_BOUND = (0.5, -0.03)  # median bound share at R200: 0.5 M^-0.03 ...
SUBHALO_STRIPPING = (1.7, -0.04)  # ... and elsewhere times (r / R200)^(1.7 M^-0.04)
SUBHALO_BOUND_SCATTER = 1.1  # of ln of the bound share, which is cut at 1
SUBHALO_LARGEST = 0.1  # infall mass over the host's mass, as in the authors' examples
SUBHALO_PARTICLES = 20  # the smallest clump
SUBHALO_CONCENTRATION_SCATTER = 0.13  # dex about the median concentration (Giocoli et al. 2012; SubGen)
