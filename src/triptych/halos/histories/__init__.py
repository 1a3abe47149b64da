"""From merger trees to mass accretion histories and accretion rates."""
