"""
What three numbers of a halo say
================================

A small network looks at the particles of mock halos, and may say only a few numbers of each, at a price. From these numbers
alone, their density profiles have to be drawn. How many numbers does it use, and what do they mean?
"""

# %%
# A small mock universe: 1200 halos to learn from, 300 to look at. Particles are counted in spherical cells; the boxes of voxels
# are not used here, and coarse.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from triptych import halos
from triptych.halos.network import active, kl_of
from triptych.plotting import style

recipe = halos.Recipe(
    kind="infall",
    outer=2.0,
    bins=13,
    cuts=halos.Cuts(largest_radius=150.0),
    box=halos.BoxSpec(n=4, sides=(600.0,), scheme="ngp"),
)
realisations = [halos.Realisation("one", 1, "training", 1200), halos.Realisation("other", 2, "validation", 300)]
data = halos.build_mock(Path(tempfile.mkdtemp()) / "mock.zarr", realisations, recipe)

# %%
# Five latents are offered, and each nat that they tell costs 0.02. The KL divergence of a latent is what it tells of a halo on
# average: those that are not worth their price tell nothing.

settings = halos.NetworkConfig(
    latents=5,
    members=1,
    encoder=halos.EncoderConfig(sees="sphere"),
    loss=halos.LossConfig(beta=0.02),
    optimiser=halos.OptimiserConfig(epochs=32, batch=32),
)
network = halos.train(data, settings).selected
rows = data.rows("validation")
posterior = network.encode(data, rows)
used = active(posterior)
print("nats told by each latent:", ", ".join(f"{nats:.2f}" for nats in kl_of(posterior)))

# %%
# What do they mean? Each latent beside what a halo was drawn from (the correlation of ranks would say much the same).

truth = {
    "log mass": np.log10(data.table["truth/mass"].values[rows]),
    "log concentration": np.log10(data.table["truth/concentration"].values[rows]),
    "log infalling matter": np.log10(data.table["truth/infall"].values[rows]),
}
for latent in used:
    words = ", ".join(f"{name} {np.corrcoef(posterior.mean[:, latent], known)[0, 1]:5.2f}" for name, known in truth.items())
    print(f"latent {latent + 1}: correlation with {words}")

# %%
# And what do they do? Each latent goes from -2 to 2 while the others are 0. The first is the mass: more of it moves the same
# curve to larger radii. The others change the shape at nearly the same mass: what is added in one place is missing in another.

r = np.geomspace(*network.radii, 60)
values = (-2.0, -1.0, 0.0, 1.0, 2.0)
with style():
    fig, axes = plt.subplots(1, len(used), figsize=(3.4 * len(used), 3.4), layout="constrained", sharey=True, squeeze=False)
    for ax, latent in zip(axes[0], used, strict=True):
        for value, curve in zip(values, network.traverse(int(latent), values, r), strict=True):
            change = curve - network.decode(np.zeros(settings.latents), r)[0]
            color = plt.get_cmap("coolwarm")(0.5 + value / 4) if value else "black"
            ax.semilogx(r, change, color=color, label=f"{value:+g}" if value else "0")
        ax.set_xticks([10, 30, 100, 300], ["10", "30", "100", "300"])
        ax.set_xlabel(r"$r$ [comoving kpc/$h$]")
        ax.set_title(f"latent {latent + 1}")
    axes[0, 0].set_ylabel(r"change of $\log_{10}(\rho/\rho_{\mathrm{m}})$")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), title="latent", loc="outside right center")
    fig.suptitle("Mock universe: profiles where one latent changes")
