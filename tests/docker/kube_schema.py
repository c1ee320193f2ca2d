"""Checks manifests of Kubernetes without a cluster and without a network, by the models of its Python client.

They are made from the schemas of Kubernetes. The client itself drops a field that it does not know, so this is
stricter: an unknown field, a wrong type and a missing field are errors.
"""

from __future__ import annotations

import re
from typing import Any, Dict

PLAIN = {"str": str, "int": int, "bool": bool, "float": (int, float), "object": object}


def check(manifest: Dict[str, Any]) -> None:
    """Raises ValueError if a manifest is not what its kind says. Its version must be one that the client knows."""
    from kubernetes import client

    group, _, version = manifest["apiVersion"].rpartition("/")
    model = f"{version[0].upper()}{version[1:]}{manifest['kind']}"
    known = getattr(client, model, None)
    if known is None or group not in ("", "apps", "rbac.authorization.k8s.io", "networking.k8s.io", "node.k8s.io"):
        raise ValueError(f"there is no {manifest['apiVersion']} {manifest['kind']}")
    _check(manifest, model, manifest["kind"])


def _check(value: Any, kind: str, place: str) -> Any:
    from kubernetes import client

    listed = re.fullmatch(r"[lL]ist\[(.*)\]", kind)  # generated in two ways, by its version
    mapped = re.fullmatch(r"[dD]ict[(\[]str, (.*)[)\]]", kind)
    if listed:
        _demand(isinstance(value, list), place, "a list", value)
        return [_check(item, listed[1], f"{place}[{number}]") for number, item in enumerate(value)]
    if mapped:
        _demand(isinstance(value, dict), place, "a mapping", value)
        return {key: _check(item, mapped[1], f"{place}.{key}") for key, item in value.items()}
    if kind in PLAIN:
        fits = isinstance(value, PLAIN[kind]) and (kind in ("bool", "object") or not isinstance(value, bool))
        _demand(fits, place, kind, value)
        return value
    return _model(value, getattr(client, kind), place)


def _model(value: Any, model: Any, place: str) -> Any:
    _demand(isinstance(value, dict), place, model.__name__, value)
    names = {shown: name for name, shown in model.attribute_map.items()}
    for key in value:
        _demand(key in names, f"{place}.{key}", f"one of {sorted(names)}", "an unknown field")
    made = {names[key]: _check(item, model.openapi_types[names[key]], f"{place}.{key}") for key, item in value.items()}
    try:
        return model(**made)
    except ValueError as error:  # a field is missing
        raise ValueError(f"{place}: {error}") from error


def _demand(true: bool, place: str, expected: str, value: Any) -> None:
    if not true:
        raise ValueError(f"{place} is {value!r}, expected {expected}")
