"""Sandboxes that wait: of each kind that was used, one or a few are started ahead, each serves one job and dies.

The next one is started as soon as one is taken, beside the job. All are started by one thread that lives as long as
this process, since the kernel ends them with the thread that started them (PR_SET_PDEATHSIG is a matter of threads).
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue

from cluster.sandbox import backends
from cluster.sandbox.kind import Backend, Kind
from cluster.sandbox.slots import Slots, remove
from cluster.sandbox.started import NotReady, Started
from content.errors import ContentError

_Key = tuple[Kind, Backend]


class Pool:
    """The sandboxes of this process below one workspace. `ahead`: how many of a kind wait; with 0, only those that `warm`
    asked for."""

    def __init__(self, workspace: Path, ahead: int) -> None:
        self._slots, self._ahead = Slots(workspace), ahead
        self._waiting: dict[_Key, deque[Future[Started]]] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._orders: SimpleQueue[tuple[_Key, Future[Started]] | None] = SimpleQueue()
        self._starter = threading.Thread(target=self._start_all, name="sandbox-starter", daemon=True)
        self._starter.start()

    def take(self, kind: Kind, backend: Backend) -> Started:
        """A sandbox that is ready, for one job; whoever takes it ends it with `put_away`.

        Raises ContentError `sandbox-unavailable` (retryable).
        """
        why = ""
        for _ in range(max(self._ahead, 1) + 1):  # all that wait may have died meanwhile
            try:
                started = self._next((kind, backend)).result(backends.START_S)
            except (OSError, TimeoutError) as error:
                why = str(error) or type(error).__name__
                continue
            try:
                started.await_ready(time.monotonic() + backends.START_S)
            except BaseException as error:
                self.put_away(started)
                if not isinstance(error, NotReady):
                    raise
                why = str(error)
                continue
            if started.alive():
                return started
            why = "it died while it waited"
            self.put_away(started)
        raise backends.unavailable([backends.Finding(backend, False, why=why[-300:])])

    def warm(self, kind: Kind, backend: Backend, count: int | None = None) -> None:
        """Start ahead, so that `count` of them wait (`ahead`, if not said); returns at once."""
        with self._lock:
            if not self._closed:
                self._fill((kind, backend), max(self._ahead, 1) if count is None else count)

    def ready(self, kind: Kind, backend: Backend) -> int:
        """How many of a kind wait with their imports done."""
        with self._lock:
            waiting = list(self._waiting.get((kind, backend), ()))
        done = [each for each in waiting if each.done() and not each.cancelled() and each.exception() is None]
        return sum(each.result().alive() and each.result().said_something() for each in done)

    def put_away(self, started: Started) -> None:
        """End it and remove its folders."""
        try:
            started.end()
        finally:
            remove(started.folder)
            remove(started.spare)

    def close(self) -> None:
        """End all that wait. May be called again."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            waiting = [future for each in self._waiting.values() for future in each]
            self._waiting.clear()
        self._orders.put(None)
        self._starter.join(backends.START_S)
        for future in waiting:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.put_away(future.result())
        self._slots.close()

    def _next(self, key: _Key) -> Future[Started]:
        with self._lock:
            if self._closed:
                raise ContentError("sandbox-unavailable", "This process is ending.", "", True)
            self._fill(key, 1)
            found = self._waiting[key].popleft()
            self._fill(key, self._ahead)
            return found

    def _fill(self, key: _Key, count: int) -> None:
        waiting = self._waiting.setdefault(key, deque())
        while len(waiting) < count:
            future: Future[Started] = Future()
            waiting.append(future)
            self._orders.put((key, future))

    def _start_all(self) -> None:
        while (order := self._orders.get()) is not None:
            (kind, backend), future = order
            if self._closed:
                future.cancel()
                continue
            try:
                future.set_result(self._start(kind, backend))
            except BaseException as error:  # noqa: BLE001 - carried to whoever takes it
                future.set_exception(error)

    def _start(self, kind: Kind, backend: Backend) -> Started:
        slot = self._slots.make()
        spare = slot.with_name(f"{slot.name}-spare")
        try:
            return backends.start(backend, kind, slot, spare)
        except BaseException:
            remove(slot)
            remove(spare)
            raise


_pools: dict[tuple[int, Path], Pool] = {}
_pools_lock = threading.Lock()


def pool(workspace: Path, ahead: int) -> Pool:
    """The pool of this process (a forked child has its own: threads and locks do not come along)."""
    key = (os.getpid(), workspace)
    with _pools_lock:
        if key not in _pools:
            made = _pools[key] = Pool(workspace, ahead)
            atexit.register(made.close)
        return _pools[key]


def close_pool(folder: Path) -> None:
    """Close this process's pools whose workspace is this folder, or lies in it."""
    with _pools_lock:
        keys = [
            (pid, workspace) for pid, workspace in _pools if pid == os.getpid() and workspace.is_relative_to(folder)
        ]
        found = [_pools.pop(key) for key in keys]
    for each in found:
        atexit.unregister(each.close)
        each.close()


def _forget() -> None:
    global _pools_lock
    _pools_lock = threading.Lock()
    _pools.clear()


os.register_at_fork(after_in_child=_forget)
