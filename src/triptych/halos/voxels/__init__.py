"""From particles to densities on grids about a halo."""
