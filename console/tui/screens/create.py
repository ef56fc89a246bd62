"""A new environment in four steps: template, detectors and hosts, variables, review. Going back keeps everything.

What is chosen: console/creation.py. The steps: widgets/form_*.py. The order itself goes through operator.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from console import draft as drafts
from console.creation import Creation, Reference, Surroundings
from console.draft import Draft
from console.preflight import Check, checks, obstacles
from console.present import moment
from console.store import Key, Link
from console.tui.screens.base import ConsoleScreen
from console.tui.shelf import Shelf
from console.tui.widgets.form_bench import Rail, Step
from console.tui.widgets.form_hosts import HostsStep
from console.tui.widgets.form_review import ReviewStep
from console.tui.widgets.form_step_variables import VariablesStep
from console.tui.widgets.form_templates import TemplateStep
from server.api.model import Environment

if TYPE_CHECKING:
    from textual.worker import Worker

    from console.results import Result
    from console.tui.actions import OperatorApp

WIDE = 120
"""Columns from which details stand beside the list they are about."""
WIDEST = 160
SAVE_S = 0.5
"""From a change until the draft is written."""
TEMPLATE, HOST, VARIABLE, REVIEW = 1, 2, 3, 4


class CreateScreen(ConsoleScreen):
    """S4 of the console's design."""

    tab = "create"
    has_verbs = False
    DEFAULT_CSS = """
    CreateScreen.-wide #sources, CreateScreen.-wide #detectors { width: 44; }
    CreateScreen.-wide #step-3, CreateScreen.-wide #step-4 { layout: horizontal; }
    CreateScreen.-wide #variable { width: 40; height: 1fr; margin-left: 1; }
    CreateScreen.-wide #outlook { height: 1fr; margin-left: 1; }
    CreateScreen.-widest #panels { width: 40; }
    CreateScreen.-widest #variable { width: 60; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "deploy", "deploy", id="create.deploy"),
        Binding("P", "plan", "plan", id="create.plan"),
        Binding("y", "yank_command", "copy command", id="create.yank"),
        Binding("greater_than_sign", "next", "next", id="create.next"),
        Binding("less_than_sign", "back", "back", id="create.back"),
        Binding("X", "start_over", "start over", show=False, id="create.start_over"),
        Binding("escape", "leave", "leave", id="create.leave"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.creation = Creation()
        self.step = TEMPLATE
        self.note = ""
        self.failure = ""
        self.shows_all_detectors = False
        self._known: tuple[tuple[object, ...], tuple[Surroundings, Sequence[Check]]] | None = None
        self._edits = 0
        self._has_begun = False
        """The draft of the last time was looked for, so that this one may be saved."""
        self._resume_at = 0
        """The step of a draft, to go to when its template is known; 0 for none."""
        self._is_saving = False
        self._order: Worker[Result | None] | None = None
        self._before: frozenset[str] = frozenset()
        """Environments that are not the one that was asked for."""
        self._link = Link.CONNECTING

    # ---- what the parts ask ------------------------------------------------------------------

    @property
    def around(self) -> Surroundings:
        """What the core shows now."""
        return self._looked_at()[0]

    @property
    def checks(self) -> Sequence[Check]:
        """How the preflight comes out now."""
        return self._looked_at()[1]

    def changed(self) -> None:
        """Note that something was chosen or typed: it is shown everywhere and saved."""
        self.failure = ""
        self.show()
        self._save_soon()

    def show(self) -> None:
        """Show the step as it is now."""
        self._edits += 1
        if self._resume_at and self.creation.is_known:
            step, self._resume_at = self._resume_at, 0
            self._go(step)
        elif (shown := self._step) is not None:
            shown.show()
            self.repaint_lines()
            self.refresh_bindings()

    def tell(self, words: str, *, title: str = "", severity: str = "information") -> None:
        """Say something in a corner of the screen."""
        self._operating.tell(words, title=title, severity=severity)

    def _looked_at(self) -> tuple[Surroundings, Sequence[Check]]:
        session = self._operating.session
        key = (session.store.version, self._edits, session.refusal())
        if self._known is None or self._known[0] != key:
            around = Surroundings.of(session.store, is_advisory=session.source.is_advisory)
            self._known = (key, (around, checks(self.creation, around, session.refusal())))
        return self._known[1]

    @property
    def _operating(self) -> OperatorApp:
        return cast("OperatorApp", self.app)

    # ---- parts -------------------------------------------------------------------------------

    def body(self) -> ComposeResult:
        yield Rail(id="rail")
        yield TemplateStep(id="step-1")
        yield HostsStep(id="step-2")
        yield VariablesStep(id="step-3")
        yield ReviewStep(id="step-4")

    @property
    def _step(self) -> Step | None:
        """The part of the step; None while the screen is built or taken down."""
        return next(iter(self.query(f"#step-{self.step}").results(Step)), None)

    def on_mount(self) -> None:
        self.shelf = Shelf(self._operating.session)
        if self.app.is_running:  # else it ends, and not all of this screen is there
            self._go(TEMPLATE)
            self.run_worker(self._begin(), group="draft", exit_on_error=False)

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self.set_class(event.size.width >= WIDE, "-wide")
        self.set_class(event.size.width >= WIDEST, "-widest")
        self.call_after_refresh(self.show)

    # ---- following the store -----------------------------------------------------------------

    def take(self, changed: set[Key]) -> None:
        link = self.store.link
        if link is Link.LIVE and self._link is not Link.LIVE and self.shelf.has_problems:
            self.query_one(TemplateStep).action_reload()
        self._link = link
        self._go_to_ours()
        self.show()

    def take_all(self) -> None:
        self._link = self.store.link
        self.show()

    def tick(self) -> None:
        super().tick()
        if self.step == REVIEW and (shown := self._step) is not None:
            shown.show()

    def environment_changed(self) -> None:
        self.repaint_lines()

    # ---- steps -------------------------------------------------------------------------------

    def _go(self, step: int) -> None:
        """Show a step; what was chosen in the others stays."""
        self.step, self._resume_at = step, 0
        here = self._step
        for one in self.query(Step):
            one.set_class(one is here, "-shown")
        if here is not None:
            here.first().focus()
        self.show()
        self.call_after_refresh(self.show)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "next":
                return self.step < REVIEW
            case "back":
                return self.step > TEMPLATE
            case "deploy" | "yank_command" | "plan":
                return self.step == REVIEW
        return super().check_action(action, parameters)

    def action_next(self) -> None:
        """Go to the next step."""
        if self.step == TEMPLATE and not self.creation.is_chosen and not self.query_one(TemplateStep).choose():
            self.tell("choose a template first")
        else:
            self._go(self.step + 1)

    def action_back(self) -> None:
        """Go to the step before."""
        self._go(self.step - 1)

    def action_leave(self) -> None:
        """Leave what was begun within the step; with nothing begun leave the screen, with the draft saved."""
        here = self._step
        if here is None or not here.go_back():
            self._operating.action_show("overview")

    def action_start_over(self) -> None:
        """Forget all that was chosen and typed."""
        self.creation = Creation()
        self.note = ""
        self.changed()
        self._go(TEMPLATE)

    # ---- the order ---------------------------------------------------------------------------

    def action_yank_command(self) -> None:
        """Copy the command that does the same."""
        self._operating.copy(self.creation.command())

    def action_plan(self) -> None:
        """Show what the core would make of it; nothing is deployed."""
        self._operating.operator.submit(self.creation.words(verb="plan"))

    def action_deploy(self) -> None:
        """Ask for the environment, after the question; say what keeps it from working."""
        if wrong := obstacles(tuple(self.checks)):
            self.tell("\n".join(wrong), title="it would not work", severity="warning")
            return
        self.failure = ""
        self._before = frozenset(one.id for one in self.store.environments())
        self._order = self._operating.operator.submit(self.creation.words(), fails=self._failed)
        if self._order is not None:
            self.run_worker(self._wait(self._order), group="order", exit_on_error=False)

    def _go_to_ours(self) -> None:
        """Show the environment as soon as the core shows it, if this screen is still looked at."""
        order = self._order
        if order is None or order.is_finished or self.app.screen is not self:
            return
        user = self._operating.session.client.user
        for one in self.store.environments():
            if one.id not in self._before and one.owner.name == user and self._is_ours(one):
                self._before |= {one.id}
                self._show_environment(one.id)
                return

    def _is_ours(self, environment: Environment) -> bool:
        sent = self.creation.form.changed
        return not environment.user_vars or all(environment.user_vars.get(name) == sent[name] for name in sent)

    def _show_environment(self, environment_id: str) -> None:
        self._operating.focus_environment(environment_id)
        self._operating.action_show("environment")

    async def _wait(self, order: Worker[Result | None]) -> None:
        """Forget the draft when its environment is there; whatever else came of it was told already."""
        result = await order.wait()
        if result is None or result.code:
            return
        if self.app.screen is self:
            self._show_environment(result.environment_id)
        self.action_start_over()

    def _failed(self, text: str) -> None:
        """Come back with everything as it was, and with what went wrong."""
        if isinstance(self.app.screen, ConsoleScreen):
            self._operating.action_show("create")
        self._go(REVIEW)
        self.failure = text
        self.show()

    # ---- the draft ---------------------------------------------------------------------------

    async def _begin(self) -> None:
        """Take up the draft of the last time, and list what there is."""
        session = self._operating.session
        draft, problem = None, ""
        if session.replay is None:  # nothing can be made in a recording, and its core may be another one by now
            draft, problem = await asyncio.to_thread(drafts.load, session.client.endpoint)
            self._has_begun = True
        if problem:
            self.tell(problem, title="draft", severity="warning")
        if draft is not None and not self.creation.is_chosen:
            self.creation.restore(Reference(draft.repo, draft.template, draft.revision), draft.changed)
            self.note = f"draft of {moment(draft.saved_ms)[11:16]}, X drops it"
            self._resume_at = min(max(draft.step, TEMPLATE), REVIEW)
            self.show()
        await self.query_one(TemplateStep).load()

    def _save_soon(self) -> None:
        if self._has_begun and not self._is_saving:
            self._is_saving = True
            self.set_timer(SAVE_S, lambda: self.run_worker(self._save(), group="draft", exit_on_error=False))

    async def _save(self) -> None:
        self._is_saving = False
        if problem := await asyncio.to_thread(drafts.save, self._draft()):
            self.tell(problem, title="draft", severity="warning")

    def on_screen_suspend(self) -> None:
        self._save_soon()

    def on_unmount(self) -> None:
        if self._is_saving:
            drafts.save(self._draft())

    def _draft(self) -> Draft:
        reference = self.creation.reference
        return Draft(
            endpoint=self._operating.session.client.endpoint, repo=reference.repo, template=reference.template,
            revision=reference.revision, changed=dict(self.creation.form.changed), step=self.step,
        )  # fmt: skip
