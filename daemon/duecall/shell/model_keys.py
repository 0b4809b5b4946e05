"""Which keys a model has at a place in its file: for `unknown key`, and to test the docs."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from duecall.core.campaign import Model


def keys_at(model: type[Model], place: tuple[str | int, ...]) -> list[str]:
    """The keys allowed in the mapping at `place`; empty where any key is."""
    kinds: list[Any] = [model]
    for part in place:
        kinds = [inner for kind in kinds for inner in _step(kind, part)]
    return [key for kind in kinds for one in _bare(kind) if _is_model(one) for key in fields(one)]


def fields(model: type[Model]) -> dict[str, Any]:
    """YAML key -> annotation, of one model."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def models_in(annotation: Any) -> Iterator[type[Model]]:
    """The models inside an annotation: of `tuple[Say, ...]`, `dict[Key, KeyRule]`, a union."""
    for kind in _bare(annotation):
        if _is_model(kind):
            yield kind
        else:
            for argument in get_args(kind):
                yield from models_in(argument)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Model)


def _bare(annotation: Any) -> Iterator[Any]:
    """Without Annotated, and each member of a union by itself."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _bare(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _bare(member)
    else:
        yield annotation


def _step(annotation: Any, part: str | int) -> Iterator[Any]:
    """What stands behind a key or index of a value of this type."""
    for kind in _bare(annotation):
        origin, arguments = get_origin(kind), get_args(kind)
        if _is_model(kind) and part in fields(kind):
            yield fields(kind)[str(part)]
        elif origin is tuple and isinstance(part, int):
            yield arguments[0]
        elif origin is dict and isinstance(part, str):
            yield arguments[1]
