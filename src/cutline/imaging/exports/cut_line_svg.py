"""The cut line as SVG in millimetres."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import quoteattr

from cutline.domain.outputs import CutRole
from cutline.domain.sticker_spec import ResolvedSpec
from cutline.imaging.cut_line.bezier import number
from cutline.imaging.cut_line.model import CutLine
from cutline.imaging.exports.spots import spot_of

_MM_PER_PT: Final = 25.4 / 72
_COLORS: Final = {CutRole.THROUGH: "#ff00ff", CutRole.KISS: "#00a0ff", CutRole.INNER: "#ff00ff"}


def cut_line_svg(cut_line: CutLine, spec: ResolvedSpec) -> bytes:
    """Paths without fill, one group per role; one user unit is 1 mm and the page is the outer cut's box.

    Width and height carry mm because programs disagree about the size of a pixel (96, 90 or 72 to the inch).
    """
    width, height = number(cut_line.trim_box.width_mm), number(cut_line.trim_box.height_mm)
    stroke = number(spec.preset.stroke_pt * _MM_PER_PT)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm"'
            f' viewBox="0 0 {width} {height}" fill="none" stroke-width="{stroke}" stroke-linejoin="round">'
        ),
    ]
    for role in CutRole:
        paths = [path for kind, path in cut_line.paths if kind is role]
        if paths:
            lines.append(f'  <g id="{role.value.lower()}" data-spot={quoteattr(spot_of(role, cut_line, spec))}>')
            lines += [f'    <path d="{path.path_data}" stroke="{_COLORS[role]}"/>' for path in paths]
            lines.append("  </g>")
    lines += ["</svg>", ""]
    return "\n".join(lines).encode()
