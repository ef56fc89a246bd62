"""Carries out what the operator asks for: from words to an answered question, a running request, and what came of it.

Keys, palette, the ``:`` line and other screens all come here. Several acts on different environments may be under way
at once; the same act is not begun twice. Progress is seen in the live picture.
"""

from __future__ import annotations

import logging
import shlex
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.screen import ModalScreen
from textual.worker import Worker, WorkerState

from console import resolve
from console.execute import verb_of
from console.exit_codes import UNCLASSIFIED, exit_code, explain
from console.parse import HelpAsked
from console.recording_lines import Act
from console.results import Context, Result
from console.settings import Settings
from console.tui import order as orders
from console.tui import outcome
from console.tui.dialogs.confirm import Answer, Confirm
from console.tui.dialogs.failure import failure
from console.tui.dialogs.reading import Reading
from console.tui.order import Order, OrderKey
from console.tui.seat import ScreenSeat
from console.tui.widgets.pager import Section
from console.verbs.repositories import chosen
from server.api.errors import AliecsError

if TYPE_CHECKING:
    from textual.screen import Screen

    from console.tui.actions import OperatorApp

log = logging.getLogger(__name__)

GROUP = "orders"
"""Of the workers that carry orders out."""
LINES_KEPT = 2000
"""Of what a verb writes while it runs."""
REMEMBERED = 100
"""Lines in the history of the session."""


class Operator:
    """Carries out orders for one screen.

    Attributes:
        history: lines that were given, the last one last.
        seat: what verbs about the console itself act on.
        last_line: the act that was asked for last, as words for a shell.
    """

    def __init__(self, app: OperatorApp) -> None:
        self._app = app
        self._under_way: dict[OrderKey, Order] = {}
        self._fails: dict[OrderKey, Callable[[str], None]] = {}
        """What is called before the failure of an order is shown."""
        self._waiting: deque[Screen[str] | Screen[None]] = deque()
        self.history: deque[str] = deque(maxlen=REMEMBERED)
        self.last_line = ""
        self.seat = ScreenSeat(app)

    @property
    def acts(self) -> list[Order]:
        """What was asked of the core and is not over: it goes on there also if this console goes."""
        return [order for order in self._under_way.values() if order.command.rpc]

    # ---- in ----------------------------------------------------------------------------------

    def submit(
        self, words: Sequence[str], *, answer: Answer | None = None, fails: Callable[[str], None] | None = None
    ) -> Worker[Result | None] | None:
        """Carry out what the words say; returns at once, with the worker if there is something to wait for.

        Args:
            answer: confirms it, where the question was already asked.
            fails: called with the reason before a failure is shown.
        """
        app = self._app
        try:
            order = orders.read(
                words, app.session.store, in_use=app.environment_id, endpoint=app.session.client.endpoint
            )
        except HelpAsked as asked:
            lines = [[(line, app.looks.text)] for line in str(asked).splitlines()]
            self._show(Reading(" ".join(words), [Section("", lines)]))
        except AliecsError as error:
            app.tell(explain(error), title="not understood", severity="warning")
        else:
            return self.give(order, answer=answer, fails=fails)
        return None

    def give(
        self, order: Order, *, answer: Answer | None = None, fails: Callable[[str], None] | None = None
    ) -> Worker[Result | None] | None:
        """Carry out an order, or say why that is not possible."""
        app = self._app
        self._remember(order)
        if self._is_own(order):
            return None
        if why_not := orders.why_not(order, app.session):
            app.tell(why_not, title=f"{order.command.name}: not possible now", severity="warning")
            return None
        if order.key in self._under_way:
            app.tell(f"{order.line} is under way", title="not given twice", severity="warning")
            return None
        self._under_way[order.key] = order
        if fails is not None:
            self._fails[order.key] = fails
        return app.run_worker(
            self._carry_out(order, answer), name=order.line, group=GROUP, exit_on_error=False, exclusive=False
        )

    # ---- out ---------------------------------------------------------------------------------

    def show_waiting(self) -> None:
        """Show what came while a question was open."""
        if self._waiting and not isinstance(self._app.screen, ModalScreen):
            self._app.push_screen(self._waiting.popleft())

    def broke(self, worker: Worker[object]) -> None:
        """Tell that a worker of this group ended by an error that nobody foresaw."""
        if worker.group == GROUP and worker.state is WorkerState.ERROR and worker.error is not None:
            error = worker.error
            log.error("order=%s failed", worker.name, exc_info=error)
            self._fail(
                worker.name, f"{explain(error)}\n  next: this is a fault of the console", UNCLASSIFIED, worker.name
            )

    # ---- the work ----------------------------------------------------------------------------

    async def _carry_out(self, order: Order, answer: Answer | None) -> Result | None:
        key = order.key
        try:
            order = await self._looked_up(order)
            return await self._ask_and_do(order, answer)
        except AliecsError as error:
            self._warn_of(key, explain(error))
            self._fail(order.need(self._app.session.store).what, explain(error), exit_code(error), order.line)
            return None
        finally:
            del self._under_way[key]
            self._fails.pop(key, None)

    async def _ask_and_do(self, order: Order, answer: Answer | None) -> Result | None:
        app, store = self._app, self._app.session.store
        needed = order.need(store)
        pin = order.pin(store)
        if needed.level > 0 and answer is None:
            dialog = Confirm(order, needed)
            answer = await app.push_screen_wait(dialog)
            if dialog.closed_because:
                app.tell(
                    f"{dialog.closed_because}; nothing was sent",
                    title=f"{order.command.name}: closed",
                    severity="warning",
                )
                return None
            if answer is None:
                return None
        why_not = pin.broken_by(order.target(store)) or orders.why_not(order, app.session)
        if not why_not and needed.level > 0 and not app.arming.is_armed:
            why_not = "not armed: press A"
        if why_not:
            app.tell(
                f"{why_not}; nothing was sent", title=f"{order.command.name}: not possible now", severity="warning"
            )
            return None
        if needed.level > 0:
            self.last_line = shell_line(order, answer or Answer(), needed.level, app.session.client.endpoint)
        try:
            return await self._run(order, answer or Answer(), needed.level)
        except AliecsError as error:
            self._note(order, needed.level, error.message)
            raise

    def _note(self, order: Order, level: int, outcome: str) -> None:
        """Note an act in the recording that this screen makes."""
        if order.command.rpc:
            target = order.environment_id or " ".join(order.names)
            self._app.taping.act(Act(verb=order.command.name, target=target, level=level, outcome=outcome))

    async def _run(self, order: Order, answer: Answer, level: int) -> Result:
        app = self._app
        args = order.args
        args.quiet = True  # its progress is seen in the picture, and stderr is the screen
        args.yes, args.confirm, args.reason = True, answer.typed, answer.reason
        notes: deque[str] = deque(maxlen=LINES_KEPT)
        emitted: deque[str] = deque(maxlen=LINES_KEPT)
        output = args.output or "table"
        context = Context(
            session=app.session, command=order.command, args=args, emit=emitted.append, say=notes.append, output=output,
            is_gated=True, wait_s=app.settings.wait_s, ascii=app.settings.ascii, seat=self.seat,
        )  # fmt: skip
        result = await verb_of(order.command)(context)
        self._note(order, level, result.problem or result.state_after or "done")
        self._tell_result(order, result, output, tuple(notes), tuple(emitted))
        return result

    async def _looked_up(self, order: Order) -> Order:
        """Find out what the order is about where the live picture does not know: repositories, short task ids."""
        session, args, name = self._app.session, order.args, order.command.name
        if not order.command.rpc:
            return order
        if name == "task clean":
            return replace(order, names=tuple([await resolve.task_id(session, word) for word in args.tasks]))
        words = list(getattr(args, "arguments", ()))
        index = getattr(args, "index", "") or (words[0] if len(words) == 2 else "")
        if not index:
            return order
        number, repo = await chosen(session, index)
        return replace(order, names=(*words[1:], repo.name, str(number)))

    # ---- what came of it ---------------------------------------------------------------------

    def _tell_result(
        self, order: Order, result: Result, output: str, notes: Sequence[str], emitted: Sequence[str]
    ) -> None:
        app = self._app
        if result.code and not result.text:
            what = order.need(app.session.store).what
            self._warn_of(order.key, result.problem or what)
            self._fail(what, result.problem or what, result.code, order.line)
        elif order.command.name == "quit":
            return
        elif order.command.rpc or result.is_step or order.command.name in outcome.ONE_LINE:
            app.tell(outcome.done_line(order, result), title=order.command.name)
        elif found := outcome.sections(result, output, notes, emitted, app.looks):
            self._show(Reading(order.line, found))
        else:
            app.tell(result.empty or "nothing to show", title=order.command.name)

    def _warn_of(self, key: OrderKey, text: str) -> None:
        """Tell who gave an order that it failed, before the dialog opens on what is shown then."""
        if fails := self._fails.get(key):
            fails(text)

    def _fail(self, what: str, text: str, code: int, line: str) -> None:
        title = f"{what[:1].upper()}{what[1:]}: {'outcome unknown' if code == 4 else 'failed'}"
        self.seat.last_error = text
        self._show(failure(title, text, code, line, self._app.looks), instead=text.partition("\n")[0])

    def _show(self, screen: Screen[str] | Screen[None], *, instead: str = "") -> None:
        """Show a screen; while a question is open it waits, and ``instead`` is told at once."""
        if isinstance(self._app.screen, ModalScreen):
            self._waiting.append(screen)
            if instead:
                self._app.tell(instead, title="failed", severity="error")
        else:
            self._app.push_screen(screen)

    # ---- what the screen does itself ---------------------------------------------------------

    def _is_own(self, order: Order) -> bool:
        """Do what needs no core; False if it is something else."""
        app = self._app
        match order.command.name:
            case "env watch":
                if order.environment_id:
                    app.focus_environment(order.environment_id)
                app.action_show("events")
            case "record":
                app.record(order.args.file or "")
            case "replay":
                app.play(order.args)
            case "task tail":
                app.show_output(order.args.task, is_stderr=order.args.stderr)
            case "env create" if not (order.args.workflow_template or order.args.template):
                app.create_environment()
            case "help" if order.args.words:
                self.submit([*order.args.words, "--help"])
            case "help":
                app.action_help()
            case _:
                return False
        return True

    def _remember(self, order: Order) -> None:
        line = order.line
        if line in self.history:
            self.history.remove(line)
        self.history.append(line)


def shell_line(order: Order, answer: Answer, level: int, endpoint: str) -> str:
    """Return the command line that does the same."""
    words = orders.words_of(order.command, order.args)
    if level >= 4:
        words += ["--confirm", answer.typed, "--reason", answer.reason]
    return shell_words(words, endpoint)


def shell_words(words: Sequence[str], endpoint: str) -> str:
    """Return the words of a verb as a command line for the same core."""
    elsewhere = ["--endpoint", endpoint] if endpoint != Settings().endpoint else []
    return shlex.join(["aliecs", *elsewhere, *words])
