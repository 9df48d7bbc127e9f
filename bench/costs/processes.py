"""Processor time and memory of the stack's processes, part by part."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Final

import psutil

from cutline.embedded.server import Server
from cutline.embedded.stack import EmbeddedStack

WORKERS: Final = ("imaging", "mockup")
_RESET_HIGH_WATER: Final = "5"
"""What clears a process's high-water mark of resident memory; see proc_pid_clear_refs(5)."""
_HIGH_WATER: Final = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


def process_cpu_s(process_id: int) -> float:
    """Processor time of one process with all its threads, those that ended included.

    psutil rounds down to ticks of 10 ms, which is more than PostgreSQL spends on a design; the process's own clock
    (clock_getcpuclockid(3)) counts nanoseconds.
    """
    return time.clock_gettime(~process_id << 3 | 2)


def tree_cpu_s(process: psutil.Process) -> float:
    """Processor time of a process, of its children, and of children that ended."""
    ended = process.cpu_times()
    total_s = process_cpu_s(process.pid) + ended.children_user + ended.children_system
    for child in process.children(recursive=True):
        try:
            total_s += process_cpu_s(child.pid)
        except OSError:
            continue  # it ended just now; its parent counts it from here on
    return float(total_s)


class Parts:
    """The processes of a stack by part; a worker and its slot's processes are two parts."""

    def __init__(self, stack: EmbeddedStack) -> None:
        servers = stack.servers
        self._servers: dict[str, Server] = {
            **stack.services,
            "PostgreSQL": servers.postgres,
            "nats-server": servers.nats,
            "S3 server": servers.s3,
        }

    def cpu_s(self) -> dict[str, float]:
        """Processor time spent so far."""
        spent: dict[str, float] = {}
        for name, server in self._servers.items():
            process = psutil.Process(server.program_id)
            spent[name] = tree_cpu_s(process)
            if name in WORKERS:
                own_s = process_cpu_s(process.pid)
                spent[f"{name} slot"], spent[name] = spent[name] - own_s, own_s
        return spent

    def resident_bytes(self) -> dict[str, int]:
        """Resident memory of each server's and service's main process."""
        return {
            name: int(psutil.Process(server.program_id).memory_info().rss) for name, server in self._servers.items()
        }

    def reset_slot_peaks(self) -> None:
        """Begins to look anew for the most memory that a slot holds."""
        for worker in WORKERS:
            for process_id in self._slots(worker):
                Path(f"/proc/{process_id}/clear_refs").write_text(_RESET_HIGH_WATER)

    def slot_peaks_bytes(self) -> dict[str, int]:
        """Most resident memory of a slot's process since then, by stage."""
        return {worker: max(_high_water_bytes(slot) for slot in self._slots(worker)) for worker in WORKERS}

    def _slots(self, worker: str) -> list[int]:
        return [child.pid for child in psutil.Process(self._servers[worker].program_id).children()]


def _high_water_bytes(process_id: int) -> int:
    found = _HIGH_WATER.search(Path(f"/proc/{process_id}/status").read_text())
    if found is None:
        msg = f"/proc/{process_id}/status tells no VmHWM: the bench needs Linux"
        raise RuntimeError(msg)
    return int(found.group(1)) * 1024
