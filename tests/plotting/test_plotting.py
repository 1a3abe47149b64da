import matplotlib as mpl
import numpy as np
import pytest

from triptych import plotting


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_a_figure_is_saved_without_touching_global_settings(tmp_path, ending):
    before = dict(mpl.rcParams)
    fig, axes = plotting.figure(2, 1)
    x = np.linspace(0, 1, 5)
    plotting.band(axes[0, 0], x, x - 0.1, x + 0.1, color=plotting.COLORS[0], label="68 %")
    plotting.save(fig, tmp_path / f"f.{ending}")
    assert (tmp_path / f"f.{ending}").stat().st_size > 1000
    assert dict(mpl.rcParams) == before
    assert plotting.new_axes().get_figure() is not fig
