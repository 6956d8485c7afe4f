"""Asks about learning in a child process: the window itself never loads torch."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from qtpy.QtCore import QCoreApplication, QObject, QProcess, QProcessEnvironment

from napari_tsimcne.advice import Answer, Question, Refused, parse_answer


class Advisor(QObject):
    """A child that answers questions; it is started by the first one.

    Of questions of one kind only the newest is answered: while the child is busy, newer ones take
    the place of those that wait.

    Parameters
    ----------
    parent
        With which it ends.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._child: QProcess | None = None
        self._asked = 0
        self._waiting: dict[str, tuple[Question, _Listener]] = {}
        self._answering: tuple[Question, _Listener] | None = None
        self._line = bytearray()
        self._errors = bytearray()

    def ask(
        self, question: Question, done: Callable[[Answer], None], failed: Callable[[str], None]
    ) -> None:
        """Have a question answered: ``done`` gets the answer, ``failed`` a sentence.

        Neither is called once a newer question of its kind was asked.
        """
        self._asked += 1
        question = question.model_copy(update={"number": self._asked})
        if self._answering is not None and self._answering[0].kind == question.kind:
            self._answering = self._answering[0], _Listener()
        self._waiting[question.kind] = question, _Listener(done, failed)
        self._ask_next()

    def close(self) -> None:
        """End the child; nothing is answered any more."""
        self._waiting, self._answering = {}, None
        child, self._child = self._child, None
        if child is not None:
            for signal in (
                child.readyReadStandardOutput, child.readyReadStandardError, child.finished,
                child.errorOccurred,
            ):  # fmt: skip
                signal.disconnect()
            # A large process takes a while to end: it is not waited for.
            child.setParent(QCoreApplication.instance())
            child.finished.connect(child.deleteLater)
            child.kill()

    # --- the child ----------------------------------------------------------------------------

    def _ask_next(self) -> None:
        if self._answering is not None or not self._waiting:
            return
        kind = next(iter(self._waiting))
        self._answering = self._waiting.pop(kind)
        if self._child is None:
            self._start()
        assert self._child is not None
        self._child.write(self._answering[0].model_dump_json().encode() + b"\n")

    def _start(self) -> None:
        self._line, self._errors = bytearray(), bytearray()
        child = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        # Else waiting threads of OpenMP take the core that the window needs.
        environment.insert("GOMP_SPINCOUNT", os.environ.get("GOMP_SPINCOUNT", "0"))
        environment.insert("OMP_WAIT_POLICY", os.environ.get("OMP_WAIT_POLICY", "PASSIVE"))
        child.setProcessEnvironment(environment)
        child.readyReadStandardOutput.connect(self._on_output)
        child.readyReadStandardError.connect(self._on_errors)
        child.finished.connect(self._on_ended)
        child.errorOccurred.connect(self._on_error)
        child.start(sys.executable, ["-m", "napari_tsimcne.advisor"])
        self._child = child

    def _on_output(self) -> None:
        if self._child is None:
            return
        self._line += bytes(self._child.readAllStandardOutput())
        while b"\n" in self._line:
            line, _, rest = self._line.partition(b"\n")
            self._line = bytearray(rest)
            self._take(bytes(line))

    def _on_errors(self) -> None:
        if self._child is not None:
            self._errors += bytes(self._child.readAllStandardError())
            del self._errors[:-4096]

    def _take(self, line: bytes) -> None:
        try:
            answer = parse_answer(line)
        except ValueError:
            return
        if self._answering is None or self._answering[0].number != answer.number:
            return
        _, listener = self._answering
        self._answering = None
        if isinstance(answer, Refused):
            listener.failed(answer.reason)
        else:
            listener.done(answer)
        self._ask_next()

    def _on_ended(self) -> None:
        self._fail("the process that knows about learning ended" + self._last_words())

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._fail("the process that knows about learning cannot be started")

    def _fail(self, reason: str) -> None:
        """Tell all that wait; the next question starts another child."""
        asked = [*([self._answering] if self._answering else []), *self._waiting.values()]
        self._waiting, self._answering = {}, None
        child, self._child = self._child, None
        if child is not None:
            child.deleteLater()
        for _, listener in asked:
            listener.failed(reason)

    def _last_words(self) -> str:
        lines = self._errors.decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f" ({last})" if last else ""


class _Listener:
    """Who waits for an answer; without anything given, nobody."""

    def __init__(
        self,
        done: Callable[[Answer], None] = lambda answer: None,
        failed: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self.done, self.failed = done, failed
