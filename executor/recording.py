"""The Agent's stimuli as JSON lines, written by the runner, and their replay: ``python -m executor.recording FILE``.

First line: who the executor was and its settings. Then one line per event: ``{"event": ..., "instructions": [...]}``.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from executor.agent import Agent
from executor.settings import Identity, Settings
from executor.stimuli import AnyEvent, AnyInstruction

_LOG = logging.getLogger(__name__)


class Header(msgspec.Struct, frozen=True):
    """With what the Agent was made."""

    identity: Identity
    settings: Settings


class Step(msgspec.Struct, frozen=True):
    """One event and what it led to."""

    event: AnyEvent
    instructions: list[AnyInstruction]


class Recorder:
    """Writes one recording; every line reaches the file at once. It ends where the file takes no more, which is logged."""

    def __init__(self, path: Path, identity: Identity, settings: Settings) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file: BinaryIO = path.open("wb", buffering=0)
        self._encoder = msgspec.json.Encoder()
        self._line(Header(identity, settings))

    def write(self, event: AnyEvent, instructions: list[AnyInstruction]) -> None:
        self._line(Step(event, instructions))

    def close(self) -> None:
        self._file.close()

    def _line(self, value: msgspec.Struct) -> None:
        if self._file.closed:
            return
        line = self._encoder.encode(value) + b"\n"
        try:
            written = self._file.write(line)
        except OSError as error:
            _LOG.error("recording=%s ends here error=%r", self._path, error.strerror)
            self.close()
            return
        if written != len(line):
            _LOG.error("recording=%s ends within a line: its disk is full", self._path)
            self.close()


def replay(path: Path) -> Iterator[tuple[Step, list[AnyInstruction]]]:
    """Yield each recorded step and what a new Agent does at the same event."""
    with path.open("rb") as file:
        header = msgspec.json.decode(next(file), type=Header)
        agent = Agent(header.identity, header.settings)
        decoder = msgspec.json.Decoder(Step)
        for line in file:
            step = decoder.decode(line)
            yield step, agent.handle(step.event)


def main(arguments: list[str]) -> int:
    """Replay files; write every instruction as one JSON line; return 1 if a step differs from its recording."""
    differing = 0
    encoder = msgspec.json.Encoder()
    for name in arguments:
        for number, (step, instructions) in enumerate(replay(Path(name)), start=2):
            for instruction in instructions:
                sys.stdout.buffer.write(encoder.encode(instruction) + b"\n")
            if instructions != step.instructions:
                differing += 1
                sys.stderr.write(
                    f"{name}:{number}: differs at {step.event}\n  was {step.instructions}\n  is  {instructions}\n"
                )
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
