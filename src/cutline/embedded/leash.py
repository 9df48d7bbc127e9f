"""Runs one program that must not outlive the process that started it.

A stand-alone script, started by file path and importing the standard library only, so that it is up in a blink:
`python -I -S leash.py ORDER PROGRAM [ARGUMENT...]` where ORDER is the JSON of `cutline.embedded.process.Order`.

The starter holds the other end of our standard input. When that pipe closes, because the starter closed it or died of
whatever cause, SIGKILL included, the program is asked to stop and after its grace is killed together with everything in
its process group. On Linux the program also dies with us (PR_SET_PDEATHSIG), should somebody kill the leash itself.

PostgreSQL refuses to run as root. For root the program runs as another user that keeps one capability,
CAP_DAC_OVERRIDE, so that it reaches its binaries and data below folders that are closed to others (a checkout in a
0700 folder) without anybody's permissions being changed.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAPABILITY_VERSION_3 = 0x20080522

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ON_LINUX = sys.platform == "linux"


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilitySets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def main() -> int:
    """Run the program to its end and return its exit code (128 + n when signal n ended it)."""
    order: dict[str, Any] = json.loads(sys.argv[1])
    for descriptor in order["hold_descriptors"]:
        os.set_inheritable(descriptor, False)  # noqa: FBT003  (positional by its signature); ours to hold while we live, not the program's
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in (*STOP_SIGNALS, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    if ON_LINUX:
        _die_with_parent(signal.SIGTERM)
    leash = os.getpid()
    child = os.fork()
    if child == 0:
        _become(order, sys.argv[2:], leash)
    exit_code = _watch(child, wake_read, stop_signal=order["stop_signal"], grace_s=order["grace_s"])
    for path in order["leavings"]:
        _remove(path)
    return exit_code


def _become(order: dict[str, Any], command: list[str], leash: int) -> NoReturn:
    try:
        signal.set_wakeup_fd(-1)
        for number in (*STOP_SIGNALS, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        if order["user_id"] is not None:
            _change_user(order["user_id"], order["group_id"])
        if ON_LINUX:
            _die_with_parent(order["stop_signal"])  # after the change of user, which clears it
            if os.getppid() != leash:  # it died before it could be noticed
                os._exit(127)
        os.execv(command[0], command)  # noqa: S606  (the whole point: no shell between us and the program)
    except OSError as error:
        os.write(2, f"cannot run {command[0]}: {error}\n".encode())
    os._exit(127)


def _watch(child: int, wake_read: int, *, stop_signal: int, grace_s: float) -> int:
    """Wait for the child; stop it when standard input closes or a stop signal comes."""
    kill_at: float | None = None
    listening = [0, wake_read]
    while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        wait_s = None if kill_at is None else max(0.0, kill_at - time.monotonic())
        ready, _, _ = select.select(listening, [], [], wait_s)
        stop = 0 in ready and not os.read(0, 4096)
        if wake_read in ready:
            stop = any(number in STOP_SIGNALS for number in os.read(wake_read, 4096)) or stop
        if stop and kill_at is None:
            listening = [wake_read]
            kill_at = time.monotonic() + grace_s
            os.kill(child, stop_signal)
        if kill_at is not None and time.monotonic() >= kill_at:
            os.kill(child, signal.SIGKILL)
            kill_at = time.monotonic() + grace_s
    _kill_group(child)  # before the child is reaped, while the number cannot belong to anybody else
    return_code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return return_code if return_code >= 0 else 128 - return_code


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says EPERM of a group of zombies
        os.killpg(leader, signal.SIGKILL)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108  (importing pathlib would double the time this script takes to start)


def _die_with_parent(number: int) -> None:
    _checked(ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0))


def _change_user(user_id: int, group_id: int) -> None:
    if not ON_LINUX:
        os.setgroups([])
        os.setgid(group_id)
        os.setuid(user_id)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    # Keeps capabilities over the change of user, and lets access(2), which PostgreSQL asks, see them too.
    _checked(libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0))
    os.setgroups([])
    os.setresgid(group_id, group_id, group_id)
    os.setresuid(user_id, user_id, user_id)
    kept = 1 << CAP_DAC_OVERRIDE
    sets = (_CapabilitySets * 2)(_CapabilitySets(kept, kept, kept), _CapabilitySets(0, 0, 0))
    _checked(libc.capset(ctypes.byref(_CapabilityHeader(CAPABILITY_VERSION_3, 0)), sets))
    _checked(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0))


def _checked(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


if __name__ == "__main__":
    sys.exit(main())
