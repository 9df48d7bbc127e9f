"""The profile of the press that files are made for: the operator's, checked once before any work."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

from PIL import ImageCms

_HEADER_BYTES: Final = 128
_VERSIONS: Final = (2, 4)


class PressProfileError(ValueError):
    """These bytes are no press profile; the message says why in one sentence without a subject."""


@dataclass(frozen=True, slots=True)
class PressProfile:
    """An ICC output profile (class prtr) of a CMYK press.

    Attributes:
        icc: The profile's bytes.
        title: Its own description.
    """

    icc: bytes
    title: str

    @classmethod
    def read(cls, icc: bytes) -> PressProfile:
        """Checks a profile, by its header (ICC.1:2010, 7.2) and by making sRGB's way to the press of it.

        Raises:
            PressProfileError: It is damaged, of another class or colour space, or cannot convert colours.
        """
        _check_header(icc)
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            ImageCms.buildTransform(ImageCms.createProfile("sRGB"), profile, "RGB", "CMYK")
        except (ImageCms.PyCMSError, OSError) as error:
            message = "is an ICC profile that cannot convert sRGB to press colours"
            raise PressProfileError(message) from error
        return cls(icc, (profile.profile.profile_description or "").strip() or "Unnamed press profile")


def _check_header(icc: bytes) -> None:
    if len(icc) < _HEADER_BYTES or icc[36:40] != b"acsp":
        message = "is not an ICC profile"
    elif (declared_bytes := int.from_bytes(icc[:4], "big")) != len(icc):
        message = f"is damaged: its header says {declared_bytes} bytes and it has {len(icc)}"
    elif icc[12:16] != b"prtr":
        message = f"is an ICC profile of class {_tag(icc[12:16])}; a press profile is of class prtr"
    elif icc[16:20] != b"CMYK":
        message = f"is an ICC profile of the colour space {_tag(icc[16:20])}; a press profile is CMYK"
    elif icc[8] not in _VERSIONS:
        message = f"is an ICC profile of version {icc[8]}; PDF/X-4 takes versions 2 and 4"
    else:
        return
    raise PressProfileError(message)


def _tag(name: bytes) -> str:
    return name.decode("ascii", "replace").strip()
