"""What a print PDF says about itself: PDF/X-4 (ISO 15930-7) with a press profile, and no such claim without one."""

from __future__ import annotations

import hashlib
from typing import Final
from uuid import NAMESPACE_URL, uuid5
from xml.sax.saxutils import escape

from pikepdf import Array, Dictionary, Name, Pdf, String

from cutline.imaging.press_profile import PressProfile

NO_CLAIM: Final = "Colours are sRGB. No press profile was given, so this file makes no PDF/X claim."
_MAKER: Final = "Cutline"
# PDF/X wants dates, but the engine has no clock and the same input gives the same bytes.
_DATE: Final = "2000-01-01T00:00:00Z"
_PDF_DATE: Final = "D:20000101000000Z"
_XMP: Final = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:pdf="http://ns.adobe.com/pdf/1.3/"
    xmlns:pdfxid="http://www.npes.org/pdfx/ns/id/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/">
   <dc:format>application/pdf</dc:format>
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
   <pdf:Trapped>False</pdf:Trapped>
   <pdfxid:GTS_PDFXVersion>PDF/X-4</pdfxid:GTS_PDFXVersion>
   <xmp:CreatorTool>{maker}</xmp:CreatorTool>
   <xmp:CreateDate>{date}</xmp:CreateDate>
   <xmp:ModifyDate>{date}</xmp:ModifyDate>
   <xmp:MetadataDate>{date}</xmp:MetadataDate>
   <xmpMM:DocumentID>uuid:{document}</xmpMM:DocumentID>
   <xmpMM:VersionID>1</xmpMM:VersionID>
   <xmpMM:RenditionClass>default</xmpMM:RenditionClass>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>
"""


def describe(pdf: Pdf, *, title: str, press: PressProfile | None) -> None:
    """Adds the document's information, and with a press profile its output intent and the keys of PDF/X-4.

    Call it last: the document's id is taken from what it holds.
    """
    information = Dictionary(Title=String(title), Creator=String(_MAKER), Trapped=Name("/False"))
    if press is None:
        information.Subject = String(NO_CLAIM)
    else:
        information.CreationDate = information.ModDate = String(_PDF_DATE)
        packet = _XMP.format(title=escape(title), maker=_MAKER, date=_DATE, document=_document_id(pdf))
        pdf.Root.Metadata = pdf.make_stream(packet.encode(), Type=Name.Metadata, Subtype=Name.XML)
        pdf.Root.OutputIntents = Array([_output_intent(pdf, press)])
    pdf.docinfo = pdf.make_indirect(information)


def _output_intent(pdf: Pdf, press: PressProfile) -> Dictionary:
    """The one output intent; `Custom` says that no registry of print conditions is named, the profile is embedded."""
    return Dictionary(
        Type=Name.OutputIntent,
        S=Name.GTS_PDFX,
        OutputConditionIdentifier=String("Custom"),
        OutputCondition=String(press.title),
        Info=String(press.title),
        DestOutputProfile=pdf.make_stream(press.icc, N=4, Alternate=Name.DeviceCMYK),
    )


def _document_id(pdf: Pdf) -> str:
    """An id that follows from the page's content and images."""
    page = pdf.pages[0]
    digest = hashlib.sha256(page.Contents.read_raw_bytes())
    for image in page.Resources.XObject.values():
        digest.update(image.read_raw_bytes())
    return str(uuid5(NAMESPACE_URL, f"sha256:{digest.hexdigest()}"))
