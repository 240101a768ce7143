"""Ctrl-C and SIGTERM as a request to stop at the next good moment."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

__all__ = ["StopRequest"]


class StopRequest:
    """While the block runs, note the first SIGINT or SIGTERM; raise KeyboardInterrupt at a second.

    Outside the main thread, where Python delivers no signals, nothing is ever requested. A signal
    that the process ignores (a background job's SIGINT) stays ignored.

    Attributes
    ----------
    signal : signal.Signals or None
        The signal that asked to stop; None as long as nobody did.

    Examples
    --------
    >>> with StopRequest() as stop:
    ...     for step in range(10):
    ...         if step == 3:
    ...             signal.raise_signal(signal.SIGINT)
    ...         if stop.signal:
    ...             break
    >>> step, stop.signal.name
    (3, 'SIGINT')
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                handler = signal.getsignal(number)
                if handler not in (signal.SIG_IGN, None):  # None: not Python's, so not restorable
                    self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)
