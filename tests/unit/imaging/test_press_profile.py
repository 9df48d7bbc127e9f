"""The operator's press profile, and what print files say with and without one."""

from __future__ import annotations

import io
from typing import Any
from uuid import UUID
from xml.etree import ElementTree as ET

import pikepdf
import pytest
from PIL import Image

from cutline.domain.artwork import ArtworkLimits
from cutline.domain.outputs import OutputFormat
from cutline.domain.sticker_spec import CutType, StickerSpec, resolve
from cutline.imaging.pipeline import make_sticker, unobserved
from cutline.imaging.press_profile import PressProfile, PressProfileError
from services.imaging import work
from tests.support.drawn_art import artwork_of, cutout_of, disc, drawn, star
from tests.support.press_profiles import icc_profile

SOUND = icc_profile(title="Coated, 300 %")
PRESS = PressProfile.read(SOUND)
NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "pdf": "http://ns.adobe.com/pdf/1.3/",
    "pdfxid": "http://www.npes.org/pdfx/ns/id/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
}


def print_pdf(press: PressProfile | None, *, shape: Any = None, **wishes: Any) -> pikepdf.Pdf:
    """The print PDF of a disc or another shape."""
    rgba = drawn(shape or disc())
    spec = resolve(StickerSpec(**wishes, output_formats=(OutputFormat.PRINT_PDF,)))
    files = make_sticker(artwork_of(rgba), cutout_of(rgba), spec, press=press).files
    return pikepdf.open(io.BytesIO(next(file.data for file in files if file.kind is OutputFormat.PRINT_PDF)))


def xmp(pdf: pikepdf.Pdf) -> ET.Element:
    """The description in the document's metadata."""
    root = ET.fromstring(pdf.Root.Metadata.read_bytes())  # noqa: S314  (the project's own file)
    found = root.find(".//rdf:Description", NAMESPACES)
    assert found is not None
    return found


def said(description: ET.Element, name: str) -> str:
    """A property's text."""
    return "".join(element.text or "" for element in description.findall(name, NAMESPACES))


def test_a_press_profile_becomes_the_one_output_intent() -> None:
    """The intent is GTS_PDFX, embeds the profile byte by byte with four colours, and names what it is."""
    pdf = print_pdf(PRESS)
    (intent,) = list(pdf.Root.OutputIntents)

    assert (str(intent.Type), str(intent.S)) == ("/OutputIntent", "/GTS_PDFX")
    assert intent.DestOutputProfile.read_bytes() == SOUND
    assert int(intent.DestOutputProfile.N) == 4
    assert str(intent.OutputConditionIdentifier) == "Custom"
    assert str(intent.Info) == "Coated, 300 %"


def test_the_file_then_says_pdf_x_4() -> None:
    """Version, title, trapping, three dates, document id, version and rendition stand in the XMP, as PDF/X-4 wants."""
    pdf = print_pdf(PRESS)
    description = xmp(pdf)

    assert said(description, "pdfxid:GTS_PDFXVersion") == "PDF/X-4"
    assert said(description, "pdf:Trapped") == "False"
    assert said(description, "dc:title/rdf:Alt/rdf:li") == str(pdf.docinfo.Title) == "Sticker 75.00 x 75.00 mm"
    dates = {said(description, f"xmp:{name}Date") for name in ("Create", "Modify", "Metadata")}
    assert dates == {"2000-01-01T00:00:00Z"}
    assert str(pdf.docinfo.CreationDate) == str(pdf.docinfo.ModDate) == "D:20000101000000Z"
    assert UUID(said(description, "xmpMM:DocumentID").removeprefix("uuid:")).version == 5
    assert said(description, "xmpMM:VersionID") == "1"
    assert said(description, "xmpMM:RenditionClass") == "default"


@pytest.mark.parametrize("cut_type", CutType)
def test_the_rest_of_the_file_is_as_pdf_x_4_wants_it(cut_type: CutType) -> None:
    """PDF 1.6, an id, no encryption, a trim box, and layers listed in one named default without automatic states."""
    pdf = print_pdf(PRESS, cut_type=cut_type, white_ink=True)
    layers, default = pdf.Root.OCProperties, pdf.Root.OCProperties.D

    assert pdf.pdf_version == "1.6"
    assert not pdf.is_encrypted
    assert "/ID" in pdf.trailer
    assert str(pdf.docinfo.Trapped) == "/False"
    assert "/TrimBox" in pdf.pages[0]
    assert str(default.Name)
    assert {group.objgen for group in default.Order} == {group.objgen for group in layers.OCGs}
    assert "/AS" not in default
    assert "/Configs" not in layers


def test_other_art_has_another_document_id() -> None:
    """The id follows from the content: the same for the same sticker, another for another."""
    ids = [
        said(xmp(print_pdf(PRESS, **wishes)), "xmpMM:DocumentID")
        for wishes in ({}, {}, {"shape": star()}, {"border_color": "#102030"})
    ]

    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_the_imaging_worker_makes_files_for_its_press(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a slot is warmed up with is the output intent of the next job's print PDF."""
    monkeypatch.setattr(work, "_press_profiles", [])
    work.warm_up(1, "", SOUND)
    png = io.BytesIO()
    Image.fromarray(drawn(disc())).save(png, "PNG")
    spec = resolve(StickerSpec(output_formats=(OutputFormat.PRINT_PDF,)))

    run, files = work.run_pipeline(unobserved, [png.getvalue()], spec, ArtworkLimits())

    made = {kind: data for (kind, _), data in zip(run.files, files, strict=True)}
    with pikepdf.open(io.BytesIO(made[OutputFormat.PRINT_PDF])) as pdf:
        assert pdf.Root.OutputIntents[0].DestOutputProfile.read_bytes() == SOUND


def test_without_a_profile_the_file_claims_nothing_and_says_so() -> None:
    """There is neither output intent nor PDF/X key, and the document's subject tells why."""
    pdf = print_pdf(None)

    assert "/OutputIntents" not in pdf.Root
    assert "/Metadata" not in pdf.Root
    assert "no PDF/X claim" in str(pdf.docinfo.Subject)


@pytest.mark.parametrize(
    ("icc", "why"),
    [
        (b"", "is not an ICC profile"),
        (b"%PDF-1.6" + bytes(200), "is not an ICC profile"),
        (SOUND[:-1], f"is damaged: its header says {len(SOUND)} bytes and it has {len(SOUND) - 1}"),
        (icc_profile(kind=b"mntr"), "is an ICC profile of class mntr; a press profile is of class prtr"),
        (icc_profile(kind=b"scnr"), "is an ICC profile of class scnr; a press profile is of class prtr"),
        (icc_profile(space=b"RGB "), "is an ICC profile of the colour space RGB; a press profile is CMYK"),
        (SOUND[:8] + b"\x05" + SOUND[9:], "is an ICC profile of version 5; PDF/X-4 takes versions 2 and 4"),
        (SOUND[:200] + bytes(len(SOUND) - 200), "is an ICC profile that cannot convert sRGB to press colours"),
    ],
)
def test_what_is_no_press_profile_is_refused_by_what_it_is(icc: bytes, why: str) -> None:
    """The error says in one sentence what was found and what is needed."""
    with pytest.raises(PressProfileError) as caught:
        PressProfile.read(icc)

    assert str(caught.value) == why
