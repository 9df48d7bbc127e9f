"""rembg as a background remover: its sessions run a local ONNX file and nothing else.

rembg on its own picks a default model, looks in a home folder that environment variables name, and downloads what is
not there. None of that happens here: the session class is told its file, so no environment is read or written and
nothing can be fetched. Importing rembg takes about a second (half a minute the first time ever, while it compiles), so
it waits until the first artwork needs it.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cutline.imaging.cutout.remover import ModelUnavailableError
from cutline.imaging.model import type_rgba

ModelFamily = Literal["u2net", "dis", "ben"]
"""How the network wants its input: U2-Net and its kin at 320 px, IS-Net (DIS) and BEN at 1,024 px."""

_SESSIONS: Final = MappingProxyType(
    {
        "u2net": ("rembg.sessions.u2net_custom", "U2netCustomSession"),
        "dis": ("rembg.sessions.dis_custom", "DisCustomSession"),
        "ben": ("rembg.sessions.ben_custom", "BenCustomSession"),
    }
)


class RembgRemover:
    """A `BackgroundRemover` over one ONNX file.

    Args:
        model_path: The ONNX file; looked for when first used.
        family: Which network the file holds.
        threads: Threads of the runtime; 1 leaves the other cores to other jobs.
    """

    def __init__(self, model_path: Path, *, family: ModelFamily = "u2net", threads: int = 1) -> None:
        self._model_path = model_path
        self._family = family
        self._threads = threads
        self._session: Any = None

    def subject_mask(self, rgba: type_rgba) -> NDArray[np.uint8]:
        """How much each pixel is subject; see `BackgroundRemover.subject_mask`.

        Raises:
            ModelUnavailableError: The file or rembg is missing, or the network does not run.
        """
        if self._session is None:
            self._session = self._open_session()
        image = Image.fromarray(np.ascontiguousarray(rgba[..., :3]))
        try:
            # A constant prediction divides 0 by 0 in rembg's stretching; the mask then has no range, which is caught.
            with np.errstate(divide="ignore", invalid="ignore"):
                masks = self._session.predict(image)
        except Exception as error:
            msg = f"The background model {self._model_path.name} does not run as a {self._family} network."
            raise ModelUnavailableError(msg) from error
        return np.asarray(masks[0].convert("L"), dtype=np.uint8)

    def _open_session(self) -> Any:
        if not self._model_path.is_file():
            msg = f"The background model file {self._model_path.name} is not there."
            raise ModelUnavailableError(msg)
        module_name, class_name = _SESSIONS[self._family]
        try:
            runtime = importlib.import_module("onnxruntime")
            base = getattr(importlib.import_module(module_name), class_name)
        except (ImportError, SystemExit) as error:
            # rembg ends the process where it finds no runtime for the network.
            msg = "Background models need rembg: install 'cutline[model]'."
            raise ModelUnavailableError(msg) from error
        path = str(self._model_path.resolve())
        local = type("LocalSession", (base,), {"download_models": classmethod(lambda *_args, **_kwargs: path)})
        options = runtime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        try:
            return local(class_name, options, model_path=path, providers=["CPUExecutionProvider"])
        except Exception as error:
            msg = f"The background model file {self._model_path.name} is no usable ONNX network."
            raise ModelUnavailableError(msg) from error
