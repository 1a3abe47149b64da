"""From particles to masses, radii, density profiles, and NFW and Einasto fits."""
