# Compile-time options of GADGET-4, for 512^3 dark-matter particles in (50 Mpc/h)^3.

PERIODIC                  # the box repeats
SELFGRAVITY
RANDOMIZE_DOMAINCENTER    # averages out the force errors of the tree
GADGET2_HEADER            # genetIC writes the header of GADGET-2/3; at most 6 types of particles
NTYPES=6
NSOFTCLASSES=1            # one softening for all

PMGRID=1024               # twice the particle grid
TREEPM_NOTIMESPLIT        # mesh and tree forces on one time step
HIERARCHICAL_GRAVITY

DOUBLEPRECISION=2         # mixed precision
POSITIONS_IN_32BIT        # 50 Mpc/h / 2^32 = 1.2e-5 kpc/h
IDS_32BIT                 # 2^27 particles

FOF                       # b = 0.2, at least 32 particles, both by default
SUBFIND
SUBFIND_HBT               # subhalos from those of the output before; needs MERGERTREE
MERGERTREE                # subhalo_desc and subhalo_prog files at every output

POWERSPEC_ON_OUTPUT       # shows at once whether the initial conditions are right
