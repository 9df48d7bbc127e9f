"""The fake server: a whole Cutline in one object, for the tests of programs that integrate it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

import grpc

from cutline.client.settings import ClientSettings
from cutline.domain.artwork import ArtworkLimits
from cutline.domain.principal import TENANT_PATTERN, Scope
from cutline.rpc.refusals import draining
from cutline.testing.addresses import Addresses
from cutline.testing.calls import Guard, Keys, ReceivedCall
from cutline.testing.designs import StoredDesign
from cutline.testing.faults import TRANSFERS, Faults, call_fault, transfer_fault
from cutline.testing.files import HOST, FileServer
from cutline.testing.health import Health
from cutline.testing.outcomes import (
    TOLD_TO_FAIL,
    Failed,
    Outcome,
    Outcomes,
    Ready,
    checked_outcome,
    checked_outcomes,
)
from cutline.testing.services import Ingest, Queue, Status
from cutline.testing.store import Store
from cutline.testing.watches import MOST_WATCHES
from cutline.v1 import design_pb2

DESIGNS: Final = frozenset({Scope.DESIGNS_READ, Scope.DESIGNS_WRITE})

_UNARY_THREADS: Final = 64
_GRACE_S: Final = 1.0
"""How long calls under way may take to end when the server stops; they end at once."""


class FakeServer:
    """Serves Cutline's API in this process: `with FakeServer() as server: client = Client(server.settings)`.

    It speaks the real contract over real sockets on loopback, with the validators and the error messages of the real
    services, and keeps everything in memory. Nothing is computed: a design ends as the test has scripted, READY with
    small valid files unless told otherwise, and work goes on at once or when the test says so. Every method may be
    called from any thread, and beside a running event loop: none waits for work.

    Args:
        tenant: Whose key `settings` holds.
        outcome: What becomes of designs for which nothing else is scripted, or a function that says it of each; READY
            by default.
        heartbeat_s: Longest silence of a watch.
        limits: What artwork is accepted.

    Attributes:
        outcome: As above; may be changed at any time.
    """

    def __init__(
        self,
        *,
        tenant: str = "fake",
        outcome: Outcomes | None = None,
        heartbeat_s: float = 15.0,
        limits: ArtworkLimits | None = None,
    ) -> None:
        self._addresses = Addresses()
        self._store = Store(self._addresses, Ready() if outcome is None else checked_outcomes(outcome))
        self._faults = Faults()
        self._keys = Keys()
        self._guard = Guard(self._keys, self._faults)
        self._files = FileServer(self._store, self._addresses, self._faults)
        self._services = (
            Ingest(self._store, self._addresses, limits or ArtworkLimits()),
            Status(self._store, heartbeat_s=heartbeat_s),
            Queue(),
        )
        self._running: tuple[grpc.Server, ThreadPoolExecutor, Health] | None = None
        self._port = 0
        self._api_key = self._make_key(tenant, DESIGNS)

    # Running.

    def start(self) -> None:
        """Listens, at first on free ports and later on the same again.

        Raises:
            RuntimeError: It runs already.
        """
        if self._running is not None:
            text = "the fake server runs already"
            raise RuntimeError(text)
        # Threads, for grpc.aio has one poller for all event loops of a process: a loop of the server's own would meddle
        # with that of the test.
        threads = ThreadPoolExecutor(MOST_WATCHES + _UNARY_THREADS, thread_name_prefix="cutline-fake")
        server = grpc.server(threads, options=(("grpc.so_reuseport", 0),))
        health = Health()
        for service in self._services:
            service.add_to(server, self._guard)
        health.add_to(server)
        self._port = server.add_insecure_port(f"{HOST}:{self._port}")
        self._store.watchers.reopen()
        self._files.start()
        server.start()
        self._running = (server, threads, health)

    def stop(self, *, abruptly: bool = False) -> None:
        """Stops listening and keeps its state; harmless where it does not run.

        Args:
            abruptly: Whether calls are cut off as by a crash, and not told to come back.
        """
        running, self._running = self._running, None
        if running is None:
            return
        server, threads, health = running
        if abruptly:
            server.stop(None).wait()
        health.stop()
        with self._store.lock:
            self._store.watchers.close(draining())
            self._store.lock.notify_all()
        server.stop(_GRACE_S).wait()
        threads.shutdown(wait=True)
        self._files.stop()

    def restart(self, *, abruptly: bool = False) -> None:
        """Stops and listens again on the same ports, with all its state."""
        self.stop(abruptly=abruptly)
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Calling it.

    @property
    def target(self) -> str:
        """The address of every service, `host:port`.

        Raises:
            RuntimeError: It was never started.
        """
        if not self._port:
            text = "the fake server has no address before it is started: `with FakeServer() as server`"
            raise RuntimeError(text)
        return f"{HOST}:{self._port}"

    @property
    def settings(self) -> ClientSettings:
        """How a client reaches it, as the tenant it was made for."""
        return ClientSettings(self.target, self.target, self._api_key)

    @property
    def environment(self) -> dict[str, str]:
        """The same as environment variables, for programs that read them and for `cutline` itself."""
        return {"CUTLINE_TARGET": self.target, "CUTLINE_API_KEY": self._api_key}

    def settings_for(self, tenant: str, *, scopes: Collection[str] = DESIGNS) -> ClientSettings:
        """How a client reaches it with another key.

        Args:
            tenant: Whose key, `[a-z0-9-]{1,63}`.
            scopes: What the key allows: `designs:read`, `designs:write`, `admin`.

        Raises:
            ValueError: The tenant or a scope cannot be.
        """
        return ClientSettings(self.target, self.target, self._make_key(tenant, scopes))

    # What becomes of designs.

    @property
    def outcome(self) -> Outcomes:
        """What becomes of designs for which nothing else is scripted."""
        return self._store.outcome

    @outcome.setter
    def outcome(self, outcome: Outcomes) -> None:
        self._store.outcome = checked_outcomes(outcome)

    def script(self, *outcomes: Outcome) -> None:
        """Says what becomes of the next runs, one each in the order in which they are accepted.

        A run is a new design or a reprocess; one that finds equal work under way is none.

        Raises:
            TypeError: One is no outcome.
        """
        checked = [checked_outcome(outcome) for outcome in outcomes]
        with self._store.lock:
            self._store.script.extend(checked)

    def advance(self, design_id: str, *, progress: float | None = None) -> design_pb2.Design:
        """Takes one step of a design's work: started, imaging done, mockups started, ended.

        Args:
            design_id: The design.
            progress: Takes no step but says that so much of the work is done, above what was said before and at most 1.

        Returns:
            The design after it.

        Raises:
            KeyError: There is no such design.
            ValueError: It has ended, or the progress cannot be.
        """
        self._store.advance(self._known(design_id), progress)
        return self.design(design_id)

    def finish(self, design_id: str, outcome: Ready | Failed | None = None) -> design_pb2.Design:
        """Takes all steps that are left.

        Args:
            design_id: The design.
            outcome: What it ends as, in place of what was scripted.

        Returns:
            The design at its end.

        Raises:
            KeyError: There is no such design.
            ValueError: It has ended.
        """
        self._store.finish(self._known(design_id), outcome)
        return self.design(design_id)

    def fail(self, design_id: str, reason: str, message: str = TOLD_TO_FAIL) -> design_pb2.Design:
        """Fails a design where it stands; one whose imaging is done loses only its mockups, and ends READY.

        Args:
            design_id: The design.
            reason: Stable reason in UPPER_SNAKE, such as NO_SUBJECT.
            message: One plain sentence for people.

        Returns:
            The design at its end.

        Raises:
            KeyError: There is no such design.
            ValueError: It has ended, or the reason is not UPPER_SNAKE.
        """
        self._store.fail(self._known(design_id), Failed(reason, message))
        return self.design(design_id)

    # Faults.

    def fail_next(
        self,
        method: str,
        code: grpc.StatusCode | int = grpc.StatusCode.UNAVAILABLE,
        *,
        reason: str = "",
        message: str = "",
        retry_after_s: float | None = None,
        times: int = 1,
        after: bool = False,
    ) -> None:
        """Has the next calls of a method refused; calls planned earlier come first.

        Args:
            method: A method of the API, such as SubmitDesign; PUT or GET for the transfer of artwork or of a file.
            code: What to answer: a gRPC code, or an HTTP status for a transfer.
            reason: Stable reason, one of the API's; empty takes the usual one of the code.
            message: One plain sentence for people.
            retry_after_s: When to try again, told with UNAVAILABLE and RESOURCE_EXHAUSTED; None means 1 s.
            times: How many calls.
            after: Whether each call is done all the same and only its answer is lost; not for transfers and watches.

        Raises:
            ValueError: There is no such method, or it is never answered so.
        """
        if method in TRANSFERS:
            fault = transfer_fault(code)
            unused = {"reason": reason, "message": message, "retry_after_s": retry_after_s, "after": after}
            if told := [name for name, value in unused.items() if value]:
                text = f"{told[0]}: a transfer is refused with an HTTP status and nothing more"
                raise ValueError(text)
        else:
            fault = call_fault(code, reason, message, retry_after_s=retry_after_s, after=after)
        self._faults.plan(method, fault, times=times)

    def drop_streams(self, *, error: bool = False) -> None:
        """Ends every open watch: OK with word to come back, as for a stream that has grown old.

        Args:
            error: Whether it ends UNAVAILABLE, as at a server that is shut down, instead.
        """
        with self._store.lock:
            if error:
                self._store.watchers.fail(draining())
            else:
                self._store.watchers.send_away()
            self._store.lock.notify_all()

    # What happened.

    @property
    def designs(self) -> Sequence[design_pb2.Design]:
        """Every design with its timeline, oldest first, without the addresses of its files."""
        with self._store.lock:
            return tuple(design.full for design in self._store.designs.values())

    def design(self, design_id: str) -> design_pb2.Design:
        """A design as in `designs`.

        Raises:
            KeyError: There is no such design.
        """
        with self._store.lock:
            return self._stored(design_id).full

    def artwork(self, design_id: str) -> bytes:
        """The bytes that were uploaded for a design.

        Raises:
            KeyError: There is no such design.
        """
        with self._store.lock:
            upload = self._store.uploads[UUID(self._stored(design_id).message.artwork.upload_id)]
            assert upload.data is not None  # noqa: S101  (nothing is accepted before its bytes are there)
            return upload.data

    @property
    def requests(self) -> Sequence[ReceivedCall]:
        """Every call that came, first to last, also those that were refused."""
        return tuple(self._guard.calls)

    def requests_of(self, method: str) -> Sequence[Any]:
        """The messages of one method, such as SubmitDesign, first to last."""
        return [call.request for call in self.requests if call.method == method]

    @property
    def stream_count(self) -> int:
        """How many watches are open."""
        with self._store.lock:
            return len(self._store.watchers)

    def _make_key(self, tenant: str, scopes: Collection[str]) -> str:
        if not TENANT_PATTERN.fullmatch(tenant):
            text = f"tenant: {tenant!r} does not match {TENANT_PATTERN.pattern}"
            raise ValueError(text)
        return self._keys.make(tenant, frozenset(Scope(scope) for scope in scopes))

    def _known(self, design_id: str) -> UUID:
        with self._store.lock:
            return self._stored(design_id).design_id

    def _stored(self, design_id: str) -> StoredDesign:
        found = {str(known): design for known, design in self._store.designs.items()}
        if design_id not in found:
            text = f"there is no design {design_id!r}"
            raise KeyError(text)
        return found[design_id]
