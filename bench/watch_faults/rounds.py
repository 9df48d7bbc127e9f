"""One fault under traffic and watchers, to the end of every design."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass

from bench.faults.farm import Farm
from bench.faults.polling import until
from bench.faults.story import story
from bench.watch_faults.faults import WatchFault
from bench.watch_faults.findings import Findings, judge, read_truth
from bench.watch_faults.hearing import Strike
from bench.watch_faults.stage import Crowd, Stage
from bench.watch_faults.traffic import Rates, Traffic


@dataclass(frozen=True, slots=True)
class Plan:
    """What every round has in common.

    Attributes:
        crowd: Who watches.
        rates: What changes.
        calm_s: How long it goes on before the harm and after the recovery.
        patience_s: After this something counts as never told.
    """

    crowd: Crowd
    rates: Rates
    calm_s: float
    patience_s: float = 120.0


async def play(farm: Farm, fault: WatchFault, plan: Plan, rng: random.Random) -> Findings:
    """Plays one round.

    Raises:
        TimeoutError: The farm did not come back, or somebody heard nothing of it; its notes tell the farm's state.
    """
    stage = Stage(farm, Traffic(farm, plan.rates, rng), Strike())
    try:
        async with asyncio.timeout(plan.patience_s):
            await farm.whole()
        async with stage.traffic.going() as end_all, stage.peopled(plan.crowd, rng, alone=fault.alone):
            async with asyncio.timeout(plan.patience_s):
                await stage.all_have_heard(lambda hearing: hearing.words)
                await asyncio.sleep(plan.calm_s)
                await fault.act(stage)
                if stage.strike.struck:
                    stage.strike.over()
                    await stage.all_have_heard(lambda hearing: hearing.recovered_s is not None or hearing.refusals)
                await asyncio.sleep(plan.calm_s)
            stage.close()
            await end_all()
            return await _settled(farm, fault, plan, stage)
    except TimeoutError as error:
        error.add_note(f"{fault.name}:\n{await story(farm)}")
        raise


async def _settled(farm: Farm, fault: WatchFault, plan: Plan, stage: Stage) -> Findings:
    """The accounts when everything has been told; what was not within the patience shows in them."""
    await farm.all_ended(within_s=plan.patience_s)
    with suppress(TimeoutError):
        async with asyncio.timeout(plan.patience_s):
            await stage.left()
    truth = await read_truth(farm, stage)

    async def told() -> bool:
        return not any(any(truth.missed_by_all(watcher.hearing)) for watcher in stage.of_all)

    with suppress(TimeoutError):
        async with asyncio.timeout(plan.patience_s):
            await until(told)
    return judge(fault.name, stage, truth)
