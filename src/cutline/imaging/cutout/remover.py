"""The port to a learned background remover."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cutline.imaging.model import type_rgba


class ModelUnavailableError(Exception):
    """The remover cannot work here: its model file or its library is missing or broken."""


class BackgroundRemover(Protocol):
    """Tells art from background by what it has learned."""

    def subject_mask(self, rgba: type_rgba) -> NDArray[np.uint8]:
        """How much each pixel is subject: shape (height, width), 0 background to 255 subject.

        Raises:
            ModelUnavailableError: The model cannot be loaded or run.
        """
        ...
