"""The small files that stand in for real ones are valid, and are what a design says they are."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from uuid import UUID
from xml.etree import ElementTree as ET

import ezdxf.filemanagement
import httpx
import pikepdf
import pytest
from google.protobuf import json_format
from PIL import Image

from cutline.client import Client
from cutline.testing import FakeServer
from cutline.testing.ids import Ids
from cutline.v1 import report_pb2

PNG = b"\x89PNG\r\n\x1a\nnot quite a picture"


def test_every_file_is_one_of_its_kind(client: Client, tmp_path: Path) -> None:
    """A reader of each format opens it, and the sticker in it has the size asked for."""
    design = client.designs.submit(PNG, width_mm=60, height_mm=40)
    ended = design.wait(timeout_s=30)
    files = {path.name: path for path in design.download(tmp_path)}

    for name in ("cutout.png", "preview.png", "mockup-laptop.jpg"):
        with Image.open(files[name]) as picture:
            picture.load()
    laptop = next(mockup for mockup in ended.mockups if mockup.scene == "laptop")
    with Image.open(files["mockup-laptop.jpg"]) as picture:
        assert picture.size == (laptop.width_px, laptop.height_px)
    drawing = ET.parse(files["cutline.svg"]).getroot()  # noqa: S314  (made a moment ago)
    assert (drawing.get("width"), drawing.get("viewBox")) == ("60mm", "0 0 60 40")
    (polyline,) = ezdxf.filemanagement.readfile(files["cutline.dxf"]).modelspace()
    assert (polyline.dxftype(), polyline.dxf.layer) == ("POLYLINE", "CutContour")
    with pikepdf.open(files["print.pdf"]) as pdf:
        assert [float(side) for side in pdf.pages[0].trimbox] == pytest.approx([0, 0, 170.079, 113.386], abs=0.001)
    report = json_format.Parse(files["report.json"].read_text("utf-8"), report_pb2.Report())
    assert report.geometry == ended.geometry
    assert report.resolved_spec == ended.resolved_spec


def test_sizes_and_digests_are_true(client: Client, tmp_path: Path) -> None:
    """What a design promises of each file is what is fetched."""
    design = client.designs.submit(PNG)
    ended = design.wait(timeout_s=30)
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in design.download(tmp_path)}

    assert digests == {artifact.sha256 for artifact in ended.artifacts} | {mockup.sha256 for mockup in ended.mockups}


def test_addresses_are_good_for_what_was_signed(client: Client, server: FakeServer) -> None:
    """A changed address is refused, one of a deleted design leads nowhere, and a restart keeps those given out."""
    design = client.designs.submit(PNG)
    url = design.wait(timeout_s=30).artifacts[0].url
    server.restart()
    with httpx.Client(trust_env=False) as http:
        good = http.get(url)
        assert (good.status_code, good.headers["content-type"]) == (200, "image/png")
        assert good.headers["content-disposition"] == 'attachment; filename="cutout.png"'
        Image.open(io.BytesIO(good.content)).load()
        assert http.get(url.replace("cutout", "preview")).status_code == 403
        assert http.put(url, content=b"x").status_code == 403
        design.delete()
        assert http.get(url).status_code == 404


def test_ids_grow() -> None:
    """Ids made within one millisecond are UUIDv7 in the order in which they were made."""
    ids = Ids()
    made = [ids.new() for _ in range(10_000)]

    assert made == sorted(set(made))
    assert {(UUID(str(each)).version, each.variant) for each in made} == {(7, "specified in RFC 4122")}
