"""What fits a slot of a half-typed line, kind by kind: environments, tasks, hosts, templates ... From memory only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from console.command import REPL, Arg, Command
from console.commands import commands_of, find
from console.exit_codes import ExitError
from console.legality import takes_environment
from console.present import RANK, look, names, short_class
from console.resolve import choose
from console.store import Store, worst_first
from server.api.model import Environment, Role, Task
from server.api.replies import RepoInfo, TemplateListing, VariableSpec
from server.api.states import OPERATOR_EVENTS, EnvironmentState

Given = Mapping[str, tuple[str, ...]]
"""Arguments that stand before the slot, by name without dashes."""


class Candidate(NamedTuple):
    """One word that fits."""

    text: str
    """Replaces the line from ``start`` to the cursor."""
    display: str
    meta: str = ""
    """What it is, or why it is not possible now."""
    start: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is known when a line is completed."""

    store: Store
    surface: str = REPL
    in_use: str = ""
    """Id of the environment in use, "" if there is none."""
    reason: Callable[[Command, str], str] = lambda command, environment_id: ""
    """Why a command is not possible for an environment, "" if it is: legality.reason."""
    templates: tuple[TemplateListing, ...] = ()
    repos: tuple[RepoInfo, ...] = ()
    files: tuple[str, ...] = ()
    """Paths that begin like the half-typed word."""
    recordings: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names for ``set``, with their values."""
    ascii: bool = False

    def state(self, state: str, *, critical: bool = False) -> str:
        """Return sign and code of a state."""
        shown = look(state, critical=critical)
        return f"{shown.ascii if self.ascii else shown.glyph} {shown.code}"


Chooser = Callable[[str, Sources, Command | None, Given], list[Candidate]]


SCATTERED = 2
"""The rank of a text that has the letters in order, with others between."""


def match(word: str, text: str) -> int | None:
    """Return how well a half-typed word fits: 0 begins with it, 1 contains it, SCATTERED; None if it does not."""
    word, text = word.lower(), text.lower()
    if text.startswith(word):
        return 0
    if word in text:
        return 1
    letters = iter(text)
    return SCATTERED if all(letter in letters for letter in word) else None


def plain(word: str, choices: Iterable[tuple[str, str]]) -> list[Candidate]:
    """Return the choices (text and meta) that fit, the best first, else in their order."""
    fitting = [
        ((rank,), Candidate(text, text, meta)) for text, meta in choices if (rank := match(word, text)) is not None
    ]
    return _best(fitting)


def _best(fitting: Sequence[tuple[tuple[int, ...], Candidate]]) -> list[Candidate]:
    """Sort by rank; letters in order count only where nothing fits better."""
    ordered = sorted(fitting, key=lambda it: it[0])
    return [one for rank, one in ordered if rank[0] < SCATTERED or ordered[0][0][0] == SCATTERED]


def verbs(word: str, sources: Sources, first_words: Sequence[str]) -> list[Candidate]:
    """Return what a line may begin with; what is not possible now comes last, with the reason."""
    found = []
    for text in first_words:
        command = find([text], sources.surface)
        found.append((text, command[0] if command else None))
    return _judged(word, found, sources)


def verbs_of(word: str, noun: str, sources: Sources) -> list[Candidate]:
    """Return the verbs of a noun."""
    known = [one for one in commands_of(sources.surface) if one.name.startswith(f"{noun} ")]
    return _judged(word, [(one.name.partition(" ")[2], one) for one in known], sources)


def _judged(word: str, choices: list[tuple[str, Command | None]], sources: Sources) -> list[Candidate]:
    found: list[tuple[tuple[int, ...], Candidate]] = []
    for text, command in choices:
        rank = match(word, text)
        if rank is None:
            continue
        why_not = ""
        if command is not None:
            why_not = sources.reason(command, sources.in_use)
            if not sources.in_use and takes_environment(command):
                why_not = ""  # which one follows
        meta = why_not or (command.help if command else f"{text} ...")
        found.append(((rank, bool(why_not)), Candidate(text, text, meta)))
    return _best(found)


def options(word: str, known: Iterable[Arg], given: Given) -> list[Candidate]:
    """Return the options that were not given yet."""
    free = [arg for arg in known if arg.name.startswith("--") and arg.name.strip("-") not in given]
    return plain(word, [(arg.name, f"{arg.short + ', ' if arg.short else ''}{arg.help}") for arg in free
                         if not arg.help.startswith("accepted for coconut")])  # fmt: skip


# ---- things of the picture -------------------------------------------------------------------


def environments(word: str, sources: Sources, command: Command | None, given: Given) -> list[Candidate]:
    """Return ids and the words with @, environments that the command is possible for first."""
    known = sources.store.environments()
    reasons = {one.id: sources.reason(command, one.id) if command is not None else "" for one in known}
    usable = sorted(known, key=lambda one: (bool(reasons[one.id]), -one.created_ms))
    found = [
        Candidate(one.id, one.id, about(one, sources, reasons[one.id])) for one in usable if one.id.startswith(word)
    ]
    signs: list[tuple[str, Environment]] = []
    running = [one for one in usable if one.run_number]
    if known:
        signs.append(("@last", max(known, key=lambda one: (one.created_ms, one.id))))
    if len(running) == 1:
        signs.append(("@run", running[0]))
    signs += [(f"@{one.run_number}", one) for one in running]
    holders: dict[str, list[Environment]] = {}
    for one in usable:
        for detector in one.detectors:
            holders.setdefault(detector.lower(), []).append(one)
    signs += [(f"@{detector}", held[0]) for detector, held in sorted(holders.items()) if len(held) == 1]
    fitting = [Candidate(sign, sign, f"{one.id}  {about(one, sources, reasons[one.id])}") for sign, one in signs
               if sign.startswith(word.lower())]  # fmt: skip
    special = [("none", "no environment")] if command is not None and command.name == "use" else []
    special += (
        [("all", "of every environment")]
        if command is not None and command.name in ("task ls", "events", "tail")
        else []
    )
    # The prompt takes a path alone for the environment in use.
    paths = roles(word, sources, command, {}) if command is not None and command.name == "role query" else []
    return [*found, *fitting, *plain(word, special), *paths]


def about(environment: Environment, sources: Sources, why_not: str = "") -> str:
    """Return state, run and detectors of an environment in a few words."""
    parts = [sources.state(environment.state)]
    if environment.run_number:
        parts.append(f"run {environment.run_number}")
    parts += [names(environment.detectors, 20)] if environment.detectors else [environment.template]
    return "  ".join(parts) + (f"  ({why_not})" if why_not else "")


def tasks(word: str, sources: Sources, command: Command | None, given: Given) -> list[Candidate]:
    """Return the tasks whose id begins with the word, then those whose class or host holds it; worst first."""
    mine = sources.in_use
    known = worst_first(sources.store.tasks(), RANK)
    if command is not None and command.name == "task clean":
        known = [task for task in known if not task.locked]
    elif mine:
        known.sort(key=lambda task: task.environment_id != mine)
    taken = given.get("tasks", ())
    by_id = [task for task in known if task.task_id.startswith(word) and task.task_id not in taken]
    lower = word.lower()
    by_words = [task for task in known if lower and not task.task_id.startswith(word)
                and lower in f"{_class(task)} {task.host}".lower()]  # fmt: skip
    return [Candidate(task.task_id, task.task_id, _about_task(task, sources)) for task in [*by_id, *by_words]]


def _class(task: Task) -> str:
    return short_class(task.name or task.class_name)


def _about_task(task: Task, sources: Sources) -> str:
    return f"{sources.state(task.state, critical=task.critical)}  {_class(task)}  {task.host}"


def hosts(word: str, sources: Sources, command: Command | None, given: Given) -> list[Candidate]:
    known = sorted(sources.store.hosts.values(), key=lambda host: host.name)
    return plain(
        word,
        [
            (
                one.name,
                f"{one.detector or '-'}  {one.executor_state.lower()}  {one.tasks} tasks{'  drained' * bool(one.drain)}",
            )
            for one in known
        ],
    )


def detectors(word: str, sources: Sources, command: Command | None, given: Given) -> list[Candidate]:
    """Return the detectors of the core, the free ones first."""
    core = sources.store.core
    if core is None:
        return []
    busy = set(core.active_detectors)
    known = sorted(core.detectors, key=lambda name: (name in busy, name))
    return plain(word, [(name, "in use" if name in busy else "free") for name in known])


def roles(word: str, sources: Sources, command: Command | None, given: Given) -> list[Candidate]:
    """Return the paths of the environment that the line names, or of the one in use."""
    environment = _environment(sources, given)
    known: list[Role] = sources.store.roles(environment.id) if environment else []
    return plain(word, [(role.path, sources.state(role.state)) for role in known])


def _environment(sources: Sources, given: Given) -> Environment | None:
    named = given.get("env", (sources.in_use,))[-1]
    try:
        return choose(named, sources.store.environments()) if named else None
    except ExitError:
        return None  # it names none or several: nothing to offer


def events(word: str, sources: Sources, command: Command | None, given: Given) -> list[Candidate]:
    """Return the events that can be asked for, those that the environment takes now first."""
    environment = _environment(sources, given)
    reasons = {}
    for event in OPERATOR_EVENTS:
        verb = next((one for one in commands_of(sources.surface) if one.event == event.value), None)
        reasons[event.value] = sources.reason(verb, environment.id) if verb and environment else ""
    ordered = sorted(reasons.items(), key=lambda it: bool(it[1]))
    return plain(word, ordered)


def states(word: str, sources: Sources, command: Command | None, given: Given) -> list[Candidate]:
    known: Iterable[str] = (state.value for state in EnvironmentState)
    if command is not None and command.name.startswith("task "):
        known = dict.fromkeys(task.state for task in worst_first(sources.store.tasks(), RANK))
    return plain(word, [(state, sources.state(state)) for state in known])


# ---- templates -------------------------------------------------------------------------------


def templates(word: str, sources: Sources, command: Command | None, given: Given) -> list[Candidate]:
    """Return template names; ``NAME@`` goes on with its revisions."""
    name, sign, _ = word.partition("@")
    if sign:
        return plain(word, [(f"{name}@{one.revision}", one.repo) for one in sources.templates if one.template == name])
    described: dict[str, str] = {}
    for one in sources.templates:
        described.setdefault(one.template, one.description.strip().partition("\n")[0])
    return plain(word, described.items())


def revisions(word: str, sources: Sources, command: Command | None, given: Given) -> list[Candidate]:
    known = dict.fromkeys(one.revision for one in sources.templates)
    return plain(word, [(revision, "") for revision in known])


def repos(word: str, sources: Sources, command: Command | None, given: Given) -> list[Candidate]:
    known = [(one.name, f"{at}{', the default' if one.is_default else ''}") for at, one in enumerate(sources.repos)]
    return plain(word, known)


def variables(word: str, sources: Sources, command: Command | None, given: Given) -> list[Candidate]:
    """Return the variables of the template that the line names as ``NAME=``, and their values behind the sign."""
    template = (*given.get("workflow-template", ()), *given.get("template", ()))
    wanted, _, revision = (template[-1] if template else "").rpartition("/")[2].partition("@")
    specs: dict[str, VariableSpec] = {}
    for one in sources.templates:
        if one.template == wanted and revision in ("", one.revision):
            specs |= {spec.name: spec for spec in one.variables}
    name, sign, value = word.partition("=")
    if not sign:
        return plain(word, [(f"{spec.name}=", _about_variable(spec)) for spec in specs.values()])
    if name not in specs:
        return []
    spec = specs[name]
    values = spec.allowed or ((spec.default,) if spec.default else ())
    found = plain(value, [(one, "default" if one == spec.default else "") for one in values])
    return [one._replace(text=f"{name}={one.text}", display=one.text) for one in found]


def _about_variable(spec: VariableSpec) -> str:
    label = spec.label or spec.description.strip().partition("\n")[0]
    return f"{label}{' = ' if label else '= '}{spec.default}" if spec.default else label


# ---- the console's own -----------------------------------------------------------------------


def settings(word: str, sources: Sources, command: Command | None, given: Given) -> list[Candidate]:
    """Return the names for ``set``, and behind a name its values."""
    named = given.get("name")
    if named:
        return plain(word, [(value, "") for value in sources.settings.get(named[0], ())])
    return plain(word, [(name, " ".join(values)) for name, values in sources.settings.items()])


KINDS: dict[str, Chooser] = {
    "env": environments,
    "task": tasks,
    "host": hosts,
    "detector": detectors,
    "role": roles,
    "event": events,
    "state": states,
    "template": templates,
    "revision": revisions,
    "repo": repos,
    "variable": variables,
    "setting": settings,
    "file": lambda word, sources, command, given: plain(word, [(one, "") for one in sources.files]),
    "recording": lambda word, sources, command, given: plain(word, [(one, "") for one in sources.recordings]),
    "theme": lambda word, sources, command, given: plain(word, [(one, "") for one in sources.themes]),
}
