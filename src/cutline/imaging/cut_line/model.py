"""What the cut line step hands on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import shapely
from shapely import MultiPolygon, Polygon

from cutline.domain.outputs import BoxMm, CutPath, CutRole, SizeSource
from cutline.imaging.cut_line.bezier import BezierPath


class JoinKind(StrEnum):
    """How separate pieces became one."""

    CLOSING = "CLOSING"
    BRIDGE = "BRIDGE"
    HULL = "HULL"


@dataclass(frozen=True, slots=True)
class Join:
    """A place where pieces were joined: `gap_mm` lay between them, `box` is its x_min, y_min, x_max, y_max."""

    kind: JoinKind
    gap_mm: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class CutLine:
    """The paths of the blade and where the art lies under them; mm in the trim frame (origin top left, y down).

    Attributes:
        through: Paths through sticker and liner.
        kiss: Paths through the sticker only; empty for DIE_CUT.
        inner: Holes cut inside the sticker.
        art: Outline of the art.
        wanted: Art grown by the border, before any rounding; its holes are filled.
        face: The finished sticker: inside of the kiss (else through) paths, without the inner cuts.
        mm_per_px: Scale of the cutout's canvas.
        canvas_origin_mm: Where the canvas's top left corner lies, x and y.
        trim_box: Box of the through paths; its corner is the origin of the frame.
        cut_box: Box of the finished paths.
        closing_radius_mm: Radius the line was closed with.
        shape_min_radius_mm: Smallest radius of `wanted`; 0 for a sharp corner.
        size_source: Where the size came from.
        art_pieces: Pieces of art before anything was joined.
        joins: Where and how pieces were joined.
        holes_wanted: Holes of the art that were asked to be cut.
        holes_lost: Those of them that were not.
    """

    through: tuple[BezierPath, ...]
    kiss: tuple[BezierPath, ...]
    inner: tuple[BezierPath, ...]
    art: MultiPolygon
    wanted: MultiPolygon
    face: MultiPolygon
    mm_per_px: float
    canvas_origin_mm: tuple[float, float]
    trim_box: BoxMm
    cut_box: BoxMm
    closing_radius_mm: float
    shape_min_radius_mm: float
    size_source: SizeSource
    art_pieces: int
    joins: tuple[Join, ...]
    holes_wanted: int
    holes_lost: tuple[Polygon, ...]

    @property
    def finished(self) -> tuple[BezierPath, ...]:
        """The outer paths of the finished sticker: the kiss line for KISS_CUT, else the through cut."""
        return self.kiss or self.through

    @cached_property
    def paths(self) -> tuple[tuple[CutRole, BezierPath], ...]:
        """Every path in the order a cutter should take them: inside before outside."""
        return (
            *((CutRole.INNER, path) for path in self.inner),
            *((CutRole.KISS, path) for path in self.kiss),
            *((CutRole.THROUGH, path) for path in self.through),
        )

    @cached_property
    def cut_paths(self) -> tuple[CutPath, ...]:
        """The paths as the report holds them."""
        return tuple(CutPath(role, path.path_data) for role, path in self.paths)

    @cached_property
    def outer_face(self) -> MultiPolygon:
        """The face with its inner cuts filled."""
        return MultiPolygon([shapely.Polygon(part.exterior) for part in self.face.geoms])

    def place_px(self, box_px: tuple[float, float, float, float]) -> BoxMm:
        """A box of the canvas (x_min, y_min, x_max, y_max in pixels) in mm."""
        x, y = self.canvas_origin_mm
        scale = self.mm_per_px
        return box_mm((x + box_px[0] * scale, y + box_px[1] * scale, x + box_px[2] * scale, y + box_px[3] * scale))


def box_mm(bounds: tuple[float, float, float, float]) -> BoxMm:
    """The box of bounds given as x_min, y_min, x_max, y_max, in whole micrometres."""
    x_min, y_min, x_max, y_max = bounds
    width_mm, height_mm = round(x_max - x_min, 3), round(y_max - y_min, 3)
    return BoxMm(round(x_min, 3) + 0.0, round(y_min, 3) + 0.0, width_mm, height_mm)
