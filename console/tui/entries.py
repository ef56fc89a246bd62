"""What the palette offers: verbs, screens, environments, tasks, templates, recordings, themes; why one is not possible.

Plain values made from what is known now; no I/O. How it is drawn and chosen: palette.py.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from console import legality
from console.command import SCREEN, Command
from console.commands import commands_of
from console.legality import Place
from console.present import RANK, look, names, run_number, short_class
from console.store import worst_first
from console.subjects import TRANSITION_EVENTS, Subject
from console.tui import fuzzy
from console.tui.order import lacks_words, named_by, words_for
from server.api.replies import TemplateListing

RECENT = 5
"""Lines given before that stand on top while nothing is typed."""
TASKS = 30
"""Tasks that fit what is typed, at most."""
MIN_TASK_LETTERS = 2
FORCED = {
    "env destroy": "no STOP and no RESET: tasks are killed where they are",
    "task kill": "also a critical one of a run, which ends by it",
    "host restart": "also with tasks of environments, which are killed",
}
"""What verbs do by force, each an entry of its own."""


class Entry(NamedTuple):
    """One line of the palette."""

    kind: str
    """verb, recent, screen, environment, task, template, recording, theme."""
    title: str
    about: str = ""
    line: str = ""
    """The order that it gives, or what the ``:`` line begins with if ``is_begun``."""
    is_begun: bool = False
    """More words have to be typed."""
    target: str = ""
    """Of a screen, environment or theme: its name."""
    why_not: str = ""
    """Why it is not possible now; "" if it is."""
    needs_arming: bool = False
    key: str = ""


class Found(NamedTuple):
    """An entry that fits what is typed."""

    entry: Entry
    at: frozenset[int]
    """Letters of its title that were typed."""


class Offer(NamedTuple):
    """Where entries come from."""

    place: Place
    environment_id: str
    """The environment that is selected, "" for none."""
    subject: Subject
    """The task or host that is selected."""
    history: Sequence[str]
    screens: Sequence[tuple[str, str, str]]
    """Name, key and title."""
    templates: Sequence[TemplateListing]
    recordings: Sequence[str]
    themes: Sequence[str]


def entries(offer: Offer) -> list[Entry]:
    """Return everything but tasks, which may be many: verbs of the selected environment first."""
    store = offer.place.store
    selected = [name for name in (*offer.subject, offer.environment_id) if name]

    def rank(entry: Entry) -> int:
        return next((at for at, name in enumerate(selected) if name in entry.line), len(selected))

    found = sorted(_verbs(offer), key=rank)
    for name, key, title in offer.screens:
        found.append(Entry("screen", f"screen {title}", "show it", target=name, key=key))
    for one in store.environments():
        shown = look(one.state)
        run = f"run {run_number(one.run_number)}" if one.run_number else ""
        about = "  ".join(
            part for part in (f"{shown.glyph} {shown.code}", run, names(one.detectors, 24), one.template) if part
        )
        found.append(Entry("environment", f"environment {one.id}", about, target=one.id))
    for listing in offer.templates:
        name = f"{listing.template}@{listing.revision}"
        about = listing.description.strip().partition("\n")[0] or listing.repo
        line = f"env create -w {shlex.quote(f'{listing.repo}/workflows/{name}')} "
        found.append(Entry("template", f"template {name}", about, line, is_begun=True, why_not=offer.place.refusal()))
    about = "play it; closing it leads back here"
    found += [Entry("recording", f"recording {name}", about, shlex.join(["replay", name])) for name in offer.recordings]
    found += [Entry("theme", f"theme {name}", "use it", target=name) for name in offer.themes]
    return found


def ranked(typed: str, offer: Offer, known: Sequence[Entry]) -> list[Found]:
    """Return what fits, best first: whole words, then what is possible, then what was given before, then the nearest."""
    history = {line: at for at, line in enumerate(reversed(offer.history))}
    if not typed.strip():
        recent = [_again(line, offer) for line in islice(history, RECENT)]
        rest = sorted(known, key=lambda one: bool(one.why_not))
        return [Found(one, frozenset()) for one in [*(one for one in recent if one), *rest]]
    fitting: list[tuple[tuple[int, bool, int, int], int, Found]] = []
    for at, one in enumerate([*known, *_tasks(typed, offer)]):
        found = fuzzy.match(typed, one.title) or fuzzy.match(typed, f"{one.title} {one.about}")
        if found is None:
            continue
        in_title = frozenset(place for place in found.at if place < len(one.title))
        tier = found.tier if len(in_title) == len(found.at) else fuzzy.SCATTERED
        rank = (tier, bool(one.why_not), min(history.get(one.line, RECENT), RECENT), found.score)
        fitting.append((rank, at, Found(one, in_title)))
    return [found for _, _, found in sorted(fitting, key=lambda it: it[:2])]


def _verbs(offer: Offer) -> Iterator[Entry]:
    for command in commands_of(SCREEN):
        words = words_for(command, offer.place.store, offer.environment_id, offer.subject)
        if command.name == "task transition" and offer.subject.task_id:
            for event in TRANSITION_EVENTS:
                yield _verb(command, [*words, event], offer, event=event)
            continue
        yield _verb(command, words, offer)
        if command.name in FORCED and (command.name == "env destroy" or named_by(command, offer.subject)):
            killing = [word for word in words if not word.startswith("--")] + ["--force"]
            yield _verb(command, killing, offer, is_forced=True)


def _verb(command: Command, words: Sequence[str], offer: Offer, *, event: str = "", is_forced: bool = False) -> Entry:
    why_not = legality.reason(
        command, offer.place, offer.environment_id, event=event, is_forced=is_forced, subject=offer.subject
    )
    line = shlex.join(words)
    is_begun = lacks_words(command, offer.subject) and not event
    title = " ".join(word for word in words if word != "--allow-in-running-state")
    about = FORCED[command.name] if is_forced else command.help
    return Entry(
        "verb", title, about, f"{line} " if is_begun else line, is_begun=is_begun, why_not=why_not,
        needs_arming=bool(command.rpc), key="" if is_forced else command.keys,
    )  # fmt: skip


def _again(line: str, offer: Offer) -> Entry | None:
    """Return a line that was given before, None if its environment is gone."""
    words = line.split()
    command = next((one for one in commands_of(SCREEN) if words[: len(one.name.split())] == one.name.split()), None)
    if command is None:
        return None
    environment_id = words[len(command.name.split())] if legality.takes_environment(command) else ""
    why_not = legality.reason(command, offer.place, environment_id, is_forced="--force" in words)
    return None if why_not else Entry("recent", line, command.help, line, needs_arming=bool(command.rpc))


def _tasks(typed: str, offer: Offer) -> Iterable[Entry]:
    """Return tasks that fit, the worst first."""
    if len(typed.strip()) < MIN_TASK_LETTERS:
        return ()
    words = typed.casefold().removeprefix("task").split()

    def fits(text: str) -> bool:
        return all(word in text for word in words)

    known = (
        (task, f"{task.task_id} {short_class(task.name or task.class_name)} {task.host}")
        for task in offer.place.store.tasks()
    )
    kept = worst_first((task for task, text in known if fits(text.casefold())), RANK)[:TASKS]
    return [
        Entry(
            "task", f"task {short_class(task.name or task.class_name)} {task.host} {task.task_id}",
            f"{look(task.state).glyph} {look(task.state).code}  {task.environment_id}", f"task show {task.task_id}",
        )
        for task in kept
    ]  # fmt: skip
