"""Models in files: the same bits back, or a clear refusal."""

import io
import json
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from triptych.errors import ConfigError, DataError
from triptych.learning import models

LINE = {"kind": "line", "shape": [3], "beta": 0.1}


def line(header):
    return {"offset": jnp.zeros(()), "slope": jnp.zeros(header["shape"])}


@pytest.fixture
def file(tmp_path, wide):
    path = tmp_path / "line.eqx"
    models.save(path, {"offset": jnp.asarray(0.1), "slope": jnp.asarray([1.0, -0.0, np.nan])}, LINE)
    return path


def bits_of(tree):
    """Everything that a leaf is: its type, and for numbers their type, shape and bytes."""
    numbers = [np.asarray(leaf) if eqx.is_array_like(leaf) else None for leaf in jax.tree.leaves(tree)]
    words = [None if one is None else (str(one.dtype), one.shape, one.tobytes()) for one in numbers]
    return list(zip(map(type, jax.tree.leaves(tree)), words, strict=True)), jax.tree.structure(tree)


def blank(leaf):
    """Other numbers of the same type."""
    if isinstance(leaf, jax.Array):
        return jnp.zeros_like(leaf)
    return np.zeros_like(leaf) if isinstance(leaf, np.ndarray) else type(leaf)(0) if isinstance(leaf, int | float) else leaf


arrays = st.sampled_from([np.float64, np.float32, np.bool_, np.int64, np.uint32, np.complex128]).flatmap(
    lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)
numbers = st.one_of(arrays, arrays.map(np.asfortranarray), st.booleans(), st.integers(-(2**62), 2**62), st.floats())
trees = st.recursive(
    st.one_of(numbers, st.none(), st.just(jnp.tanh)),
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(st.text(max_size=3), below, max_size=3)),
    max_leaves=6,
)


@given(tree=trees, on_device=st.booleans())
def test_round_trip(tmp_path_factory, tree, on_device):
    path = tmp_path_factory.mktemp("models") / "any.eqx"
    with jax.enable_x64(True):
        if on_device:
            tree = jax.tree.map(lambda leaf: jnp.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf, tree)
        models.save(path, tree, {"kind": "any"})
        empty = jax.tree.map(blank, tree)
        assert bits_of(models.load(path, lambda header: empty, kind="any")) == bits_of(tree)


def test_a_network_comes_back_from_its_header(tmp_path, bits):
    header = {"kind": "mlp", "sizes": [2, 3, 8, 2]}

    def build(header, key):
        return eqx.nn.MLP(*header["sizes"], key=key)

    network = build(header, jax.random.key(1))
    models.save(tmp_path / "net.eqx", network, header)
    skeleton = partial(eqx.filter_eval_shape, build, key=jax.random.key(0))
    again = models.load(tmp_path / "net.eqx", skeleton, kind="mlp")
    assert bits_of(again) == bits_of(network)
    assert again.layers[0].weight.dtype == jnp.dtype(f"float{bits}")
    assert models.read_header(tmp_path / "net.eqx") == header


def test_bfloat16(tmp_path):
    model = jnp.arange(5, dtype=jnp.bfloat16)
    models.save(tmp_path / "half.eqx", model, {"kind": "half"})
    assert bits_of(models.load(tmp_path / "half.eqx", lambda header: model * 0, kind="half")) == bits_of(model)


def test_equinox_reads_the_leaves(file):
    """The format is no invention: behind the first line stands what Equinox writes and reads."""
    first, _, leaves = file.read_bytes().partition(b"\n")
    assert json.loads(first)["header"] == LINE
    theirs = eqx.tree_deserialise_leaves(io.BytesIO(leaves), line(LINE))
    assert bits_of(theirs) == bits_of(models.load(file, line, kind="line"))
    again = io.BytesIO()
    eqx.tree_serialise_leaves(again, theirs)
    assert again.getvalue() == leaves


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_wrong_bit_is_found(tmp_path_factory, where, bit):
    path = tmp_path_factory.mktemp("models") / "line.eqx"
    models.save(path, np.arange(7.0), {"kind": "line", "beta": 5.0})
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= 1 << bit
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged|no model|another version"):
        models.load(path, lambda header: np.zeros(7), kind="line")


def test_a_cut_file_is_found(file):
    whole = file.read_bytes()
    for length in (0, 1, 50, whole.index(b"\n"), whole.index(b"\n") + 1, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"damaged|no model"):
            models.load(file, line, kind="line")


def test_foreign_files(tmp_path, file):
    with pytest.raises(DataError, match=r"cannot be read[\s\S]*No such file"):
        models.read_header(tmp_path / "nowhere.eqx")
    for content in (b"\x80\x04pickle", b"[1]\n", b"{}\n", b"\xff\n"):
        (tmp_path / "foreign.eqx").write_bytes(content)
        with pytest.raises(DataError, match="this is no model"):
            models.read_header(tmp_path / "foreign.eqx")
    with pytest.raises(DataError, match=r"another kind[\s\S]*line[\s\S]*checkpoint"):
        models.load(file, line, kind="checkpoint")
    file.write_bytes(file.read_bytes().replace(b'"version": 1', b'"version": 2', 1))
    with pytest.raises(DataError, match=r"another version[\s\S]*: 2"):
        models.read_header(file)


@pytest.mark.parametrize(
    ("skeleton", "reason"),
    [
        ({"offset": np.zeros(()), "slope": np.zeros(4)}, r"\['slope'\] is float64\[3\] in the file and float64\[4\]"),
        ({"offset": np.zeros(()), "slope": np.zeros(3, np.float32)}, r"float64\[3\] in the file and float32\[3\]"),
        ({"offset": 0, "slope": np.zeros(3)}, r"\['offset'\] is float64\[\] in the file and int64\[\]"),
        ({"offset": np.zeros(())}, "more numbers in the file"),
        (
            {"offset": np.zeros(()), "slope": np.zeros(3), "turn": np.zeros(3)},
            r"\['turn'\] is in the skeleton, but not in the file",
        ),
    ],
)
def test_leaves_that_do_not_fit(file, skeleton, reason):
    with pytest.raises(DataError, match=reason):
        models.load(file, lambda header: skeleton, kind="line")


def test_wide_numbers_are_not_rounded_to_narrow_ones(file):
    with jax.enable_x64(False), pytest.raises(DataError, match=r"float64\[\] in the file and float32"):
        models.load(file, line, kind="line")


def test_plain_numbers_keep_their_bits_where_jax_is_narrow(tmp_path):
    with jax.enable_x64(False):
        models.save(tmp_path / "plain.eqx", [0.1, 2**40], {"kind": "plain"})
        assert models.load(tmp_path / "plain.eqx", lambda header: [0.0, 0], kind="plain") == [0.1, 2**40]


@pytest.mark.parametrize(
    "header", [{}, {"kind": 3}, {"kind": "line", "beta": float("nan")}, {"kind": "line", "beta": np.ones(2)}]
)
def test_headers_that_are_refused(tmp_path, header):
    with pytest.raises(ConfigError, match="header of a model"):
        models.save(tmp_path / "line.eqx", 1.0, header)
    assert not any(tmp_path.iterdir())
