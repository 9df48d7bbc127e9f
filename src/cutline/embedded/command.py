"""`python -m cutline.embedded up|down|run`: Cutline on this machine, with nothing installed but its wheels."""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path

from cutline.embedded.instance import DamagedDataError, Instance
from cutline.embedded.process import StartError
from cutline.embedded.running import RunningStack, client_environment, record
from cutline.embedded.stack import EmbeddedStack, StackPlan
from cutline.embedded.wheels import MissingServerError
from cutline.store.migrations import MigrationError

_INTERRUPTED = 130


def main() -> int:
    """Parse the command line and do what it says; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m cutline.embedded", description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path(".cutline"), help="where data and logs go (%(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start everything and keep it running until Ctrl-C")
    commands.add_parser("down", help="stop what `up` started elsewhere")
    run = commands.add_parser("run", help="start everything, make stickers of the samples, stop")
    run.add_argument("--out", type=Path, default=Path("out"), help="where the files of the samples go (%(default)s)")
    for starting in (up, run):
        _add_plan(starting)
    choice = parser.parse_args()
    if choice.command == "down":
        return asyncio.run(_down(choice.data_dir))
    try:
        if choice.command == "up":
            return asyncio.run(_until_signal(_up(choice.data_dir, _plan(choice)), when_stopped=0))
        choice.out.mkdir(parents=True, exist_ok=True)  # better refused now than when the first sample is ready
        return asyncio.run(_until_signal(_run(choice.data_dir, _plan(choice), choice.out), when_stopped=_INTERRUPTED))
    except (StartError, MissingServerError, MigrationError, DamagedDataError, OSError) as error:
        _say(str(error))
        return 1


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--secure", action="store_true", help="TLS everywhere, three nodes of NATS, least privilege, ingest by role"
    )
    parser.add_argument("--mutual", action="store_true", help="as --secure, and clients need certificates, too")
    parser.add_argument("--replicas", type=int, default=1, choices=range(1, 10), help="processes of each service")


def _plan(choice: argparse.Namespace) -> StackPlan:
    return StackPlan(secure=choice.secure or choice.mutual, mutual=choice.mutual, replicas=choice.replicas)


def _first_free(data_dir: Path, plan: StackPlan) -> Instance:
    """Secure stacks have folders of their own: neither the keys nor the streams of one kind suit the other."""
    return Instance.open_first_free(data_dir, prefix="secure-" if plan.secure else "")


async def _up(data_dir: Path, plan: StackPlan) -> int:
    with _first_free(data_dir, plan) as instance, record(instance):
        async with EmbeddedStack(instance, plan=plan, report=_say) as stack:
            with client_environment(instance, stack.client_environment()) as path:
                _say(f"ready; data and logs are in {instance.folder}")
                width = max(map(len, stack.services))
                for name, service in stack.services.items():
                    _say(f"  {name:<{width}} {service.http_url}/readyz")
                sourced = shlex.quote(str(path))
                _say(f"the `cutline` command finds it from this folder; other shells: set -a; . {sourced}; set +a")
                _say("Ctrl-C or `make down` stops it")
                await asyncio.Event().wait()  # until a signal cancels us
    raise AssertionError


async def _run(data_dir: Path, plan: StackPlan, out_dir: Path) -> int:
    from cutline.embedded.samples_run import run_samples  # noqa: PLC0415  (brings the pixel libraries; only run draws)

    with _first_free(data_dir, plan) as instance, record(instance):
        async with EmbeddedStack(instance, plan=plan, report=_say) as stack:
            return await run_samples(stack, out_dir)


async def _down(data_dir: Path) -> int:
    running = RunningStack.find(data_dir)
    if not running:
        _say("nothing is running")
    for stack in running:
        _say(f"stopping the stack in {stack.folder}")
        if not await stack.stop():
            _say(f"what runs on {stack.folder} did not stop")
            return 1
    return 0


async def _until_signal(work: Coroutine[None, None, int], *, when_stopped: int) -> int:
    """Do the work; a signal to stop cancels it once, and it cleans up undisturbed by more of them."""
    task = asyncio.ensure_future(work)
    signals: list[int] = []

    def stop(number: int) -> None:
        if not signals:
            _say("stopping")
            task.cancel()
        signals.append(number)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        return when_stopped


def _say(line: str) -> None:
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except OSError:  # a terminal or pipe that is gone must not stop who speaks, nor what is left unsaid the exit code
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stderr.fileno())
