"""docs/scaling.md is what its script writes, and the plot and the costs are sound."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from statistics import mean, pstdev

import psutil
import pytest
from PIL import Image

from bench.costs.mix import MIX, weighted
from bench.costs.processes import process_cpu_s, tree_cpu_s
from bench.scale.assumptions import Cluster, LaunchDay
from bench.scale.chart import SIZE_PX, Axis, write_chart
from bench.scale.costs import JobTimes, read_costs
from bench.scale.figures import Figures, count, number, quantity, size, table
from bench.scale.paper import PAGE, written
from bench.scale.paper_ceilings import found
from bench.scale.scenarios import middle, percentile, play, scenarios, with_threshold
from bench.scale.settings import read_settings
from cutline.domain.states import Stage

DAY = LaunchDay(base_per_s=1.0, burst_at_s=30, ramp_s=10, hold_s=30, duration_s=90)


def test_the_page_is_what_the_script_writes() -> None:
    """Nobody has to believe a table: it is computed from the committed results and manifests."""
    page = PAGE.read_text()

    assert written(page, Figures.read()) == page


def test_the_launch_day_was_simulated_with_what_is_deployed() -> None:
    """The committed runs are of the manifests as they are; after a change `make simulate-scale` makes them anew."""
    assert Figures.read().runs["settings"] == json.loads(json.dumps(asdict(read_settings())))


def test_a_page_without_a_place_for_a_table_is_refused() -> None:
    """A lost marker is named."""
    page = PAGE.read_text().replace("<!-- ceilings -->", "")

    with pytest.raises(ValueError, match="ceilings"):
        written(page, Figures.read())


def test_ceilings_follow_the_costs_and_come_in_order() -> None:
    """The lowest headroom comes first, and a design twice as dear for PostgreSQL halves what its cores carry."""
    figures = Figures.read()
    postgres = figures.costs["cpu_s"]["PostgreSQL"]
    dear = {**figures.costs["cpu_s"], "PostgreSQL": {**postgres, "mean": 2 * postgres["mean"]}}
    before, after = (
        {one.name: one for one in found(each)}
        for each in (figures, replace(figures, costs={**figures.costs, "cpu_s": dear}))
    )
    name = "cores of the one PostgreSQL primary"

    headrooms = [one.headroom for one in before.values()]
    assert headrooms == sorted(headrooms)
    assert after[name].per_s == pytest.approx(before[name].per_s / 2)
    assert len(before) >= 8


def test_shares_of_the_mix_are_all_of_it() -> None:
    """The mix has shares that add up, and a weighted figure lies between its extremes."""
    assert sum(artwork.share for artwork in MIX) == pytest.approx(1.0)
    assert weighted({artwork.name: float(number) for number, artwork in enumerate(MIX)}) == pytest.approx(
        sum(number * artwork.share for number, artwork in enumerate(MIX))
    )
    assert set(read_costs()["mix"]) == {artwork.name for artwork in MIX}


def test_job_times_scatter_around_what_was_measured() -> None:
    """Draws have the measured mean and the assumed spread; a core twice as fast halves what is CPU."""
    costs, cluster = read_costs(), Cluster(spread=0.25)
    times, fast = JobTimes.of(costs, cluster), JobTimes.of(costs, replace(cluster, core_speed=2.0))
    random = Random(1)  # noqa: S311  (repeatable on purpose)
    drawn_s = [times.draw(Stage.IMAGING, 0, random) for _ in range(20_000)]
    cpu_s = sum(costs["cpu_s"][part]["mean"] for part in ("imaging", "imaging slot"))

    assert mean(drawn_s) == pytest.approx(times.seconds[Stage.IMAGING][0], rel=0.01)
    assert pstdev(drawn_s) / mean(drawn_s) == pytest.approx(0.25, rel=0.05)
    assert times.mean_s(Stage.IMAGING) - fast.mean_s(Stage.IMAGING) == pytest.approx(cpu_s / 2, rel=0.01)


def test_a_process_tells_its_own_time_to_the_nanosecond() -> None:
    """The clock read from outside is the one that the process reads itself, and children are counted."""
    process = psutil.Process()
    before_s = time.process_time()
    from_outside_s = process_cpu_s(process.pid)
    after_s = time.process_time()

    assert before_s <= from_outside_s <= after_s
    assert tree_cpu_s(process) >= from_outside_s


def test_every_scenario_is_played_and_drawn(tmp_path: Path) -> None:
    """A small day gives a row for each scenario, the same for the same seed, and a picture of the right size."""
    settings, times = read_settings(), JobTimes.of(read_costs(), Cluster())
    played = scenarios(settings, Cluster(), DAY, times)
    rows = [play(scenario, DAY, times, 1) for scenario in played]
    write_chart(rows, DAY, tmp_path / "scale.png")

    assert play(played[0], DAY, times, 1) == rows[0]
    assert all(row.designs == rows[0].designs > 100 for row in rows)
    assert sum("as deployed" in row.name for row in rows) == 1
    with Image.open(tmp_path / "scale.png") as picture:
        assert picture.size == SIZE_PX
        assert len(picture.getcolors(picture.width * picture.height) or ()) > 50


def test_the_release_target_grows_with_the_threshold() -> None:
    """Whatever the threshold, a lane alone can ask for the most pods."""
    settings = read_settings()
    for threshold in (1.0, 4.0, 16.0):
        changed = with_threshold(settings, threshold)
        assert all(changed.release_target >= threshold * stage.high for stage in changed.stages)


def test_the_middle_of_several_runs_is_taken_by_figure() -> None:
    """Each figure is a median by itself; the series is the first run's."""
    times = JobTimes.of(read_costs(), Cluster())
    scenario = scenarios(read_settings(), Cluster(), DAY, times)[0]
    rows = [play(scenario, DAY, times, seed) for seed in (1, 2, 3)]
    one = middle(rows)

    assert one.core_hours == sorted(row.core_hours for row in rows)[1]
    assert one.series == rows[0].series


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (50, 2), (99, 4), (100, 4)])
def test_percentiles_are_values_that_occurred(percent: float, value: float) -> None:
    """By rank, without interpolation; of nothing it is 0."""
    assert percentile([4, 1, 3, 2], percent) == value
    assert percentile([], percent) == 0


def test_axes_have_round_ticks_and_hold_their_ends() -> None:
    """Ticks are round, a logarithmic axis has powers of ten, and values beyond stay at the ends."""
    assert Axis(0, 70).ticks() == [0, 10, 20, 30, 40, 50, 60, 70]
    assert Axis(1, 1000, logarithmic=True).ticks() == [1, 10, 100, 1000]
    assert Axis(1, 100, logarithmic=True).share(10) == pytest.approx(0.5)
    assert (Axis(0, 10).share(-5), Axis(0, 10).share(50)) == (0, 1)


def test_numbers_are_written_with_their_units() -> None:
    """Sizes, counts and quantities as the page shows them."""
    assert (size(26_300), size(1.5e12), size(12)) == ("26.3 kB", "1.5 TB", "12 B")
    assert (count(29_700_000), count(1234), number(0.0896)) == ("29.7 million", "1,234", "0.0896")
    assert quantity("10Gi") == 10 * 2**30
    assert table(["a", "b"], [["x", "1"]]).splitlines()[1] == "| --- | ---: |"
