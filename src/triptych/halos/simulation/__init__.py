"""From files to particles, groups, subhalos and merger trees: GADGET-4 directly, other formats through pynbody and tangos."""
