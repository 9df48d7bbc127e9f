"""The spec: limits, precedence and what counts as the same wish."""

from __future__ import annotations

import math

import pytest

from cutline.domain.errors import InvalidInputError
from cutline.domain.outputs import OutputFormat
from cutline.domain.sticker_spec import LIMITS, CutType, IslandPolicy, StickerSpec, resolve


def test_an_empty_spec_takes_every_default() -> None:
    """Unset fields resolve to the defaults the contract names."""
    spec = resolve(StickerSpec())

    assert (spec.width_mm, spec.height_mm) == (None, None)
    assert (spec.border_mm, spec.smoothing, spec.bleed_mm, spec.safe_zone_mm, spec.min_radius_mm) == (3, 0.5, 2, 2, 1)
    assert spec.cut_type is CutType.DIE_CUT
    assert spec.island_policy is IslandPolicy.BRIDGE
    assert spec.output_formats == tuple(OutputFormat)


def test_unset_and_explicit_default_are_the_same_wish() -> None:
    """Writing a default out changes nothing."""
    written_out = StickerSpec(border_mm=3, smoothing=0.5, cut_type=CutType.DIE_CUT, printer_preset="generic")

    assert resolve(StickerSpec()) == resolve(written_out)


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused_by_name(name: str, value: float) -> None:
    """NaN and the infinities lie outside every limit, and the error names the field."""
    with pytest.raises(InvalidInputError) as caught:
        resolve(StickerSpec(**{name: value}))  # type: ignore[arg-type]

    assert [violation.field for violation in caught.value.violations] == [f"spec.{name}"]


@pytest.mark.parametrize("name", LIMITS)
def test_a_value_beyond_a_limit_is_refused_with_value_and_limit(name: str) -> None:
    """One step outside either end is refused; the description holds the value and the range."""
    limit = LIMITS[name]
    for value in (limit.low - 0.5, limit.high + 0.5):
        with pytest.raises(InvalidInputError) as caught:
            resolve(StickerSpec(**{name: value}))  # type: ignore[arg-type]
        (violation,) = caught.value.violations
        assert f"{value:g}" in violation.description
        assert str(limit) in violation.description


def test_a_value_just_beyond_a_limit_is_shown_in_full() -> None:
    """Rounded, it would read as if the limit itself were refused."""
    with pytest.raises(InvalidInputError, match=r"4\.99999999 is not 5 to 1000 mm"):
        resolve(StickerSpec(width_mm=4.99999999))


def test_every_bad_field_is_named_at_once() -> None:
    """Two bad fields give two violations."""
    with pytest.raises(InvalidInputError) as caught:
        resolve(StickerSpec(width_mm=2, border_mm=99, border_color="red"))

    assert {violation.field for violation in caught.value.violations} == {
        "spec.width_mm",
        "spec.border_mm",
        "spec.border_color",
    }


def test_a_border_that_leaves_no_room_for_art_is_refused() -> None:
    """The finished side less both borders must keep 5 mm."""
    with pytest.raises(InvalidInputError, match="at least 5 mm must remain"):
        resolve(StickerSpec(width_mm=10, border_mm=3))

    assert resolve(StickerSpec(width_mm=11, border_mm=3)).width_mm == 11


def test_exactly_the_least_room_for_art_is_enough() -> None:
    """In binary 8.2 less twice 1.6 is a hair under 5, which is nobody's fault."""
    for tenths in range(201):
        width_mm, border_mm = (50 + 2 * tenths) / 10, tenths / 10
        assert resolve(StickerSpec(width_mm=width_mm, border_mm=border_mm)).width_mm == width_mm


def test_a_preset_decides_between_explicit_and_default() -> None:
    """The Roland preset names both cuts; an explicit value still wins over any preset."""
    spec = resolve(StickerSpec(printer_preset="roland", bleed_mm=0))

    assert spec.bleed_mm == 0
    assert (spec.preset.through_spot, spec.preset.kiss_spot) == ("PerfCutContour", "CutContour")


def test_cutout_and_report_are_always_made() -> None:
    """Later stages read them, so asking for the PDF alone brings them too, in one fixed order."""
    spec = resolve(StickerSpec(output_formats=(OutputFormat.PRINT_PDF,)))

    assert spec.output_formats == (OutputFormat.CUTOUT_PNG, OutputFormat.PRINT_PDF, OutputFormat.REPORT_JSON)


@pytest.mark.parametrize(("asked", "meant"), [("#FF8800", "#ff8800"), ("#fF88a0", "#ff88a0"), ("None", "none")])
def test_a_colour_may_have_either_case(asked: str, meant: str) -> None:
    """Both cases are one wish, which is kept in lower case."""
    assert resolve(StickerSpec(border_color=asked)) == resolve(StickerSpec(border_color=meant))
    assert resolve(StickerSpec(border_color=asked)).border_color == meant


@pytest.mark.parametrize("asked", ["red", "#ff880", "#ff88000", "ff8800", "#gg8800", "#ff8800\n", ""])
def test_what_is_no_colour_is_refused(asked: str) -> None:
    """Only six hexadecimal digits behind a number sign, or the word none, are a border colour."""
    with pytest.raises(InvalidInputError) as caught:
        resolve(StickerSpec(border_color=asked))

    assert [violation.field for violation in caught.value.violations] == ["spec.border_color"]
    assert "is not #rrggbb or none" in str(caught.value)


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    """The error lists what there is."""
    with pytest.raises(InvalidInputError, match="generic"):
        resolve(StickerSpec(printer_preset="nonesuch"))
