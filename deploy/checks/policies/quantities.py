"""Reads what Kubernetes calls quantities."""

from __future__ import annotations

from typing import Final

_UNITS: Final = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}


def bytes_of(quantity: str | float) -> int:
    """A quantity of memory or disk in bytes.

    Raises:
        ValueError: It is none.
    """
    text = str(quantity)
    digits = text.rstrip("".join({letter for unit in _UNITS for letter in unit}))
    unit = text[len(digits) :]
    if unit not in _UNITS:
        message = f"{text!r} is no quantity of bytes"
        raise ValueError(message)
    return int(float(digits) * _UNITS[unit])
