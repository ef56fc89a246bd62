"""Broken copies of templates: what hands do to a file, and what a disk or an editor does, by a seed."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

INTERNAL = re.compile(
    r"Traceback|object at 0x|Errno|\b(Key|Index|Attribute|Type|Value|Recursion|Assertion)Error\b|<class"
)
"""What no message for people has."""
FLOW = """\
name: !public {name}
description: !public Two hosts and what they include
defaults:
  mode: !public {{value: "fast", type: string, widget: dropDownBox, values: ["fast", "slow"], visibleif: $$on === "true"}}
  on: !public {{value: "true", type: bool}}
vars:
  both: "{{{{ mode + '-' + on }}}}"
roles:
  - name: host-{{{{ it }}}}
    for:
      range: "{{{{ hosts }}}}"
      var: it
    vars:
      detector: "{{{{ strings.ToLower(inventory.DetectorForHost(it)) }}}}"
    constraints:
      - attribute: machine_id
        value: "{{{{ it }}}}"
    roles:
      - name: source
        bind:
          - name: out
            type: push
            global: out-{{{{ it }}}}
        task:
          load: source
      - name: parts
        enabled: "{{{{ on == 'true' }}}}"
        include: part
      - name: late
        task:
          load: sink
          trigger: before_STOP_ACTIVITY+5
          timeout: 10s
          critical: false
  - name: run
    call:
      func: odc.Start()
      trigger: START_ACTIVITY
      await: START_ACTIVITY
      timeout: "{{{{ mode == 'fast' ? '1s' : '2s' }}}}"
"""
PART = """\
name: part
defaults:
  size: 10
roles:
  - name: sink-{{ n }}
    for: {begin: 0, end: "{{ '1' }}", var: n}
    connect:
      - name: in
        type: pull
        target: "::out-{{ it }}"
    task: {load: sink}
"""
TASK = """\
name: {name}
defaults:
  level: "3"
vars:
  text: "{{{{ level }}}} {{{{ environment_id }}}}"
control:
  mode: {mode}
wants:
  cpu: 0.5
  memory: 64
properties:
  severity: "{{{{ level }}}}"
{channel}command:
  env:
    - A={{{{ text }}}}
  shell: true
  stdout: all
  value: "{{{{ len(text) > 0 ? 'run' : '' }}}}"
  arguments:
    - --level
    - "{{{{ level }}}}"
"""

Mutation = Callable[[random.Random, str], str]

_WORDS = (
    "null", "~", "[]", "{}", "[a, b]", "{a: b}", "'{{ nope }}'", "\"{{ strings.Nope('a') }}\"", "'{{ nope() }}'",
    "'{{ 1 + }}'", "'{{'", "'{{ Up(99).Path }}'", "'{{ Parent().Parent() }}'", "&a [*a]", "*nowhere", "!public x",
    "!!binary '*'", "-1", "1e999", "0x", ".nan", "'[\"a\"'", "'[1, [2]]'", "'\x85'", "é", "|", ">", "!public {value: [a]}",
    "!public {type: x, values: {a: b}, index: z}", "before_CONFIGURE+", "+", "@", "a@b@c", "../../x", "''", "\t", "?", "%", "# x",
)  # fmt: skip
_BYTES = (
    "\x00",
    "\x1b",
    "\ufeff",
    "\u2028",
    "\x85",
    "\r",
    "\t",
    "{",
    "}",
    "[",
    "]",
    "'",
    '"',
    ":",
    "-",
    "#",
    "&",
    "*",
    "!",
)
_KEYS = (
    "name",
    "roles",
    "task",
    "call",
    "include",
    "for",
    "enabled",
    "defaults",
    "vars",
    "bind",
    "connect",
    "constraints",
)


def _line(rng: random.Random, lines: list[str]) -> int:
    return rng.randrange(max(len(lines), 1))


def drop_line(rng: random.Random, text: str) -> str:
    lines = text.split("\n")
    del lines[_line(rng, lines)]
    return "\n".join(lines)


def double_line(rng: random.Random, text: str) -> str:
    lines = text.split("\n")
    at = _line(rng, lines)
    return "\n".join([*lines[: at + 1], *lines[at:]])


def swap_lines(rng: random.Random, text: str) -> str:
    lines = text.split("\n")
    one, other = _line(rng, lines), _line(rng, lines)
    lines[one], lines[other] = lines[other], lines[one]
    return "\n".join(lines)


def indent(rng: random.Random, text: str) -> str:
    lines = text.split("\n")
    at = _line(rng, lines)
    for number in range(at, min(at + rng.choice((1, 1, 3)), len(lines))):
        lines[number] = rng.choice((f" {lines[number]}", f"  {lines[number]}", lines[number][1:], f"\t{lines[number]}"))
    return "\n".join(lines)


def other_value(rng: random.Random, text: str) -> str:
    return _replaced(rng, text, r":[ ]+([^\n]+)", _WORDS)


def other_key(rng: random.Random, text: str) -> str:
    return _replaced(rng, text, r"\b(\w+):", (*_KEYS, *_WORDS))


def _replaced(rng: random.Random, text: str, pattern: str, words: Sequence[str]) -> str:
    found = list(re.finditer(pattern, text))
    if not found:
        return text
    place = rng.choice(found)
    return f"{text[: place.start(1)]}{rng.choice(words)}{text[place.end(1) :]}"


def other_expression(rng: random.Random, text: str) -> str:
    found = list(re.finditer(r"\{\{(.*?)\}\}", text))
    if not found:
        return text
    body = rng.choice(found)
    inside = list(body[1])
    if inside:
        inside[rng.randrange(len(inside))] = rng.choice(
            ("", "(", ")", "'", "+ 1 ", ".", "[0]", "?", "nope", "!", " = ", "\\")
        )
    return f"{text[: body.start(1)]}{''.join(inside)}{text[body.end(1) :]}"


def circle(rng: random.Random, text: str) -> str:
    name = re.search(r"^name: (?:!public )?(\S+)", text, re.MULTILINE)
    inner = f"roles:\n  - name: again\n    include: {name[1] if name else 'x'}\n"
    return re.sub(r"^roles:\n", lambda _: inner, text, count=1, flags=re.MULTILINE)


def cut(rng: random.Random, text: str) -> str:
    return text[: rng.randrange(len(text) + 1)]


def one_byte(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(_BYTES) + text[at + rng.choice((0, 1)) :]


MUTATIONS: tuple[Mutation, ...] = (
    drop_line, double_line, swap_lines, indent, other_value, other_value, other_key, other_expression, circle, cut, one_byte,
)  # fmt: skip


def right(folder: Path) -> Path:
    """Write a repository without a mistake, of two workflows and two tasks, into a folder; returns it."""
    channel = "bind:\n  - {name: more, type: pub, addressing: ipc}\n"
    texts = {
        "workflows/flow.yaml": FLOW.format(name="flow"),
        "workflows/part.yaml": PART,
        "tasks/source.yaml": TASK.format(name="source", mode="direct", channel=channel),
        "tasks/sink.yaml": TASK.format(name="sink", mode="basic", channel=""),
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@contextmanager
def broken(folder: Path, seed: int, files: Sequence[str] = ()) -> Iterator[str]:
    """Break one file of a folder for a while; gives what was done.

    Args:
        files: which may be broken, relative to the folder; none for any template.
    """
    rng = random.Random(seed)
    path = folder / rng.choice(sorted(files or (str(path.relative_to(folder)) for path in folder.rglob("*.yaml"))))
    before = path.read_bytes()
    text = before.decode("utf-8")
    done: list[str] = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        mutation = rng.choice(MUTATIONS)
        text = mutation(rng, text)
        done.append(mutation.__name__)
    data = text.encode("utf-8")
    if rng.random() < 0.02:
        data += b"\xff\xfe"
        done.append("no UTF-8")
    path.write_bytes(data)
    try:
        yield f"seed {seed}: {path.name} {', '.join(done)}"
    finally:
        path.write_bytes(before)
