"""The cut line as DXF in millimetres."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import ezdxf
from ezdxf import units
from ezdxf.filemanagement import new

from cutline.domain.outputs import CutRole
from cutline.domain.sticker_spec import ResolvedSpec
from cutline.imaging.cut_line.model import CutLine
from cutline.imaging.exports.spots import spot_of

TOLERANCE_MM: Final = 0.005
_MAGENTA: Final = 6
_CYAN: Final = 4


def cut_line_dxf(cut_line: CutLine, spec: ResolvedSpec) -> bytes:
    """Closed LWPOLYLINEs within 0.005 mm of the paths, one layer per spot colour, y upwards as DXF has it.

    Polylines, because cutter programs read splines and arcs of DXF badly. The origin is the bottom left corner of the
    outer cut's box.
    """
    with _fixed_metadata():
        return _drawing(cut_line, spec)


def _drawing(cut_line: CutLine, spec: ResolvedSpec) -> bytes:
    document = new("R2010", setup=False, units=units.MM)
    space = document.modelspace()
    for role, path in cut_line.paths:
        layer = spot_of(role, cut_line, spec)
        if layer not in document.layers:
            document.layers.add(layer, color=_CYAN if role is CutRole.KISS else _MAGENTA)
        points = path.flattened(TOLERANCE_MM)
        points[:, 1] = cut_line.trim_box.height_mm - points[:, 1]
        space.add_lwpolyline(points.round(4).tolist(), close=True, dxfattribs={"layer": layer})
    extents = (0, 0, 0), (cut_line.trim_box.width_mm, cut_line.trim_box.height_mm, 0)
    space.reset_extents(*extents)
    # ezdxf carries the layout's extents into the header, but not those that begin at the origin.
    document.header["$EXTMIN"], document.header["$EXTMAX"] = extents
    # Left alone, ezdxf declares these classes in the order of a set, which differs between processes.
    for kind in sorted(document.entitydb.dxf_types_in_use()):
        document.classes.add_class(kind)
    text = io.StringIO()
    document.write(text)
    return text.getvalue().encode()


@contextmanager
def _fixed_metadata() -> Iterator[None]:
    """Keeps the time and random ids, which ezdxf writes otherwise, out of the file: same input, same bytes."""
    options = ezdxf.options  # type: ignore[attr-defined]  # documented, but not listed for export
    before = options.write_fixed_meta_data_for_testing
    options.write_fixed_meta_data_for_testing = True
    try:
        yield
    finally:
        options.write_fixed_meta_data_for_testing = before
