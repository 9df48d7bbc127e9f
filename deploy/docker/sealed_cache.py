"""Machine code that was compiled when the image was built, read from a file system that nobody can write.

rembg imports pymatting, which has numba compile some thirty functions at import: half a minute of processor time,
unless numba finds them in its cache. numba looks only where it could write, too; on a read-only root that is at best an
empty home folder, so that every new container would compile anew, or fail. This cache is read where it lies, beside the
modules; `NUMBA_CACHE_LOCATOR_CLASSES=sealed_cache.SealedCacheLocator` has numba use it.

What is compiled fits the processors that `NUMBA_CPU_NAME` names, which has to be `generic`: an image is run on others
than it was built on.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any, Final

from numba.core.caching import InTreeCacheLocator

WARMED: Final = ("rembg.sessions.u2net_custom", "rembg.sessions.dis_custom", "rembg.sessions.ben_custom")
"""What imaging imports of rembg; importing it compiles all there is to compile."""


class SealedCacheLocator(InTreeCacheLocator):
    """The cache in `__pycache__` beside a module, whether or not it can be written."""

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> SealedCacheLocator | None:
        """The place for a function, where its file is one."""
        return cls(py_func, py_file) if Path(py_file).exists() else None

    def ensure_cache_path(self) -> None:
        """Called before something newly compiled is kept.

        Raises:
            RuntimeError: The cache is sealed; what is asked for should have been in it.
        """
        try:
            super().ensure_cache_path()  # type: ignore[no-untyped-call]  # numba has no types
        except OSError as error:
            message = (
                f"The compiled code of this image lacks a function of {self._py_file}: was it built for another "
                "processor than NUMBA_CPU_NAME names?"
            )
            raise RuntimeError(message) from error


def warm() -> int:
    """Imports what imaging will import; returns the number of compiled functions that are kept now."""
    for name in WARMED:
        importlib.import_module(name)
    package = Path(str(sys.modules["pymatting"].__file__)).parent
    return len(list(package.rglob("*.nbc")))


if __name__ == "__main__":
    kept = warm()
    print(f"{kept} compiled functions are kept")
    sys.exit(0 if kept else "nothing was kept: NUMBA_CACHE_LOCATOR_CLASSES has to name sealed_cache.SealedCacheLocator")
