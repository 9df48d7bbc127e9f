"""What is measured: kinds of art, ways of cutting it out, sizes and borders."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cutline.domain.outputs import CutoutMethod
from cutline.domain.sticker_spec import ResolvedSpec, StickerSpec, resolve

SIDES_PX: Final = {4: 2000, 16: 4000}
"""Side of the square canvas by its megapixels."""
BORDERS_MM: Final = (3.0, 0.0)
BLEED_MM: Final = 2.0
BOUNDED: Final = (CutoutMethod.ALPHA, CutoutMethod.FLAT)
"""Routes that are held to the bounds; the others do other work and are shown beside them."""


class Look(StrEnum):
    """What the artwork looks like."""

    FLAT = "flat"
    PHOTO = "photo-like"


class FileFormat(StrEnum):
    """How the artwork is uploaded."""

    PNG = "PNG"
    JPEG = "JPEG"


@dataclass(frozen=True, slots=True)
class Upload:
    """One artwork file: what is drawn, how large, and what tells it from its background."""

    look: Look
    route: CutoutMethod
    megapixels: int
    file_format: FileFormat = FileFormat.PNG

    @property
    def side_px(self) -> int:
        """Side of its square canvas."""
        return SIDES_PX[self.megapixels]

    @property
    def name(self) -> str:
        """Short name, as a table and a file can hold it."""
        return f"{self.look.value} {self.megapixels} MP {self.file_format.value} {self.route.value}"


@dataclass(frozen=True, slots=True)
class Case:
    """One upload made into a sticker with one border."""

    upload: Upload
    border_mm: float

    @property
    def name(self) -> str:
        """Short name."""
        return f"{self.upload.name}, border {self.border_mm:g}"

    @property
    def is_bounded(self) -> bool:
        """Whether the bounds hold for its route."""
        return self.upload.route in BOUNDED

    def spec(self) -> ResolvedSpec:
        """What is asked for: every default file. GRABCUT and MODEL are asked for by name, the others found by AUTO."""
        method = CutoutMethod.AUTO if self.is_bounded else self.upload.route
        return resolve(StickerSpec(border_mm=self.border_mm, bleed_mm=BLEED_MM, cutout_method=method))


def uploads() -> tuple[Upload, ...]:
    """Every artwork file, small ones first."""
    return tuple(
        upload
        for megapixels in SIDES_PX
        for upload in (
            Upload(Look.FLAT, CutoutMethod.ALPHA, megapixels),
            Upload(Look.FLAT, CutoutMethod.FLAT, megapixels),
            Upload(Look.PHOTO, CutoutMethod.ALPHA, megapixels),
            Upload(Look.PHOTO, CutoutMethod.FLAT, megapixels),
            Upload(Look.PHOTO, CutoutMethod.FLAT, megapixels, FileFormat.JPEG),
            Upload(Look.PHOTO, CutoutMethod.GRABCUT, megapixels, FileFormat.JPEG),
            Upload(Look.PHOTO, CutoutMethod.MODEL, megapixels, FileFormat.JPEG),
        )
    )


def cases_of(upload: Upload) -> tuple[Case, ...]:
    """The stickers made of an upload."""
    return tuple(Case(upload, border_mm) for border_mm in BORDERS_MM)
