"""Reading a run's files, and the face that is made of them."""

from __future__ import annotations

import json
from typing import Any

import cv2
import numpy as np
import pytest
from google.protobuf.json_format import MessageToJson

from cutline.domain.errors import InvalidInputError
from cutline.domain.outputs import BoxMm, CutPath, CutRole
from cutline.mockups import StickerArt
from cutline.mockups.path_data import flatten_path
from cutline.v1 import report_pb2, sticker_spec_pb2
from tests.unit.mockups.rectangles import rectangle_path, rectangle_sticker


def png(rgba: np.typing.NDArray[np.uint8]) -> bytes:
    """The pixels as a PNG file."""
    return cv2.imencode(".png", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA))[1].tobytes()


def report() -> report_pb2.Report:
    """The report of a 40 x 30 mm sticker with a 3 mm border."""
    return report_pb2.Report(
        resolved_spec=sticker_spec_pb2.StickerSpec(border_color="#00ff00"),
        geometry=report_pb2.Geometry(
            canvas_box=report_pb2.BoxMm(x_mm=3, y_mm=3, width_mm=34, height_mm=24),
            cut_box=report_pb2.BoxMm(x_mm=0, y_mm=0, width_mm=40, height_mm=30),
        ),
        cut_paths=[
            report_pb2.CutPath(role=report_pb2.CutPath.ROLE_THROUGH, path_data=rectangle_path(0, 0, 40, 30)),
            report_pb2.CutPath(role=report_pb2.CutPath.ROLE_INNER, path_data=rectangle_path(10, 10, 20, 20)),
        ],
    )


ART = np.zeros((240, 340, 4), dtype=np.uint8)
ART[60:180, 40:300] = (255, 0, 0, 255)


def test_a_runs_files_are_read() -> None:
    """The report as protobuf writes it, which leaves out zeros, gives paths, boxes and colour; the PNG gives pixels."""
    text = MessageToJson(report(), preserving_proto_field_name=True)
    sticker = StickerArt.from_files(png(ART), text.encode())
    assert np.array_equal(sticker.rgba, ART)
    assert sticker.canvas_box == BoxMm(3, 3, 34, 24)
    assert sticker.cut_box == BoxMm(0, 0, 40, 30)
    assert sticker.border_color == "#00ff00"
    assert [path.role for path in sticker.cut_paths] == [CutRole.THROUGH, CutRole.INNER]


def test_the_face_is_border_art_and_holes() -> None:
    """Pixels of the face: border colour at the edge, art on it, nothing in an inner cut or outside."""
    text = MessageToJson(report(), preserving_proto_field_name=True)
    face = StickerArt.from_files(png(ART), text.encode()).face

    def at(x_mm: float, y_mm: float) -> list[int]:
        x, y, _ = face.from_mm @ [x_mm, y_mm, 1]
        return [int(value) for value in face.pixels[int(y), int(x)]]

    assert at(1, 1) == [0, 255, 0, 255]
    assert at(25, 15) == [255, 0, 0, 255]
    assert at(15, 15) == [0, 0, 0, 0]
    assert face.pixels[0].max() == 0
    assert (face.pixels[:, :, :3] <= face.pixels[:, :, 3:]).all()


def test_the_face_ends_on_the_cut_line() -> None:
    """The face's area is the cut's area within 0.3 %."""
    face = rectangle_sticker(40, 30).face
    area_mm2 = face.pixels[:, :, 3].sum(dtype=np.int64) / 255 / (face.px_per_mm[0] * face.px_per_mm[1])
    assert area_mm2 == pytest.approx(1200, rel=0.003)


def test_a_small_subject_on_a_large_canvas_stays_small() -> None:
    """The face covers the cut box, not the canvas: a 10 mm sticker from a canvas of 2 m is about 1,000 px."""
    cut = CutPath(CutRole.THROUGH, rectangle_path(0, 0, 10, 10))
    canvas = BoxMm(-900, -900, 2000, 2000)
    sticker = StickerArt(np.full((2000, 2000, 4), 255, np.uint8), canvas, BoxMm(0, 0, 10, 10), (cut,))
    assert 1000 < max(sticker.face.pixels.shape) < 1250


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("geometry.canvas_box", {"geometry": {"cut_box": {"width_mm": 4, "height_mm": 3}}}),
        ("geometry.cut_box", {"geometry": {"canvas_box": {"width_mm": 4, "height_mm": 3}, "cut_box": {"width_mm": 4}}}),
        ("cut_paths", {"cut_paths": []}),
        ("cut_paths[0]", {"cut_paths": [{"role": "ROLE_THROUGH", "path_data": "M 0 0 L 1 1 Z"}]}),
        ("cut_paths[0]", {"cut_paths": [{"role": "ROLE_FOLD", "path_data": rectangle_path(0, 0, 1, 1)}]}),
    ],
)
def test_a_report_at_fault_is_refused_by_field(field: str, change: dict[str, Any]) -> None:
    """A missing box, an empty box, no path, a path of other commands or of an unknown role: the field is named."""
    values = json.loads(MessageToJson(report(), preserving_proto_field_name=True)) | change
    with pytest.raises(InvalidInputError) as refusal:
        StickerArt.from_files(png(ART), json.dumps(values).encode())
    assert refusal.value.violations[0].field == field


@pytest.mark.parametrize("data", [b"", b"not a picture", png(ART)[:200]])
def test_a_cutout_that_is_no_png_is_refused(data: bytes) -> None:
    """Empty, foreign or truncated bytes are refused as cutout_png."""
    with pytest.raises(InvalidInputError, match="cutout_png"):
        StickerArt.from_files(data, MessageToJson(report(), preserving_proto_field_name=True).encode())


@pytest.mark.parametrize("data", [b"", b"{", b"[]"])
def test_a_report_that_is_no_object_is_refused(data: bytes) -> None:
    """Bytes that are no JSON object are refused as report_json."""
    with pytest.raises(InvalidInputError, match="report_json"):
        StickerArt.from_files(png(ART), data)


def test_a_circle_of_four_cubics_stays_a_circle() -> None:
    """Flattening keeps the points of a circle within 0.05 mm of its radius."""
    k = 10 * 0.5522847
    circle = f"M 10 0 C 10 {k} {k} 10 0 10 C {-k} 10 -10 {k} -10 0 C -10 {-k} {-k} -10 0 -10 C {k} -10 10 {-k} 10 0 Z"
    (polygon,) = flatten_path(circle)
    assert np.abs(np.hypot(polygon[:, 0], polygon[:, 1]) - 10).max() < 0.05


@pytest.mark.parametrize("data", ["", "M 0 0 Z", "m 0 0 c 1 1 2 2 3 3 z", "M 0 0 C 1 1 2 2 Z"])
def test_other_path_data_is_refused(data: str) -> None:
    """Nothing, a lone point, relative commands or half a cubic are no cut path."""
    with pytest.raises(ValueError, match=r"cut path|subpath"):
        flatten_path(data)
