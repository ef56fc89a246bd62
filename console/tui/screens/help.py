"""What the keys and verbs are, made from the bindings and the table: never behind what the console can do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.binding import ActiveBinding

from console import legality
from console.command import SCREEN
from console.commands import commands_of
from console.legality import Place
from console.safety import Arming
from console.tui.painting import Parts
from console.tui.widgets.pager import Section

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.binding import Binding

    from console.tui.looks import Styles

KEY_WIDTH = 16
VERB_WIDTH = 22
EVERYWHERE = "Everywhere"


def key_sections(
    active: Iterable[ActiveBinding], name_of: Callable[[Binding], str], word_of: Callable[[ActiveBinding], tuple[str, bool]],
    looks: Styles,
) -> list[Section]:  # fmt: skip
    """Return the keys by what they belong to: what has the focus first, then the screen, then everywhere."""
    by_owner: dict[str, dict[str, tuple[list[str], str, bool]]] = {}
    for one in active:
        word, is_possible = word_of(one)
        if word and one.binding.id:  # those without are Textual's own
            owner = by_owner.setdefault(_owner(one), {})
            keys, _, _ = owner.setdefault(one.binding.action, ([], word, is_possible))
            keys.append(name_of(one.binding))
    sections = []
    for title, actions in sorted(by_owner.items(), key=lambda it: it[0] == EVERYWHERE):
        lines: list[Parts] = []
        for keys, word, is_possible in actions.values():
            style = looks.text if is_possible else looks.dim
            lines.append([(f"  {', '.join(keys):{KEY_WIDTH}} ", looks.key), (word, style)])
        sections.append(Section(title, lines))
    return sections


def verb_section(
    place: Place, environment_id: str, arming: Arming, name_of_key: Callable[[str], str], looks: Styles
) -> Section:
    """Return all verbs with their keys, and why those are not possible that are not."""
    lines: list[Parts] = []
    for command in commands_of(SCREEN):
        why_not = legality.reason(command, place, environment_id, arming)
        key = name_of_key(command.keys) if command.keys else ""
        begin: Parts = [
            (f"  {command.name:{VERB_WIDTH}} ", looks.dim if why_not else looks.bold),
            (f"{key:4}", looks.key),
        ]
        words = [(command.help, looks.dim if why_not else looks.text)]
        lines.append([*begin, *words, *([(f"  {looks.glyph('skipped')} {why_not}", looks.warn)] if why_not else [])])
    about = f"Verbs, for {environment_id}" if environment_id else "Verbs"
    return Section(about, lines)


def _owner(one: ActiveBinding) -> str:
    name = (one.binding.id or "").partition(".")[0]
    return {"app": EVERYWHERE, "env": "Environment", "list": "Lists"}.get(name, name.capitalize())
