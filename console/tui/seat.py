"""What verbs about the console itself read and change where somebody sits at the screen (console/seat.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from console import themes
from console.exit_codes import usage
from console.safety import Arming
from console.seat import Job, Setting

if TYPE_CHECKING:
    from console.tui.actions import OperatorApp


class ScreenSeat:
    """The seat of somebody at a screen."""

    def __init__(self, app: OperatorApp) -> None:
        self._app = app
        self.last_error = ""

    @property
    def in_use(self) -> str:
        return self._app.environment_id

    @property
    def arming(self) -> Arming:
        return self._app.arming

    def use(self, environment_id: str) -> None:
        self._app.focus_environment(environment_id)

    def settings(self) -> Mapping[str, Setting]:
        return {"theme": Setting(self._app.theme, tuple(themes.names()), "colours")}

    def set(self, name: str, value: str) -> None:
        if name != "theme":
            raise usage(f"no setting {name!r} of the screen", hint="there is theme")
        if value not in themes.names():
            raise usage(f"no theme {value!r}", hint=f"there are {', '.join(themes.names())}")
        self._app.show_theme(value)

    def lines(self) -> Sequence[str]:
        return tuple(self._app.operator.history)

    def jobs(self) -> Sequence[Job]:
        return ()

    async def connect(self, endpoint: str) -> None:
        raise usage("a screen stays on its core", hint=f"another one: aliecs --endpoint {endpoint}")

    async def source(self, path: str, variables: Sequence[str], *, yes: bool, confirm: str, reason: str) -> int:
        raise usage("a screen runs no scripts", hint=f"aliecs --script {path}")

    def quit(self) -> None:
        self._app.run_worker(self._app.action_quit(), group="quit")
