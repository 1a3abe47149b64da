"""The same code on one device or on many: the data are spread, and the compiler follows.

In: arrays with an axis whose entries do not see each other, such as chains or halos. Out: the same arrays, a share of that axis
on every device of this process, and of all processes where `jax.distributed` connects some.
"""

from __future__ import annotations

from typing import Any, TypeVar

import equinox as eqx
import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

T = TypeVar("T")


def spread(tree: T, axis: int = -1) -> T:
    """Give every device an equal share of `axis` of each array.

    Parameters
    ----------
    tree : any pytree. An array without that axis, or whose length is no multiple of the number of devices, stays where it is, as
        does everything on a machine with one device. With several processes each must give the same values.
    axis : counted from the end where negative.

    Returns
    -------
    T
        The same values. What is computed from them under `jax.jit` happens where they lie. Sums over `axis` are then made in
        another order, and differ in the last digits from those of one device.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> spread({"links": jnp.zeros((2, 4, 4, 64)), "beta": jnp.ones(())})["links"].shape
    (2, 4, 4, 64)
    """
    devices = _devices()

    def put(leaf: Any) -> Any:
        if not eqx.is_array(leaf) or not -leaf.ndim <= axis < leaf.ndim or leaf.shape[axis] % devices.size:
            return leaf
        axes: list[str | None] = [None] * leaf.ndim
        axes[axis] = devices.axis_names[0]
        sharding = NamedSharding(devices, PartitionSpec(*axes))  # type: ignore[no-untyped-call]
        return jax.make_array_from_callback(leaf.shape, sharding, lambda share: leaf[share])

    result: T = tree if devices.size == 1 else jax.tree.map(put, tree)
    return result


def replicate(tree: T) -> T:
    """Give every device all of each array, such as the parameters of a model; on one device this does nothing.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> replicate(jnp.arange(3)).tolist()
    [0, 1, 2]
    """
    devices = _devices()
    everywhere = NamedSharding(devices, PartitionSpec())  # type: ignore[no-untyped-call]
    return tree if devices.size == 1 else eqx.filter_shard(tree, everywhere)


def _devices() -> Mesh:
    """All devices of all processes, in a row."""
    return Mesh(np.asarray(jax.devices()), ("device",))
