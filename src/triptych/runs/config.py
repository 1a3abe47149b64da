"""Typed configurations: dataclasses to and from TOML and option strings.

In: a TOML file, ``section.key`` options from a command line, or both. Out: one frozen dataclass, checked, or one ConfigError
that names the key. A configuration is a frozen, slotted, keyword-only dataclass whose fields are int, float, str, bool, Literal,
an optional or a tuple of these, or another such dataclass (a section).
"""

from __future__ import annotations

import dataclasses
import tomllib
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import tomli_w

from triptych.errors import ConfigError, did_you_mean

C = TypeVar("C")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One leaf of a configuration, as a command line shows it.

    Attributes
    ----------
    key : dotted path, such as ``sampler.step_size``.
    type : the annotated type.
    default : the value where nothing is given.
    help : one line for the user.
    positional : True where it may be given without its name.
    """

    key: str
    type: Any
    default: Any
    help: str
    positional: bool


def options(cls: type[Any], prefix: str = "") -> Iterator[Option]:
    """The leaves of a configuration class, sections flattened to dotted keys."""
    hints = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        key = prefix + field.name
        if dataclasses.is_dataclass(hints[field.name]):
            yield from options(hints[field.name], f"{key}.")
        else:
            default = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
            meta = field.metadata
            yield Option(
                key=key,
                type=hints[field.name],
                default=default,
                help=meta.get("help", ""),
                positional=meta.get("positional", False),
            )


def to_dict(config: Any) -> dict[str, Any]:
    """A configuration as nested dictionaries of TOML types; fields that are None are left out."""
    result: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            result[field.name] = to_dict(value)
        elif value is not None:
            result[field.name] = list(value) if isinstance(value, tuple) else value
    return result


def to_toml(config: Any) -> str:
    """A configuration as TOML text that :func:`load` reads back to an equal one."""
    return tomli_w.dumps(to_dict(config))


def load(cls: type[C], path: Path | None = None, overrides: Mapping[str, str] | None = None) -> C:
    """The configuration of class `cls` from a TOML file with options laid over it.

    Parameters
    ----------
    path : TOML file; without it all defaults.
    overrides : option text by dotted key, as a command line gives it.

    Raises
    ------
    ConfigError
        For a missing or malformed file, an unknown key (with the closest known one), a wrong type or a refused value.
    """
    data: dict[str, Any] = {}
    if path is not None:
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError("the configuration file does not exist", got=path, fix="check the path given to --config") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError("the configuration file is no valid TOML", got=f"{path}: {error}") from None
        except OSError as error:
            raise ConfigError("the configuration file cannot be read", got=f"{path}: {error.strerror}") from None
    known = {option.key: option for option in options(cls)}
    for key, text in (overrides or {}).items():
        if key not in known:
            raise ConfigError(f"unknown option {key!r}", fix=did_you_mean(key, list(known)))
        *sections, name = key.split(".")
        table = data
        for section in sections:
            table = table.setdefault(section, {})
            if not isinstance(table, dict):
                raise ConfigError(f"{section} is a section", got=table, expected=f"a table [{section}]")
        table[name] = _from_text(text, known[key].type)
    return build(cls, data)


def build(cls: type[C], data: Mapping[str, Any], where: str = "") -> C:
    """The configuration of class `cls` from nested dictionaries, every key and type checked.

    Raises
    ------
    ConfigError
        For an unknown key, a wrong type, a missing key or a refused value.
    """
    hints = get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in data.items():
        if name not in names:
            raise ConfigError(f"unknown key {where + name!r}", fix=did_you_mean(name, names))
        values[name] = _convert(value, hints[name], where + name)
    missing = [
        field.name
        for field in dataclasses.fields(cls)  # type: ignore[arg-type]
        if field.name not in values and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ConfigError(f"{where + missing[0]} is not given", fix=f"set {where + missing[0]} in the file or as an option")
    return cls(**values)


def describe_type(kind: Any) -> str:
    """A type as the user reads it: ``number``, ``T,L``-like tuples, the allowed words."""
    alternatives = _without_none(kind)
    if alternatives is not kind:
        return describe_type(alternatives)
    if get_origin(kind) is Literal:
        return "|".join(str(word) for word in get_args(kind))
    if get_origin(kind) is tuple:
        parts = get_args(kind)
        return f"{describe_type(parts[0])},..." if parts[-1] is Ellipsis else ",".join(describe_type(part) for part in parts)
    return {int: "integer", float: "number", str: "text", bool: "true|false"}[kind]


def _without_none(kind: Any) -> Any:
    """T for T | None; the type itself otherwise."""
    if get_origin(kind) in (Union, types.UnionType):
        inner = [part for part in get_args(kind) if part is not type(None)]
        if len(inner) == 1:
            return inner[0]
    return kind


def _from_text(text: str, kind: Any) -> Any:
    """Option text as the TOML value that it stands for; what does not parse stays text and is refused by `_convert`."""
    kind = _without_none(kind)
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        return [_from_text(part.strip(), inner) for part in text.split(",")]
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind in (int, float):
        for number in (int, float):
            try:
                return number(text)
            except ValueError:
                continue
    return text


def _convert(value: Any, kind: Any, where: str) -> Any:
    """A TOML value as the annotated type, or a ConfigError."""
    inner = _without_none(kind)
    if inner is not kind:
        return None if value is None else _convert(value, inner, where)
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where} is a section", got=value, expected=f"a table [{where}]")
        return build(kind, value, f"{where}.")  # type: ignore[arg-type]
    if get_origin(kind) is Literal:
        allowed = get_args(kind)
        if value not in allowed:
            fix = did_you_mean(value, list(allowed)) if isinstance(value, str) else ""
            raise ConfigError(f"{where} has no such choice", got=repr(value), expected=describe_type(kind), fix=fix)
        return value
    if get_origin(kind) is tuple:
        parts = get_args(kind)
        count = None if parts[-1] is Ellipsis else len(parts)
        if not isinstance(value, (list, tuple)) or (count is not None and len(value) != count):
            raise ConfigError(f"{where} has the wrong shape", got=_shown(value), expected=describe_type(kind))
        return tuple(_convert(item, parts[0], f"{where}[{i}]") for i, item in enumerate(value))
    accepted = {
        bool: isinstance(value, bool),
        str: isinstance(value, str),
        float: isinstance(value, (int, float)) and not isinstance(value, bool),
        int: (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer()),
    }[kind]
    if not accepted:
        raise ConfigError(f"{where} has the wrong type", got=_shown(value), expected=describe_type(kind))
    return kind(value)


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else repr(value)
