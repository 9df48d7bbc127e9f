"""Damaged and hostile artwork, through the real pipeline in the process of a slot: a sticker or a named error."""

from __future__ import annotations

import asyncio
import re
import struct
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image, ImageCms

from cutline.domain.artwork import ArtworkLimits
from cutline.domain.errors import ArtworkError, Reason
from cutline.domain.outputs import OutputFormat
from cutline.domain.sticker_spec import StickerSpec, resolve
from cutline.messaging.slot import Slot, SlotDeadlineError, SlotPlan, SlotWatch
from services.imaging.work import Run, run_pipeline
from tests.support.mutated_files import base_files, mutated
from tests.unit.imaging.pixel_art import encoded, noise_image, png_header, svg

MUTATED_FILES: Final = 500
BATCHES: Final = 10
SMALL: Final = ArtworkLimits(max_pixels=1_000_000)
"""Damage can make a small file a large one; what large artwork costs is measured elsewhere."""
MEMORY_BYTES: Final = 1024**3
FILE_DEADLINE_S: Final = 20.0
PARSER_WORDS: Final = re.compile(
    r"traceback|expat|libpng|libtiff|pillow|\bPIL\b|opencv|cv2|geos|shapely|resvg|panic|exception|errno|0x[0-9a-f]+",
    re.IGNORECASE,
)
RED: Final = (200, 80, 20, 255)


@pytest.fixture(scope="module")
async def slot() -> AsyncIterator[Slot]:
    """A warm slot of the imaging worker, with less memory than the default."""
    plan = SlotPlan(warm_up="services.imaging.work:warm_up", warm_up_arguments=(1, ""), memory_limit_bytes=MEMORY_BYTES)
    running = Slot(plan)
    await running.start()
    yield running
    await running.stop()


async def outcome(
    slot: Slot,
    data: bytes,
    *,
    limits: ArtworkLimits | None = None,
    deadline_s: float = FILE_DEADLINE_S,
    **wishes: Any,
) -> Run | ArtworkError:
    """What the slot makes of a file; anything else than a run or a named error goes through."""
    asked: dict[str, Any] = {"output_formats": (OutputFormat.REPORT_JSON,), "width_mm": 12.0} | wishes
    spec = resolve(StickerSpec(**asked))
    watch = SlotWatch(lambda _name, _share: None, lambda _timings: None)
    try:
        reply = await slot.run(
            run_pipeline,
            (spec, limits or ArtworkLimits()),
            [data],
            deadline_s=deadline_s,
            cancel=asyncio.Event(),
            watch=watch,
        )
    except ArtworkError as error:
        assert_plain(error)
        return error
    assert isinstance(reply.value, Run)
    return reply.value


def assert_plain(error: ArtworkError) -> None:
    """The message is short, a whole sentence, and in nobody's jargon."""
    assert error.message.endswith(".")
    assert len(error.message) < 300
    assert not PARSER_WORDS.search(error.message), error.message


@pytest.mark.parametrize("batch", range(BATCHES))
async def test_damaged_files_end_by_name(slot: Slot, batch: int) -> None:
    """Five hundred damaged files: each is made into a sticker or refused by name, in one process and in time."""
    bases = base_files()
    names = list(bases)
    seen: Counter[str] = Counter()
    child = slot.pid

    for seed in range(batch, MUTATED_FILES, BATCHES):
        way, data = mutated(bases[names[seed // BATCHES % len(names)]], np.random.default_rng(seed))
        ended = await outcome(slot, data, limits=SMALL)
        seen["made" if isinstance(ended, Run) else ended.reason.value] += 1
        assert slot.pid == child, (seed, way)

    assert sum(seen.values()) == MUTATED_FILES // BATCHES
    assert {"made", "ARTWORK_UNREADABLE"} <= set(seen)


def rgba_png(height_px: int, width_px: int, *, margin_px: int = 0) -> bytes:
    """An opaque rectangle of red within a transparent margin."""
    pixels = np.zeros((height_px, width_px, 4), np.uint8)
    inner = slice(margin_px, -margin_px or None)
    pixels[inner, inner] = RED
    return encoded(Image.fromarray(pixels), "PNG", compress_level=1)


def png_with(kind: bytes, body: bytes) -> bytes:
    """A PNG with one more chunk after its header."""
    plain = encoded(Image.new("RGB", (64, 64), "red"), "PNG")
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return plain[:33] + chunk + plain[33:]


def inflated_to(size_bytes: int) -> bytes:
    """A few kB that inflate to that many bytes."""
    return zlib.compress(bytes(size_bytes), 9)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: png_header(30_000, 30_000), Reason.ARTWORK_TOO_LARGE),
        (lambda: png_header(16_384, 3_900), Reason.ARTWORK_UNREADABLE),
        (lambda: png_header(2**31 - 1, 2**31 - 1), Reason.ARTWORK_TOO_LARGE),
        (lambda: encoded(Image.new("P", (16_000, 4_100)), "GIF"), Reason.ARTWORK_TOO_LARGE),
        (lambda: png_with(b"iCCP", b"x\0\0" + inflated_to(10**8)), Reason.ARTWORK_UNREADABLE),
        (lambda: png_with(b"zTXt", b"x\0\0" + inflated_to(10**8)), Reason.ARTWORK_UNREADABLE),
        (lambda: png_with(b"iTXt", b"x\0\1\0\0\0" + inflated_to(10**8)), Reason.ARTWORK_UNREADABLE),
        (lambda: b"\x1f\x8b\x08" + inflated_to(10**7), Reason.ARTWORK_TYPE_UNSUPPORTED),
        (lambda: rgba_png(1, 16_384), Reason.NO_SUBJECT),
        (lambda: rgba_png(16_384, 1), Reason.NO_SUBJECT),
        (lambda: rgba_png(1, 1), Reason.NO_SUBJECT),
        (lambda: encoded(Image.new("RGBA", (300, 300), (9, 9, 9, 0)), "PNG"), Reason.NO_SUBJECT),
        (lambda: encoded(Image.new("RGB", (300, 300), "white"), "JPEG"), Reason.NO_SUBJECT),
        (lambda: svg("<script>while(1);</script>"), Reason.NO_SUBJECT),
        (lambda: svg('<image href="file:///etc/passwd"/>'), Reason.ARTWORK_UNREADABLE),
        (lambda: svg("<g>" * 100_000), Reason.ARTWORK_TOO_LARGE),
        (lambda: svg("<desc>&b;</desc>", before=_billion_laughs()), Reason.ARTWORK_UNREADABLE),
        (
            lambda: svg('<filter id="f"><feMorphology radius="900"/></filter><path d="M0 0h9v9z" filter="url(#f)"/>'),
            Reason.ARTWORK_TOO_LARGE,
        ),
        (lambda: svg("", 'width="1e9" height="1e9"'), Reason.ARTWORK_TOO_LARGE),
    ],
    ids=[
        "canvas over the side limit",
        "canvas without its pixels",
        "largest canvas a header can state",
        "canvas over the pixel limit",
        "profile that inflates",
        "text that inflates",
        "international text that inflates",
        "gzip",
        "line across",
        "line down",
        "one pixel",
        "transparent",
        "white",
        "script",
        "outside file",
        "nesting",
        "entities",
        "filter",
        "size",
    ],
)
async def test_bombs_and_nothings_are_refused_by_name(slot: Slot, make: Callable[[], bytes], reason: Reason) -> None:
    """What is too large, holds nothing, or reaches outside is refused with the reason that says so."""
    ended = await outcome(slot, make())

    assert isinstance(ended, ArtworkError), ended
    assert ended.reason is reason


def _billion_laughs() -> str:
    rungs = "".join(f'<!ENTITY l{index} "{f"&l{index - 1};" * 10}">' for index in range(1, 10))
    return f'<!DOCTYPE svg [<!ENTITY l0 "ha">{rungs}<!ENTITY b "&l9;">]>'


def _srgb_of(kind: bytes) -> bytes:
    """The sRGB profile under another device class."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:12] + kind + profile[16:]


def _disc_on_white(mode: str = "RGB") -> Image.Image:
    rows, columns = np.indices((120, 120))
    inside = (rows - 60) ** 2 + (columns - 60) ** 2 < 45**2
    return Image.fromarray(np.where(inside[..., None], RED[:3], (255, 255, 255)).astype(np.uint8)).convert(mode)


@pytest.mark.parametrize(
    "make",
    [
        lambda: rgba_png(90, 16_384, margin_px=2),
        lambda: rgba_png(16_384, 400, margin_px=2),
        lambda: encoded(noise_image(300, 300), "PNG"),
        lambda: encoded(_disc_on_white(), "GIF", save_all=True, append_images=[_disc_on_white().rotate(9)] * 40),
        lambda: encoded(_disc_on_white(), "WEBP", save_all=True, append_images=[_disc_on_white().rotate(9)] * 9),
        lambda: encoded(_disc_on_white(), "TIFF", save_all=True, append_images=[_disc_on_white()] * 20),
        lambda: encoded(_disc_on_white("CMYK"), "JPEG"),
        lambda: encoded(_disc_on_white("CMYK"), "TIFF", icc_profile=_srgb_of(b"mntr")),
        lambda: encoded(_disc_on_white("LAB"), "TIFF"),
        lambda: encoded(_disc_on_white("P"), "PNG", transparency=bytes(range(256))),
        lambda: encoded(_disc_on_white("1"), "PNG"),
        lambda: encoded(Image.fromarray(np.asarray(_disc_on_white("L")).astype(np.uint16) * 257), "PNG"),
        lambda: encoded(_disc_on_white(), "PNG", icc_profile=_srgb_of(b"link")),
        lambda: encoded(_disc_on_white(), "PNG", icc_profile=_srgb_of(b"spac")),
        lambda: encoded(_disc_on_white(), "JPEG", icc_profile=_srgb_of(b"nmcl")[:700]),
        lambda: encoded(_disc_on_white(), "JPEG", exif=b"Exif\0\0" + b"\xff" * 60),
    ],
    ids=[
        "thin bar across",
        "thin bar down",
        "opaque noise",
        "animated gif",
        "animated webp",
        "many pages",
        "cmyk jpeg",
        "cmyk with a profile of three channels",
        "lab",
        "palette of many alphas",
        "one bit",
        "sixteen bits",
        "device link profile",
        "colour space profile",
        "cut profile",
        "broken exif",
    ],
)
async def test_odd_files_are_made(slot: Slot, make: Callable[[], bytes]) -> None:
    """Unusual but sound artwork becomes a sticker; findings, not errors, say what is wrong with it."""
    assert isinstance(await outcome(slot, make()), Run)


@pytest.mark.parametrize("border_mm", [3.0, 0.0, -0.5, -2.0])
@pytest.mark.parametrize(("share", "side_px"), [(0.3, 60), (0.3, 150), (0.3, 300), (0.55, 200), (0.55, 1000)])
async def test_noise_in_alpha_ends_in_time(slot: Slot, border_mm: float, share: float, side_px: int) -> None:
    """Alpha of pure noise, which has thousands of pieces and holes, is made or refused within the deadline."""
    pixels = np.zeros((side_px, side_px, 4), np.uint8)
    pixels[..., :3] = RED[:3]
    pixels[..., 3] = np.where(np.random.default_rng(5).random((side_px, side_px)) < share, 255, 0)

    ended = await outcome(
        slot,
        encoded(Image.fromarray(pixels), "PNG", compress_level=1),
        border_mm=border_mm,
        width_mm=60.0,
        deadline_s=60.0,
    )

    assert isinstance(ended, Run) or ended.reason in {Reason.CUT_LINE_IMPOSSIBLE, Reason.NO_SUBJECT}


async def test_painting_without_end_meets_the_deadline(slot: Slot) -> None:
    """Thousands of full-size shapes over each other are rendered; the slot ends them at its deadline, and lives on."""
    heap = svg('<rect width="20" height="10" fill="red" opacity="0.5"/>' * 20_000)

    with pytest.raises(SlotDeadlineError):
        await outcome(slot, heap, deadline_s=2.0, width_mm=200.0)

    assert isinstance(await outcome(slot, rgba_png(60, 60, margin_px=5)), Run)
