"""What messages, exit codes and signals mean, and what to do about them. Plain text in, plain text out."""

from __future__ import annotations

import re
import signal
from typing import NamedTuple

from console import exit_codes
from server.api.errors import Reason


class Explanation(NamedTuple):
    """One thing that a text says."""

    about: str
    """The part of the text that it is about."""
    means: str
    next: str = ""


def explanations(text: str) -> list[Explanation]:
    """Return what is known about a message, a reason, an exit code; nothing for a text that says nothing known."""
    found: list[Explanation] = []
    if match := re.fullmatch(r"\s*(?:exit(?: code)?\s+)?(\d+)\s*", text):
        if one := _CONSOLE.get(int(match[1])):
            found.append(Explanation(f"aliecs ended with {match[1]}", *one))
        found += _exit_code(int(match[1]))
        return found
    if match := re.search(r"killed by its memory limit of \S+ MB", text):
        found.append(Explanation(match[0], *_MEMORY_LIMIT))
    for match in re.finditer(r"exit(?:ed with)?(?: code| status)?\s+(\d+)", text):
        found += _exit_code(int(match[1]))
    for match in re.finditer(r"\bsignal (\d+)\b|\b(SIG[A-Z]+)\b", text):
        found += _signal(match[1] or match[2])
    for pattern, means, next_ in _PHRASES:
        if match := re.search(pattern, text, re.IGNORECASE):
            found.append(Explanation(match[0], means, next_))
    for reason, (means, next_) in _REASONS.items():
        if re.search(rf"\b{reason.value}\b", text):
            found.append(Explanation(reason.value, means, next_))
    return list(dict.fromkeys(found))


def _exit_code(code: int) -> list[Explanation]:
    about = f"exit code {code}"
    if code > 128 and (named := _signal(str(code - 128))):
        return [one._replace(about=f"{about}, {one.about}") for one in named]
    if code in _TASK_EXITS:
        return [Explanation(about, *_TASK_EXITS[code])]
    return [Explanation(about, "the task ended itself with it", "its last lines say why: task show ID names its log")]


def _signal(word: str) -> list[Explanation]:
    try:
        one = signal.Signals(int(word)) if word.isdigit() else signal.Signals[word]
    except (KeyError, ValueError):
        return []
    means, next_ = _SIGNALS.get(one.name, ("the task was ended by a signal", "task show ID names its log"))
    return [Explanation(one.name, means, next_)]


_TASK_EXITS = {
    0: ("a task that should have gone on ended without an error", "task show ID names its log"),
    126: ("the command of the task cannot be executed", "look at its file permissions on the host"),
    127: (
        "the command of the task was not found",
        "is the software installed on the host? task show ID tells the command",
    ),
}

_MEMORY_LIMIT = (
    "the task wanted more memory than limits.memory of its class allows",
    "does it grow without end? process.memory of task show ID; otherwise the class needs a higher limit",
)
_SIGNALS = {
    "SIGKILL": ("it was killed at once: by the executor when its time was over, by the kernel for lack of memory, or by hand",
                "look for an out-of-memory message in the host's kernel log"),
    "SIGSEGV": ("the task crashed: it touched memory that is not its own", "keep the core dump, tell the task's experts"),
    "SIGABRT": ("the task gave up by itself: a failed check or an exception that nobody caught", "its last lines say which"),
    "SIGBUS": ("the task crashed on memory that was not there, often a full shared-memory file system", "df /dev/shm"),
    "SIGTERM": ("somebody asked it to end", "was it the executor, at the end of the environment? events tells"),
    "SIGINT": ("somebody interrupted it", "was it started from a terminal?"),
    "SIGPIPE": ("it wrote to a peer that was gone", "which of its channels ended first? task show ID names them"),
}  # fmt: skip

_CONSOLE = {
    exit_codes.UNCLASSIFIED: ("something that has no code of its own went wrong", "the message says what"),
    exit_codes.USAGE: ("words that mean nothing, or a bad value; nothing was asked for", "VERB --help"),
    exit_codes.UNREACHABLE: ("no core could be reached; nothing was asked for", "is the core running? is the endpoint right?"),
    exit_codes.OUTCOME_UNKNOWN: ("the request was sent, but its answer did not come in time: the core goes on",
                                 "env ls shows what became of it; do not ask twice before"),
    exit_codes.NOT_FOUND: ("there is no such environment, task, template or run", "env ls, task ls, templ ls"),
    exit_codes.NOT_NOW: ("the state does not allow it", "explain ENV tells what is possible"),
    exit_codes.FAILED: ("a transition or deployment failed; the environment is in ERROR", "explain ENV tells the first fault"),
    exit_codes.PARTIAL: ("some of it was done, some was not", "the messages before tell which"),
    exit_codes.REFUSED: ("it was not confirmed, or may not be done here", "the message says what would confirm it"),
    exit_codes.NOT_MET: ("the condition of an expect or wait did not come true", "env show ENV"),
    exit_codes.INCOMPATIBLE: ("this core does not know how to do it", "info tells its version"),
    exit_codes.RESOURCES: ("hosts lack what the tasks want", "hosts tells what is there"),
    exit_codes.INTERRUPTED: ("it was interrupted by Ctrl-C; the core goes on with what was asked for", "env ls"),
    exit_codes.TERMINATED: ("it was told to end; the core goes on with what was asked for", "env ls"),
}  # fmt: skip

_PHRASES = (
    (r"is in progress", "one transition at a time: the core is busy with another one",
     "env wait ENV --state STATE waits for it; only a destroy with --force interrupts"),
    (r"needs \w+(?: or \w+)*, the environment is \w+", "the move does not begin in this state",
     "CONFIGURED starts and resets, RUNNING stops, DEPLOYED configures, STANDBY deploys, ERROR is destroyed"),
    (r"outcome is unknown", "the request was sent and its answer did not come: the core goes on", "env ls before asking again"),
    (r"refuses connections|no core at|link (?:is )?lost|link broke", "the console cannot reach the core",
     "is it running? is the endpoint right? connect HOST:PORT goes to another"),
    (r"data is \d+ s old", "the core has been silent: what you see may not be so any more, so nothing is changed",
     "wait for the link, or look at the core's host"),
    (r"observing|arm first", "nothing can be changed before you arm", "arm"),
    (r"needs a confirmation", "what changes something is confirmed by its level", "the message names the words to add"),
    (r"went from \w+ to \w+|no longer \S+$", "it changed while you were asked, so your answer was not used",
     "look at what it is now, then ask again"),
    (r"out of memory|oom", "the host had no memory left", "how many tasks run there? hosts"),
)  # fmt: skip

_REASONS = {
    Reason.ILLEGAL_TRANSITION: ("the move does not begin in this state", "explain ENV tells which moves do"),
    Reason.TRANSITION_RUNNING: ("another transition is in progress", "env wait ENV --state STATE"),
    Reason.DEPLOYMENT_FAILED: ("not all tasks came up", "the first fault names task and host"),
    Reason.TRANSITION_FAILED: ("a critical task or call failed in a transition; the environment is in ERROR",
                               "the first fault names task and host; then env destroy ENV"),
    Reason.DETECTOR_IN_USE: ("another environment holds the detector", "env ls | where detectors=NAME"),
    Reason.RESOURCES_MISSING: ("no host offers what a task wants", "hosts; templ vars NAME"),
    Reason.TEMPLATE_NOT_FOUND: ("no repository has this template in this revision", "templ ls -a; repo refresh"),
    Reason.TEMPLATE_BROKEN: ("the template cannot be read", "the message names file and line"),
    Reason.VARIABLE_MISSING: ("the template wants a variable that nobody gave", "templ vars NAME; env create -e NAME=VALUE"),
    Reason.HOST_UNKNOWN: ("a host that was named is not in the inventory", "hosts"),
    Reason.TEARDOWN_FAILED: ("the environment could not be taken down cleanly", "env destroy ENV --force"),
    Reason.KILL_FAILED: ("some tasks could not be killed", "task ls, then task clean ID"),
    Reason.DEADLINE: ("it took longer than it may", "the slowest task or call is named; is its host well?"),
}  # fmt: skip
