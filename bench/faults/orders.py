"""Artwork that tells the worker what to do: a JSON document in place of pixels."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path


class Deed(StrEnum):
    """What the work does with the process it runs in."""

    FILES = "files"
    """Makes its files."""
    EXIT = "exit"
    """Ends the process, as a fault in native code does."""
    HANG = "hang"
    """Never comes back."""
    EAT = "eat"
    """Takes memory without end."""


@dataclass(frozen=True, slots=True)
class Order:
    """What happens to the worker that takes this artwork.

    Attributes:
        number: Tells orders apart, so that no two have the same bytes.
        hold_s: How long the work takes, in small steps.
        deed: What it does then.
        deed_in_mockup: What the mockup of it does.
        cure: Path of a file; once it exists every deed is FILES. Empty for none.
    """

    number: int
    hold_s: float = 0.0
    deed: Deed = Deed.FILES
    deed_in_mockup: Deed = Deed.FILES
    cure: str = ""

    def encode(self) -> bytes:
        """The artwork's bytes."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, data: bytes) -> Order:
        """The order in an artwork's bytes."""
        fields = json.loads(data)
        fields["deed"], fields["deed_in_mockup"] = Deed(fields["deed"]), Deed(fields["deed_in_mockup"])
        return cls(**fields)

    @property
    def cured(self) -> bool:
        """Whether what was wrong with it is mended."""
        return bool(self.cure) and Path(self.cure).exists()
