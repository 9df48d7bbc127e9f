"""`python -m bench.faults.plain_imaging`: the imaging worker, whole, with work that has no pixels."""

from __future__ import annotations

from functools import partial

from bench.faults import plain_work
from cutline.runtime.lifecycle import run_service
from services.imaging.app import build

if __name__ == "__main__":
    run_service(
        "imaging", partial(build, pipeline=plain_work.imaging, warm_up="bench.faults.plain_work:nothing_to_warm")
    )
