"""Models in files: one `.eqx` holds the numbers of a model and what rebuilds it around them.

In: a model (any pytree), and plain data from which one of the same form can be built. Out: the same model, bit for bit.

A file is one line of JSON (format, version, digest, header) and then the leaves, each in NumPy's format and in the order of the
tree, as `equinox.tree_serialise_leaves` writes them. They are read here, since Equinox would round 64 bits to 32 where JAX is not
told otherwise, and take fewer leaves than the file has. Nothing is pickled: a file from elsewhere can do no harm. Leaves that are
no numbers, such as activation functions, are not written; they come from the skeleton.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from triptych.errors import ConfigError, DataError
from triptych.runs.directory import replacing

M = TypeVar("M")

FORMAT = "triptych-model"
VERSION = 1


def save(path: Path, model: Any, header: Mapping[str, Any]) -> None:
    """Write a model in one step: a reader never sees half of it.

    Parameters
    ----------
    path : the file, by custom `*.eqx`.
    model : its arrays and plain numbers are written. Keys of `jax.random` are not possible; write `jax.random.key_data` of them.
    header : plain data (what JSON holds; tuples come back as lists), with the kind of the model under "kind".

    Raises
    ------
    ConfigError
        If the header has no kind, or holds something that is no JSON.
    DataError
        If the file cannot be written.

    Notes
    -----
    Costs the memory of the model once more.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "line.eqx"
    >>> save(path, {"slope": jnp.ones(3)}, {"kind": "line", "size": 3})
    >>> load(path, lambda header: {"slope": jnp.zeros(header["size"])}, kind="line")["slope"].tolist()
    [1.0, 1.0, 1.0]
    """
    if not isinstance(header.get("kind"), str):
        raise ConfigError("the header of a model names no kind", got=dict(header), expected="a word under 'kind'")
    file = io.BytesIO()
    for leaf in jax.tree.leaves(model):
        if eqx.is_array_like(leaf):
            np.save(file, np.asarray(leaf), allow_pickle=False)
    leaves = file.getvalue()
    try:
        plain = json.loads(json.dumps(dict(header), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ConfigError("the header of a model is no plain data", got=error, expected="what JSON holds") from None
    first = {"format": FORMAT, "version": VERSION, "sha256": _digest(plain, leaves), "header": plain}
    with replacing(path) as temporary:
        temporary.write_bytes(json.dumps(first).encode() + b"\n" + leaves)


def load(path: Path, build: Callable[[dict[str, Any]], M], *, kind: str) -> M:
    """Read a model.

    Parameters
    ----------
    path : what :func:`save` wrote.
    build : makes a model of the same form from the header. Its numbers are replaced; they may be `jax.ShapeDtypeStruct`, as
        `equinox.filter_eval_shape` gives them. An array that was put on devices on purpose is put there again.
    kind : the kind of model that is wanted.

    Raises
    ------
    DataError
        If there is no such file, it holds no model or one of another kind or version, it is damaged, or its leaves are not those
        of the skeleton: other shapes, or numbers of another width, as with `jax_enable_x64` off for a model of 64 bits.
    """
    header, leaves = _read(path)
    if header["kind"] != kind:
        raise DataError("the file holds another kind of model", got=f"{path}: {header['kind']}", expected=kind)
    file = io.BytesIO(leaves)
    named, structure = jax.tree_util.tree_flatten_with_path(build(header))
    try:
        filled = [_read_leaf(file, like, jax.tree_util.keystr(name) or "the model") for name, like in named]
        if file.tell() < len(leaves):
            raise ValueError("more numbers in the file than in the skeleton")
    except ValueError as error:
        raise DataError(
            "the numbers of the model do not fit its header",
            got=f"{path}: {error}",
            fix="build the skeleton with the settings in the header, and with jax_enable_x64 as it was",
        ) from None
    model: M = jax.tree.unflatten(structure, filled)
    return model


def read_header(path: Path) -> dict[str, Any]:
    """The header given to :func:`save`, with the kind of the model under "kind".

    Raises
    ------
    DataError
        If there is no such file, or it is damaged or no model of this version.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    """Header and leaves of an undamaged file."""
    try:
        first, _, leaves = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise DataError("the model cannot be read", got=f"{path}: {error.strerror}", fix="check the path") from None
    try:
        found = json.loads(first)
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise DataError("this is no model", got=path, expected=f"a file of the format {FORMAT}")
    if found.get("version") != VERSION:
        raise DataError(
            "the model is of another version of the format",
            got=f"{path}: {found.get('version')}",
            expected=str(VERSION),
            fix="train again, or use the version of Triptych that wrote it",
        )
    header = found.get("header")
    if not isinstance(header, dict) or found.get("sha256") != _digest(header, leaves):
        raise DataError(
            "the model is damaged", got=path, expected="the bytes that were saved", fix="copy it again, or train again"
        )
    return header, leaves


def _digest(header: dict[str, Any], leaves: bytes) -> str:
    """SHA-256 of header and leaves."""
    return hashlib.sha256(json.dumps(header, sort_keys=True).encode() + b"\n" + leaves).hexdigest()


def _read_leaf(file: BinaryIO, like: Any, name: str) -> Any:
    """The next leaf, as a number of the skeleton's type; what is no number is the skeleton's own."""
    if not (eqx.is_array_like(like) or isinstance(like, jax.ShapeDtypeStruct)):
        return like
    expected = like if hasattr(like, "dtype") else np.asarray(like)
    try:
        array = np.load(file, allow_pickle=False)
    except EOFError:
        raise ValueError(f"{name} is in the skeleton, but not in the file") from None
    if array.dtype.kind == expected.dtype.kind == "V":  # NumPy's format does not know bfloat16 by name
        array = array.view(expected.dtype)
    if (array.shape, array.dtype) != (expected.shape, expected.dtype):
        found, wanted = (f"{one.dtype}{list(one.shape)}" for one in (array, expected))
        raise ValueError(f"{name} is {found} in the file and {wanted} in the skeleton")
    if isinstance(like, np.ndarray):
        return array
    if isinstance(like, jax.Array):
        return jax.device_put(array, like.sharding) if like.committed else jnp.asarray(array)
    return jnp.asarray(array) if isinstance(like, jax.ShapeDtypeStruct) else type(like)(array.item())
