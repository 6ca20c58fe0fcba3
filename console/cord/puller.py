"""Pulling: the guard first; without an answer in 250 ms the cancels leave from here. K and `andon kill` alike."""

import contextlib
import json
import os
import pwd
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from console.cord.direct import pull_directly
from console.cord.latch import boot_now
from console.cord.plan import Plan, PlanError
from console.cord.report import Report
from console.cord.request import BEAT_SECONDS, PullRequest, put, reach
from console.desk.pull import Level, Scope, Verdict

SILENT_AFTER = 3 * BEAT_SECONDS
REFRESH_EVERY = 5.0
HANDED_WITHIN = 2.0


class Carrier:
    """What a pull is told to on its way. `tell` is given each `{"kind", "ts", "actor", "data"}`; `handed` is set once
    the pull no longer needs this process; `enough` is asked whether to go on listening."""

    def __init__(self, tell: Callable[[dict[str, Any]], object], enough: Callable[[], bool]) -> None:
        self.tell = tell
        self.enough = enough
        self.handed = threading.Event()


class PullRefused(Exception):
    """This desk can not be pulled so; nothing was done. The message says why and what can be done instead."""


def see_through(folder: str, request: PullRequest, asked: int, carrier: Carrier, plan: Plan | None) -> None:
    """Carry a pull on until the carrier has heard enough: by the guard or, where it does not answer or falls silent,
    directly. `asked` is what `request.put` returned. Raises PullRefused, PlanError, OSError, and ValueError where the
    request makes no sense."""
    try:
        if asked >= 0:
            with socket.socket(fileno=asked) as connection:
                if _heard_out(connection, request, carrier):
                    return
        plan = plan or Plan.load(folder)
        if refusal := plan.refusal(request):
            raise PullRefused(refusal)
        pull_directly(plan, request, carrier.tell, carrier.enough, carrier.handed.set)
    finally:
        carrier.handed.set()


def _heard_out(asked: socket.socket, request: PullRequest, carrier: Carrier) -> bool:
    """Listen to the guard. False where it did not take the pull in time, or fell silent before the end."""
    held = b""
    while not (carrier.handed.is_set() and carrier.enough()):
        left = SILENT_AFTER if carrier.handed.is_set() else (request.deadline - boot_now()) / 1e9
        try:
            asked.settimeout(max(left, 1e-6))
            read = asked.recv(65536)
        except OSError:
            read = b""
        if not read:
            return carrier.handed.is_set() and carrier.enough()
        *lines, held = (held + read).split(b"\n")
        for line in lines:
            try:
                told = dict(json.loads(line))
            except (ValueError, TypeError):
                return False  # whatever listens there, it is no guard
            if refusal := told.get("refused"):
                if "too late" in refusal:
                    return False
                raise PullRefused(refusal)
            if "heard" in told:
                carrier.handed.set()
            if "event" in told:
                carrier.tell(told["event"])
    return True


class Puller:
    """The cord in a long-lived process: what a direct pull needs is read beforehand and kept fresh. Implements
    `console.desk.source.Cord`. `said` is given the pull and one sentence where it could not be made at all; `heard` the
    pull and each event that a direct hand tells of it, which the disk may never take. Both on threads of ours."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        said: Callable[[str, str], object] = lambda pull, why: None,
        heard: Callable[[str, dict[str, Any]], object] = lambda pull, event: None,
    ) -> None:
        self._folder = os.fspath(folder)
        self._said = said
        self._heard = heard
        self._actor = user_name()  # now: a directory service may be slow when the cord is pulled
        self._plan: Plan | None = None
        self._ended = threading.Event()
        self._carried: list[Carrier] = []
        self._standing: deque[int] = deque()

    def start(self) -> None:
        """Read the plan now, and again every few seconds."""
        self._refresh()
        threading.Thread(target=self._keep_fresh, name="cord-plan", daemon=True).start()

    def stop(self) -> None:
        """Wait until every pull is in hands that outlive this process, and listen no longer."""
        self._ended.set()
        for carrier in list(self._carried):
            carrier.handed.wait(HANDED_WITHIN)
        while self._standing:
            os.close(self._standing.pop())

    def ready(self) -> None:
        """Have a connection to the guard stand by: then a pull costs one write here, and the guard has nobody to let in
        first."""
        if not self._standing and (standing := reach(self._folder)) >= 0:
            self._standing.append(standing)

    def pull(
        self, level: Level, scope: Scope, *, origin: str, keep_protective: bool = False, own_only: bool = False
    ) -> str:
        """Pull now, on the calling thread as far as the guard's socket; the rest follows on a thread of its own."""
        request = PullRequest(
            level=level.value,
            scope=str(scope),
            origin=origin,
            actor=self._actor,
            keep_protective=keep_protective,
            own_only=own_only,
        )
        asked = put(self._folder, request.line(), self._standing.pop() if self._standing else -1)
        report = Report(request.id, request.spares, self._plan.retired if self._plan else {})

        def tell(event: dict[str, Any]) -> None:
            report.feed(event)
            if "seq" in event:
                self._heard(request.id, event)

        carrier = Carrier(tell, lambda: self._ended.is_set() or report.verdict is Verdict.VERIFIED)
        self._carried.append(carrier)
        arguments = (request, asked, carrier)
        threading.Thread(target=self._see_through, args=arguments, name="cord-pull", daemon=True).start()
        return request.id

    def _see_through(self, request: PullRequest, asked: int, carrier: Carrier) -> None:
        try:
            see_through(self._folder, request, asked, carrier, self._plan)
        except (PullRefused, PlanError, OSError, ValueError) as error:
            self._said(request.id, str(error))
        self._carried.remove(carrier)

    def _refresh(self) -> None:
        with contextlib.suppress(PlanError):
            self._plan = Plan.load(self._folder)

    def _keep_fresh(self) -> None:
        while not self._ended.wait(REFRESH_EVERY):
            self._refresh()


def user_name() -> str:
    """Who is at this end."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
