"""The tables of docs/scaling.md: `python -m bench.scale.paper` writes them between their markers.

A table is a function of bench/results/*.json and of deploy/k8s alone; a test holds the page to what this writes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from bench.scale import paper_ceilings, paper_load, paper_runs
from bench.scale.figures import Figures

PAGE: Final = Path(__file__).parents[2] / "docs" / "scaling.md"
TABLES: Final[Mapping[str, Callable[[Figures], str]]] = {
    "mix": paper_load.mix,
    "processors": paper_load.processors,
    "under load": paper_load.under_load,
    "postgres": paper_load.postgres,
    "objects": paper_load.objects,
    "broker": paper_load.broker,
    "watchers": paper_load.watchers,
    "network": paper_load.network,
    "ceilings": paper_ceilings.ceilings,
    "thresholds": paper_runs.thresholds,
    "others": paper_runs.others,
    "reality": paper_runs.reality,
    "assumptions": paper_runs.assumptions,
}
_PLACE: Final = "(<!-- {name} -->\n).*?(<!-- /{name} -->)"


def written(page: str, figures: Figures) -> str:
    """The page with its tables computed anew.

    Raises:
        ValueError: The page lacks the markers of a table.
    """
    for name, table in TABLES.items():
        place = re.compile(_PLACE.format(name=name), re.DOTALL)
        if not place.search(page):
            msg = f"docs/scaling.md has no place <!-- {name} --> ... <!-- /{name} -->"
            raise ValueError(msg)
        text = table(figures)
        page = place.sub(lambda found, text=text: f"{found[1]}\n{text}\n\n{found[2]}", page)  # type: ignore[misc]  # bound early
    return page


def main() -> int:
    """Writes the page, or with --check says whether it is as it would be written."""
    page = PAGE.read_text()
    now = written(page, Figures.read())
    if "--check" in sys.argv:
        return int(now != page)
    PAGE.write_text(now)
    return 0


if __name__ == "__main__":
    sys.exit(main())
