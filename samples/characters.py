"""The sample characters as SVG: flat shapes, one ink, soft shading.

Every function gives the body of an SVG of 1600 x 1600 units.
"""

from __future__ import annotations

import math
import random

INK = "#2e2245"


def _cheeks(left: float, right: float, y: float, radius: float = 44, color: str = "#ff8fa3") -> str:
    return (
        f'<ellipse cx="{left}" cy="{y}" rx="{radius}" ry="{radius * 0.62:.0f}" fill="{color}" opacity=".75"/>'
        f'<ellipse cx="{right}" cy="{y}" rx="{radius}" ry="{radius * 0.62:.0f}" fill="{color}" opacity=".75"/>'
    )


def _eyes(left: float, right: float, y: float, radius: float = 40) -> str:
    return "".join(
        f'<ellipse cx="{x}" cy="{y}" rx="{radius * 0.86:.0f}" ry="{radius:.0f}" fill="{INK}"/>'
        f'<g fill="#fff"><circle cx="{x + radius * 0.28:.0f}" cy="{y - radius * 0.36:.0f}" r="{radius * 0.32:.0f}"/>'
        f'<circle cx="{x - radius * 0.26:.0f}" cy="{y + radius * 0.4:.0f}" r="{radius * 0.15:.0f}"/></g>'
        for x in (left, right)
    )


def _smile(x: float, y: float, width: float = 70, depth: float = 44) -> str:
    return (
        f'<path d="M{x - width / 2} {y}q{width / 2} {depth} {width} 0" fill="none" stroke="{INK}" stroke-width="15"'
        ' stroke-linecap="round"/>'
    )


def fox() -> str:
    """A sitting fox with a big tail."""
    return f"""
<g stroke="{INK}" stroke-width="22" stroke-linejoin="round" stroke-linecap="round">
  <path d="M1010 1380C1290 1420 1500 1230 1460 980C1436 830 1330 770 1290 660C1200 800 1170 900 1150 1010
    C1130 1110 1090 1180 1000 1220z" fill="#f3722c"/>
  <path d="M1290 660C1330 770 1436 830 1459 976C1420 930 1380 950 1350 910C1320 950 1270 930 1246 960C1220 930 1190 940
    1160 960C1176 880 1204 790 1290 660z" fill="#fff3e2"/>
  <path d="M520 920C430 1080 400 1250 450 1400C470 1440 540 1450 800 1450C1060 1450 1120 1440 1140 1390
    C1180 1240 1140 1060 1050 910z" fill="#f3722c"/>
  <path d="M640 960C600 1090 620 1230 800 1300C960 1230 980 1090 940 960z" fill="#fff3e2" stroke="none"/>
  <path d="M560 1450C520 1370 560 1290 640 1290C720 1290 750 1370 730 1450z" fill="#3d2c52"/>
  <path d="M860 1450C830 1370 870 1290 950 1290C1030 1290 1070 1370 1040 1450z" fill="#3d2c52"/>
  <path d="M330 470C290 330 300 190 360 130C480 170 590 260 640 360z" fill="#f3722c"/>
  <path d="M1240 470C1290 330 1280 190 1220 130C1100 170 990 260 940 360z" fill="#f3722c"/>
  <path d="M372 400C350 320 356 250 384 206C450 236 520 290 560 350z" fill="#3d2c52" stroke="none"/>
  <path d="M1204 400C1228 320 1224 250 1196 206C1130 236 1060 290 1020 350z" fill="#3d2c52" stroke="none"/>
  <path d="M790 300C1010 300 1190 390 1250 560C1284 640 1340 700 1400 740C1330 790 1290 800 1250 810
    C1270 850 1280 870 1290 890C1180 900 1130 930 1040 970C960 1010 880 1050 790 1060C700 1050 620 1010 540 970
    C450 930 400 900 290 890C300 870 310 850 330 810C290 800 250 790 180 740C240 700 296 640 330 560
    C390 390 570 300 790 300z" fill="#f3722c"/>
</g>
<path d="M790 300C1010 300 1190 390 1250 560L1256 575C1150 420 1000 366 790 362C580 366 430 420 324 575L330 560
  C390 390 570 300 790 300z" fill="#ff9a52" opacity=".8"/>
<path d="M790 760C870 650 1010 640 1100 690C1200 740 1300 740 1390 741C1330 785 1290 796 1234 806C1256 846 1264 862
  1270 882C1180 893 1120 922 1035 960C955 998 876 1038 790 1048C704 1038 625 998 545 960C460 922 400 893 310 882
  C316 862 324 846 346 806C290 796 250 785 190 741C280 740 380 740 480 690C570 640 710 650 790 760z" fill="#fff3e2"/>
{_eyes(590, 990, 660, 56)}
{_cheeks(480, 1100, 800, 60)}
<path d="M725 800C725 770 755 760 790 760C825 760 855 770 855 800C855 835 820 862 790 872C760 862 725 835 725 800z"
  fill="{INK}"/>
<ellipse cx="770" cy="786" rx="22" ry="11" fill="#fff" opacity=".7"/>
<path d="M790 870v34M712 916q40 46 78 -10q38 56 78 10" fill="none" stroke="{INK}" stroke-width="16"
  stroke-linecap="round"
  stroke-linejoin="round"/>
<path d="M620 1400v46M672 1400v46M922 1400v46M978 1400v46" stroke="#6b5585" stroke-width="13" stroke-linecap="round"/>
"""


def cactus() -> str:
    """A cactus in a pot, with a flower."""
    rng = random.Random(7)  # noqa: S311  (a drawing, not a secret)
    spines: list[tuple[float, float]] = []
    for _ in range(400):
        x, y = rng.uniform(590, 1010), rng.uniform(330, 1000)
        inside = abs(x - 800) < 158 and math.dist((x, y), (800, 470)) < 170 + max(0.0, y - 470)
        face = 560 < y < 830
        near = any(math.dist((x, y), other) < 92 for other in spines)
        if inside and not face and not near:
            spines.append((x, y))
    marks = "".join(
        f'<path d="M{x:.0f} {y:.0f}l-13 -19M{x:.0f} {y:.0f}l13 -19M{x:.0f} {y:.0f}v-25"/>' for x, y in spines
    )
    petals = "".join(
        f'<ellipse cx="800" cy="196" rx="42" ry="76" transform="rotate({angle} 800 256)" fill="#ff6f91"/>'
        for angle in range(-90, 91, 36)
    )
    return f"""
<g stroke="{INK}" stroke-width="22" stroke-linejoin="round" stroke-linecap="round">
  <path d="M640 860H480C400 860 350 800 350 720V590C350 540 384 506 430 506C476 506 510 540 510 590V700H660z"
  fill="#3fa66b"/>
  <path d="M960 780H1090V640C1090 590 1124 556 1170 556C1216 556 1250 590 1250 640V770C1250 850 1200 930 1110 930H940z"
    fill="#3fa66b"/>
  {petals}
  <path d="M600 1130V470C600 350 690 270 800 270C910 270 1000 350 1000 470V1130z" fill="#4cbf7b"/>
</g>
<path d="M900 300C956 335 989 395 989 470V1110H905C950 900 960 500 900 300z" fill="#2f8f5a" opacity=".55"/>
<path d="M654 420C664 366 700 330 740 316" fill="none" stroke="#a6ecc0" stroke-width="24" stroke-linecap="round"/>
<path d="M392 600C392 570 404 556 424 550M1132 650C1132 622 1144 606 1164 600" fill="none" stroke="#8fe0b0"
  stroke-width="18"
  stroke-linecap="round"/>
<g stroke="#d9ffe4" stroke-width="9" stroke-linecap="round">{marks}</g>
<circle cx="800" cy="258" r="40" fill="#ffd166" stroke="{INK}" stroke-width="18"/>
{_eyes(720, 880, 660, 44)}
{_cheeks(654, 946, 744, 42)}
{_smile(800, 736, 84, 66)}
<g stroke="{INK}" stroke-width="22" stroke-linejoin="round">
  <path d="M520 1120H1080L1020 1440C1014 1474 990 1490 956 1490H644C610 1490 586 1474 580 1440z" fill="#e4703a"/>
  <rect x="476" y="1030" width="648" height="128" rx="40" fill="#f58d52"/>
</g>
<path d="M940 1170L896 1478H956C984 1478 1004 1468 1009 1438L1062 1170z" fill="#b84e22" opacity=".5"/>
<path d="M524 1072H760" stroke="#ffc49b" stroke-width="20" stroke-linecap="round"/>
<path d="M590 1250l52 44l52 -44l52 44l52 -44l52 44l52 -44l52 44l56 -44" fill="none" stroke="#fff1df" stroke-width="20"
  stroke-linecap="round" stroke-linejoin="round"/>
"""


def robot() -> str:
    """A robot on thin legs, with thin arms and an antenna."""
    return f"""
<g fill="none" stroke="{INK}" stroke-width="20" stroke-linecap="round" stroke-linejoin="round">
  <path d="M800 330V170"/>
  <path d="M470 900C330 880 270 780 300 640"/>
  <path d="M1130 900C1290 920 1340 1000 1320 1130"/>
  <path d="M690 1160V1400M910 1160V1400"/>
  <path d="M300 640l-58 -62M300 640l6 -92M300 640l70 -58"/>
  <path d="M1320 1130l-62 52M1320 1130l4 86M1320 1130l64 46"/>
  <path d="M980 400L1090 250"/>
</g>
<circle cx="800" cy="140" r="46" fill="#ff5d73" stroke="{INK}" stroke-width="20"/>
<circle cx="784" cy="124" r="13" fill="#fff" opacity=".85"/>
<circle cx="1098" cy="238" r="24" fill="#ffd166" stroke="{INK}" stroke-width="16"/>
<g stroke="{INK}" stroke-width="22" stroke-linejoin="round">
  <rect x="404" y="480" width="70" height="170" rx="28" fill="#f2a541"/>
  <rect x="1126" y="480" width="70" height="170" rx="28" fill="#f2a541"/>
  <rect x="450" y="330" width="700" height="470" rx="120" fill="#58b7e6"/>
  <rect x="520" y="410" width="560" height="300" rx="90" fill="#1f3558"/>
  <rect x="470" y="800" width="660" height="370" rx="90" fill="#3c97cf"/>
  <path d="M590 1400H790V1440C790 1456 780 1466 764 1466H616C600 1466 590 1456 590 1440z" fill="#f2a541"/>
  <path d="M810 1400H1010V1440C1010 1456 1000 1466 984 1466H836C820 1466 810 1456 810 1440z" fill="#f2a541"/>
</g>
<path d="M1030 345C1094 356 1139 402 1139 450V680C1139 736 1100 776 1050 786C1086 640 1096 470 1030 345z"
  fill="#2f84bd" opacity=".55"/>
<path d="M520 372C540 358 560 352 600 352H720" fill="none" stroke="#c5ecff" stroke-width="20" stroke-linecap="round"/>
<g fill="#7df9d0"><ellipse cx="676" cy="540" rx="46" ry="56"/><ellipse cx="924" cy="540" rx="46" ry="56"/></g>
<g fill="#fff"><circle cx="692" cy="518" r="16"/><circle cx="940" cy="518" r="16"/></g>
<path d="M740 628q60 52 120 0" fill="none" stroke="#7df9d0" stroke-width="18" stroke-linecap="round"/>
<path d="M560 450l70 -24" stroke="#fff" stroke-width="14" opacity=".35" stroke-linecap="round"/>
<rect x="610" y="880" width="380" height="190" rx="46" fill="#e8f6ff" stroke="{INK}" stroke-width="18"/>
<path d="M800 1036C730 990 706 960 722 930C738 904 780 908 800 940C820 908 862 904 878 930C894 960 870 990 800 1036z"
  fill="#ff5d73"/>
<circle cx="556" cy="880" r="17" fill="#ffd166"/><circle cx="556" cy="940" r="17" fill="#7df9d0"/>
<circle cx="1044" cy="880" r="17" fill="#ff5d73"/><circle cx="1044" cy="940" r="17" fill="#ffd166"/>
<path d="M520 1110H1080" stroke="#2a6f9f" stroke-width="14" stroke-dasharray="4 44" stroke-linecap="round"/>
"""


def donut() -> str:
    """A ring with icing and sprinkles; its hole is the background."""
    rng = random.Random(21)  # noqa: S311  (a drawing, not a secret)
    placed: list[tuple[float, float]] = []
    sprinkles = []
    colors = ["#ffd166", "#7df9d0", "#c79bff", "#6c8cff", "#ff9f5a"]
    for _ in range(3000):
        angle, radius = rng.uniform(0, 2 * math.pi), rng.uniform(340, 496)
        x, y = 800 + radius * math.cos(angle), 780 + radius * math.sin(angle)
        if y > 1020 or any(math.dist((x, y), other) < 82 for other in placed):
            continue
        placed.append((x, y))
        turn, color = rng.uniform(0, 180), colors[len(placed) % len(colors)]
        sprinkles.append(
            f'<rect x="-32" y="-12" width="64" height="24" rx="12" fill="{color}"'
            f' transform="translate({x:.0f} {y:.0f}) rotate({turn:.0f})"/>'
        )
    drips = []
    count = 11
    for index in range(count * 8):
        angle = 2 * math.pi * index / (count * 8)
        radius = 566 + 30 * math.sin(count * angle + 0.6) + 14 * math.sin(3 * angle)
        drips.append(f"{800 + radius * math.cos(angle):.0f} {780 + radius * math.sin(angle):.0f}")
    icing = "M" + "L".join(drips) + "z"
    ring = "M800 520a260 260 0 1 0 0.1 0z"
    return f"""
<path fill-rule="evenodd" d="M800 130a670 670 0 1 0 .1 0zM800 570a230 230 0 1 1 -.1 0z" fill="#e0a15a" stroke="{INK}"
  stroke-width="24"/>
<path fill-rule="evenodd" d="M222 960C330 1250 560 1390 800 1390C1090 1390 1330 1180 1400 930C1420 1230 1150 1438 800
  1438
  C480 1438 250 1250 222 960z" fill="#b9743a" opacity=".75"/>
<path fill-rule="evenodd" d="{icing}{ring}" fill="#ff7aa8" stroke="{INK}" stroke-width="20" stroke-linejoin="round"/>
<path d="M330 610C400 430 540 320 720 292" fill="none" stroke="#ffc1d8" stroke-width="34" stroke-linecap="round"/>
<path d="M292 730l6 -26" stroke="#ffc1d8" stroke-width="34" stroke-linecap="round"/>
{"".join(sprinkles)}
{_eyes(620, 980, 1120, 48)}
{_cheeks(524, 1076, 1176, 46, "#e8467c")}
{_smile(800, 1150, 100, 76)}
"""


def _star(x: float, y: float, size: float, turn: float, colors: tuple[str, str, str]) -> str:
    points = []
    for index in range(10):
        radius = size if index % 2 == 0 else size * 0.56
        angle = math.radians(turn - 90 + index * 36)
        points.append(f"{radius * math.cos(angle):.1f} {radius * math.sin(angle):.1f}")
    path = "M" + "L".join(points) + "z"
    fill, shade, light = colors
    face = _eyes(-size * 0.2, size * 0.2, -size * 0.02, size * 0.105)
    return f"""
<g transform="translate({x} {y})" stroke-linejoin="round">
  <path d="{path}" fill="{INK}" stroke="{INK}" stroke-width="{size * 0.28:.0f}"/>
  <path d="{path}" fill="{fill}" stroke="{fill}" stroke-width="{size * 0.16:.0f}"/>
  <path d="M{size * 0.1:.0f} {size * 0.62:.0f}Q{size * 0.62:.0f} {size * 0.5:.0f} {size * 0.72:.0f} {-size * 0.2:.0f}Q
    {size * 0.42:.0f} {size * 0.3:.0f} {size * 0.1:.0f} {size * 0.62:.0f}z" fill="{shade}" opacity=".6"/>
  <path d="M{-size * 0.5:.0f} {-size * 0.24:.0f}Q{-size * 0.3:.0f} {-size * 0.3:.0f} {-size * 0.2:.0f} {
        -size * 0.42:.0f}"
    fill="none" stroke="{light}" stroke-width="{size * 0.085:.0f}" stroke-linecap="round"/>
  {face}
  {_cheeks(-size * 0.38, size * 0.38, size * 0.14, size * 0.1)}
  <path d="M{-size * 0.1:.0f} {size * 0.13:.0f}q{size * 0.1:.0f} {size * 0.14:.0f} {size * 0.2:.0f} 0" fill="none"
    stroke="{INK}" stroke-width="{size * 0.045:.0f}" stroke-linecap="round"/>
</g>"""


def stars() -> str:
    """Three smiling stars that do not touch."""
    return (
        _star(560, 600, 400, -10, ("#ffc93c", "#f2932b", "#fff2b8"))
        + _star(1190, 430, 235, 14, ("#ff7aa8", "#d9487f", "#ffd3e2"))
        + _star(1080, 1160, 300, 8, ("#5ec9f2", "#2d8fd0", "#d4f4ff"))
    )


def ghost() -> str:
    """A white ghost that only its outline tells from white paper."""
    return f"""
<path d="M800 150C1080 150 1250 360 1250 640C1250 700 1256 760 1270 800C1330 780 1400 810 1400 880C1400 960 1330 1000
  1262 1000
  C1268 1130 1290 1270 1330 1370C1350 1430 1290 1470 1236 1440C1190 1414 1160 1400 1120 1420C1076 1444 1060 1484 1010
  1484
  C954 1484 940 1430 890 1430C836 1430 820 1490 760 1490C700 1490 690 1430 636 1430C586 1430 570 1484 514 1484
  C464 1484 450 1440 404 1420C364 1400 330 1420 300 1440C250 1470 200 1430 220 1370C270 1270 330 1130 338 1000
  C270 1000 200 960 200 880C200 810 270 780 330 800C344 760 350 700 350 640C350 360 520 150 800 150z" fill="#ffffff"
  stroke="{INK}" stroke-width="30" stroke-linejoin="round"/>
<path d="M1130 420C1200 620 1150 900 1190 1130C1210 1250 1240 1330 1270 1400C1240 1392 1200 1380 1160 1382
  C1100 1130 1160 760 1060 500z" fill="#dfe4f7"/>
<path d="M470 480C500 390 560 320 640 290" fill="none" stroke="#e9edfb" stroke-width="40" stroke-linecap="round"/>
{_eyes(650, 950, 640, 74)}
{_cheeks(540, 1060, 776, 66)}
<path d="M730 770C730 740 870 740 870 770C870 850 840 900 800 900C760 900 730 850 730 770z" fill="{INK}"/>
<path d="M762 866C770 838 830 838 838 866C828 888 816 896 800 896C784 896 772 888 762 866z" fill="#ff7aa8"/>
<path d="M575 980l26 40l48 8l-34 34l8 48l-48 -22l-44 22l8 -48l-34 -34l48 -8z" fill="#ffd166" stroke="{INK}"
  stroke-width="14" stroke-linejoin="round"/>
"""


def whale() -> str:
    """A whale with a spout of water; it needs a background of its own."""
    return f"""
<g transform="translate(56 84) scale(.92)">
<g stroke="{INK}" stroke-width="22" stroke-linejoin="round" stroke-linecap="round">
  <path d="M640 420C640 330 560 270 480 300C440 318 436 370 476 380C470 330 560 330 590 430z" fill="#bdeaff"/>
  <path d="M660 420C650 330 730 260 810 286C856 304 862 356 822 370C824 320 734 330 710 430z" fill="#e6f8ff"/>
  <path d="M1180 860C1260 800 1300 720 1300 610C1210 600 1140 550 1130 470C1230 440 1320 480 1356 550C1390 480 1470 440
    1550 460C1550 550 1490 610 1410 620C1420 860 1320 1080 1120 1190z" fill="#3f7fe0"/>
  <path d="M200 850C200 620 400 440 660 440C900 440 1060 600 1130 780C1170 860 1240 870 1300 820C1300 1090 1090 1290
  760 1290
    C430 1290 200 1110 200 850z" fill="#4f94f2"/>
  <path d="M216 930C330 980 470 1000 640 980C760 966 860 1010 930 1090C970 1140 1030 1170 1090 1180C1000 1256 890 1290
  760 1290
    C470 1290 250 1150 216 930z" fill="#f2f7ff"/>
  <path d="M760 1050C760 1180 700 1300 600 1370C560 1390 530 1360 544 1320C560 1260 560 1190 590 1110C620 1040 700
  1010 760 1050z"
    fill="#3f7fe0"/>
</g>
<g fill="none" stroke="#a9c3ee" stroke-width="15" stroke-linecap="round">
  <path d="M330 1050C360 1120 410 1180 470 1220"/><path d="M440 1066C464 1120 490 1160 524 1196"/>
  <path d="M790 1120C830 1180 870 1216 920 1240"/><path d="M860 1090C890 1140 940 1180 990 1204"/>
</g>
<path d="M290 700C340 590 440 510 560 490" fill="none" stroke="#a9d1ff" stroke-width="32" stroke-linecap="round"/>
<path d="M262 790l6 -20" stroke="#a9d1ff" stroke-width="32" stroke-linecap="round"/>
{_eyes(420, 420, 830, 52)}
{_cheeks(520, 520, 912, 50)}
<g fill="#8fbcff" opacity=".8"><circle cx="800" cy="600" r="30"/><circle cx="890" cy="680" r="20"/><circle cx="900"
  cy="580" r="14"/></g>
</g>
"""


def toadstool() -> str:
    """A toadstool with soft shading, to stand on a forest floor."""
    return """
<defs>
  <radialGradient id="cap" cx=".36" cy=".26" r=".95">
    <stop offset="0" stop-color="#ff7a5c"/><stop offset=".35" stop-color="#e3352b"/><stop offset=".8"
  stop-color="#a3141c"/>
    <stop offset="1" stop-color="#6e0c18"/>
  </radialGradient>
  <linearGradient id="stem" x1="0" x2="1" y1="0" y2="0">
    <stop offset="0" stop-color="#e9dcc0"/><stop offset=".35" stop-color="#fffaee"/><stop offset=".75"
  stop-color="#d9c6a4"/>
    <stop offset="1" stop-color="#9d8766"/>
  </linearGradient>
  <linearGradient id="gills" x1="0" x2="0" y1="0" y2="1">
    <stop offset="0" stop-color="#b99b78"/><stop offset="1" stop-color="#f3e4c6"/>
  </linearGradient>
  <radialGradient id="wart" cx=".4" cy=".3" r=".8">
    <stop offset="0" stop-color="#fffdf6"/><stop offset=".7" stop-color="#f2e4cb"/><stop offset="1"
  stop-color="#cdb594"/>
  </radialGradient>
</defs>
<path d="M660 800C640 1000 620 1160 560 1300C540 1370 640 1410 800 1410C960 1410 1060 1370 1040 1300C980 1160 960 1000
  940 800z"
  fill="url(#stem)"/>
<path d="M620 1010C660 1080 720 1070 760 1100C800 1070 840 1100 880 1070C920 1080 960 1060 990 1000C900 950 700 950
  620 1010z"
  fill="#fff6e2"/>
<path d="M620 1010C660 1080 720 1070 760 1100C800 1070 840 1100 880 1070C920 1080 960 1060 990 1000C986 1050 960 1096
  930 1100
  C900 1120 870 1110 850 1126C820 1106 780 1136 750 1130C710 1110 650 1110 620 1010z" fill="#a8916d" opacity=".55"/>
<ellipse cx="800" cy="800" rx="520" ry="120" fill="url(#gills)"/>
<g stroke="#a48763" stroke-width="5" opacity=".6">
  <path d="M800 720V910M700 716L650 908M900 716L950 908M600 724L500 888M1000 724L1100 888M520 740L380 862M1080
  740L1220 862"/>
</g>
<path d="M230 790C200 480 450 210 800 210C1150 210 1400 480 1370 790C1360 850 1220 770 800 770C380 770 240 850 230 790z"
  fill="url(#cap)"/>
<path d="M330 600C380 430 500 320 640 280" fill="none" stroke="#ffb59f" stroke-width="26" stroke-linecap="round"
  opacity=".55"/>
<g fill="url(#wart)">
  <ellipse cx="640" cy="440" rx="84" ry="70"/><ellipse cx="900" cy="340" rx="66" ry="50"/><ellipse cx="1050" cy="520"
  rx="80" ry="72"/>
  <ellipse cx="420" cy="620" rx="58" ry="60"/><ellipse cx="820" cy="620" rx="92" ry="66"/><ellipse cx="1240" cy="680"
  rx="50" ry="56"/>
  <ellipse cx="600" cy="680" rx="42" ry="32"/><ellipse cx="1060" cy="706" rx="40" ry="28"/><ellipse cx="760" cy="276"
  rx="38" ry="22"/>
  <ellipse cx="510" cy="520" rx="24" ry="24"/><ellipse cx="1180" cy="500" rx="26" ry="30"/>
</g>
"""
