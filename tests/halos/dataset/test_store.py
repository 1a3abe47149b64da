from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import xarray as xr

from tests.halos.dataset import stores
from triptych.errors import ConfigError, DataError
from triptych.halos.dataset import BoxSpec, create, open_dataset


@pytest.fixture
def path(tmp_path):
    return tmp_path / "small.zarr"


def test_what_is_written_is_read(path):
    store = stores.write(path)
    data = open_dataset(path)
    assert data.attributes == stores.attributes()
    assert data.box == BoxSpec(n=8, sides=(400.0, 100.0), scheme="cic")
    for first in (0, 4, 8):
        rows = slice(first, min(first + 4, 10))
        table, boxes = stores.rows_of(store, rows, rng=np.random.default_rng(first))
        np.testing.assert_array_equal(data.read(np.arange(rows.start, rows.stop)), boxes.astype(np.float32))
        for name, values in table.items():
            np.testing.assert_array_equal(data.table[name].to_numpy()[rows], values, err_msg=name)
    assert data.table["history/redshift"].to_numpy().tolist() == [2.0, 1.0, 0.0]
    assert data.rows("training").tolist() == list(range(7))
    assert sorted([*data.rows("validation"), *data.rows("test")]) == [7, 8, 9]


def test_anyone_can_read_it(path):
    stores.write(path)
    theirs = xr.open_zarr(path, consolidated=False)
    assert theirs["boxes"].dims == ("halo", "level", "x", "y", "z")
    assert theirs["mass"].attrs["units"] == "Msun/h"
    assert theirs["split"].attrs["flag_meanings"] == "training validation test"
    assert theirs["split"].dtype == np.int8
    assert theirs.attrs["cosmology"]["omega_matter"] == 0.31
    histories = xr.open_zarr(path, consolidated=False, group="history")
    assert histories["mass"].dims == ("halo", "output")
    np.testing.assert_array_equal(histories["mass"], open_dataset(path).table["history/mass"])


class KilledError(BaseException):
    pass


class Killing:
    """A Zarr group whose array ``radius`` can be looked at once, and kills the run when it is to be written."""

    def __init__(self, group):
        self.group, self.looks = group, 0

    def __getitem__(self, name):
        self.looks += name == "radius"
        if self.looks == 2:
            raise KilledError
        return self.group[name]


def kill_while_writing(store, rows):
    table, boxes = stores.rows_of(store, rows, rng=np.random.default_rng(99))
    with pytest.raises(KilledError):
        dataclasses.replace(store, group=Killing(store.group)).write(rows, boxes=boxes, **table)


def test_a_killed_run_goes_on(path):
    """The block under way is written again, finished ones are not, and in the end nothing tells the difference."""
    stores.write(path.with_name("whole.zarr"))
    store = stores.begin(path)
    first, second, third = store.pending()
    table, boxes = stores.rows_of(store, first, rng=np.random.default_rng(first.start))
    store.write(first, boxes=boxes, **table)
    kill_while_writing(store, second)
    assert np.isfinite(np.asarray(store.group["boxes"][4:8])).all()  # boxes were written, radii not
    assert np.isnan(np.asarray(store.group["radius"][4:])).all()
    with pytest.raises(DataError, match="4 of 10 halos"):
        open_dataset(path)
    again = stores.begin(path)
    assert again.pending() == [second, third]
    stores.fill(again)
    assert open_dataset(path).digest == open_dataset(path.with_name("whole.zarr")).digest


def test_a_block_that_is_written_again_is_unfinished_meanwhile(path):
    """Boxes of one try beside columns of another would be a chimera."""
    store = stores.write(path)
    kill_while_writing(store, slice(4, 8))
    assert stores.begin(path).pending() == [slice(4, 8)]


def test_another_description_is_refused(path):
    stores.begin(path)
    with pytest.raises(DataError, match="differs in redshift"):
        stores.begin(path, redshift=1.0)
    with pytest.raises(DataError, match="differs in box"):
        stores.begin(path, box=BoxSpec(n=8, sides=(400.0, 100.0), scheme="tsc"))


def test_the_digest_knows_every_number(path):
    stores.write(path)
    whole = open_dataset(path).digest
    assert open_dataset(path).digest == whole
    for column in ("mass", "boxes"):
        store = stores.begin(path)
        table, boxes = stores.rows_of(store, slice(8, 10), rng=np.random.default_rng(8))
        if column == "mass":
            table["mass"][1] *= 1 + 1e-15
        else:
            boxes[1, 1, 7, 7, 7] += 1e-3
        store.write(slice(8, 10), boxes=boxes, **table)
        assert open_dataset(path).digest != whole


@pytest.mark.parametrize("array", ["boxes", "mass"])
@pytest.mark.parametrize("place", [0.1, 0.5, 0.9, 1.0])
def test_one_flipped_bit_is_noticed(path, array, place):
    """In the data (0.1 ... 0.9), or at the end of the file, where a shard keeps its index."""
    stores.write(path)
    file = max(file for file in (path / array).rglob("*") if file.is_file() and file.name != "zarr.json")
    content = bytearray(file.read_bytes())
    content[int(place * (len(content) - 1))] ^= 4
    file.write_bytes(content)
    data = open_dataset(path)
    with pytest.raises(DataError, match="damaged"):
        _ = data.read(np.arange(10)), data.table


@pytest.mark.parametrize("array", ["boxes", "mass", "truth/formation"])
def test_a_lost_file_is_noticed(path, array):
    """Zarr itself would fill in NaN."""
    stores.write(path)
    next(file for file in (path / array).rglob("*") if file.is_file() and file.name != "zarr.json").unlink()
    data = open_dataset(path)
    with pytest.raises(DataError, match="damaged"):
        _ = data.read(np.arange(10)), data.table


def test_a_column_without_a_number_is_no_lost_file(path):
    """Where no halo has a fit, or a column is all zero, its file is there all the same."""
    store = stores.begin(path)
    for rows in store.pending():
        table, boxes = stores.rows_of(store, rows, rng=np.random.default_rng(1))
        number = rows.stop - rows.start
        store.write(rows, boxes=boxes, **table | {"rs": np.full(number, np.nan), "problem": np.zeros(number, dtype=bool)})
    assert np.isnan(open_dataset(path).table["rs"]).all()


def test_what_is_no_data_set_is_refused(path):
    with pytest.raises(DataError, match="no Zarr store"):
        open_dataset(path)
    stores.write(path)
    description = json.loads((path / "zarr.json").read_text())

    def tell(**changes):
        (path / "zarr.json").write_text(json.dumps(description | {"attributes": description["attributes"] | changes}))

    tell(version=2)
    with pytest.raises(DataError, match="newer"):
        open_dataset(path)
    tell(format="other")
    with pytest.raises(DataError, match="no data set of halos"):
        open_dataset(path)
    tell(cuts={"lightest": 3})
    with pytest.raises(DataError, match="damaged"):
        open_dataset(path)
    tell()
    shutil.rmtree(path / "log_density")
    with pytest.raises(DataError, match=r"missing\n  got:      log_density"):
        open_dataset(path)


def test_wrong_blocks_are_refused(path):
    store = stores.begin(path)
    rows = store.pending()[0]
    table, boxes = stores.rows_of(store, rows, rng=np.random.default_rng(1))
    for wrong in (table | {"mas": table["mass"]}, {name: table[name] for name in table if name != "mass"}):
        with pytest.raises(DataError, match="mas"):
            store.write(rows, boxes=boxes, **wrong)
    with pytest.raises(DataError, match="mass has the wrong shape"):
        store.write(rows, boxes=boxes, **table | {"mass": 1.0})
    with pytest.raises(DataError, match="boxes has the wrong shape"):
        store.write(rows, boxes=boxes[:, :1], **table)
    boxes[0, 0, 0, 0, 0] = np.nan
    with pytest.raises(DataError, match="1 voxels"):
        store.write(rows, boxes=boxes, **table)
    assert len(store.pending()) == 3


def test_a_set_without_halos_or_masses_is_refused(path):
    columns = stores.variables()
    box = BoxSpec(n=8, sides=(400.0,), scheme="cic")
    with pytest.raises(ConfigError, match="0 halos"):
        create(path, attributes=stores.attributes(), variables=columns, box=box, halos=0)
    del columns["mass"]
    with pytest.raises(ConfigError, match="mass"):
        create(path, attributes=stores.attributes(), variables=columns, box=box, halos=1)
    assert not path.exists()


@pytest.mark.parametrize("sides", [(), (100.0, 400.0), (-1.0,), (np.inf,), (400.0, 100.0, 50.0)])
def test_boxes_that_cannot_be_are_refused(sides):
    with pytest.raises(ConfigError, match="cannot be"):
        BoxSpec(n=8, sides=sides, scheme="cic")


def test_half_precision_rounds_as_stated(path):
    """All values of log10(1 + rho/rho_m) that occur: from one particle far out (1e-6) to the densest core (9)."""
    box = BoxSpec(n=8, sides=(400.0, 100.0), scheme="cic", dtype="float16")
    store = stores.begin(path, box=box)
    rows = store.pending()[0]
    table, boxes = stores.rows_of(store, rows, rng=np.random.default_rng(1))
    exact = np.geomspace(1e-6, 9.0, boxes.size).reshape(boxes.shape)
    store.write(rows, boxes=exact, **table)
    stores.fill(store)
    error = abs(open_dataset(path).read(np.arange(4)).astype(float) - exact)
    normal = exact > 6.2e-5
    assert (error[normal] <= 2.0**-11 * exact[normal]).all()
    assert (error[normal] > 2.0**-12 * exact[normal]).any()  # the bound is reached
    assert error[~normal].max() <= 3e-8


def test_shards_and_chunks():
    """One big box a chunk, many small ones; a file of boxes holds at most 96 MiB, and no chunk is cut."""
    for n, levels, dtype, block, chunk, shard in [
        (131, 1, "float16", None, 1, 22),
        (131, 1, "float32", None, 1, 11),
        (16, 3, "float32", None, 21, 2037),
        (16, 1, "float16", 100, 100, 100),
    ]:
        box = BoxSpec(n=n, sides=(600.0, 150.0, 37.5)[:levels], scheme="cic", dtype=dtype)
        with TemporaryDirectory() as folder:
            columns = stores.variables()
            store = create(
                Path(folder) / "x.zarr", attributes=stores.attributes(), variables=columns, box=box, halos=17000, block=block
            )
            boxes = store.group["boxes"]
        assert (boxes.chunks[0], boxes.shards[0]) == (chunk, shard)
        assert store.block == shard
        assert shard * box.bytes <= 96 * 2**20


MEMORY = """
import resource, sys
import numpy as np
from pathlib import Path
from tests.halos.dataset import stores
from triptych.halos.dataset import BoxSpec
store = stores.begin(Path(sys.argv[1]), halos=int(sys.argv[2]), block=4, box=BoxSpec(n=131, sides=(400.0,), scheme="cic"))
stores.fill(store)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_halos(tmp_path):
    """Blocks of four boxes of 131^3: 36 MB each as written."""

    def peak(halos):
        command = [sys.executable, "-c", MEMORY, str(tmp_path / f"{halos}.zarr"), str(halos)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    few, many = peak(16), peak(56)
    assert many < few + 60.0, (few, many)  # MB; forty boxes more are 360
