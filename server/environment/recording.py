"""Recordings of decisions as JSON lines, and their replay: ``python -P -m server.environment.recording FILE``.

Every line is a stimulus with the instructions it gave; replayed in another process it must give the same again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import msgspec

from server.environment import instructions as do
from server.environment.advance import advance
from server.environment.environment import Environment
from server.environment.stimuli import AnyStimulus, Created, encode

VARIABLE = "ALIECS_RECORD_STIMULI"
"""Environment variable that names the folder for recordings; unset: none are made."""


class StimulusRecorder:
    """Writes one file per environment, ``environment-<id>.jsonl``: ``{"event": ..., "instructions": [...]}`` per line."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._files: dict[str, IO[bytes]] = {}

    @classmethod
    def from_environment(cls) -> StimulusRecorder:
        """Return a recorder for the folder that the environment variable names."""
        named = os.environ.get(VARIABLE)
        return cls(Path(named) if named else None)

    def record(self, environment_id: str, stimulus: AnyStimulus, decided: list[do.AnyInstruction]) -> None:
        """Append one decision; does nothing without a folder."""
        if self._folder is None:
            return
        file = self._files.get(environment_id)
        if file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = self._files[environment_id] = (self._folder / f"environment-{environment_id}.jsonl").open("ab")
        instructions = b",".join(do.encode(one) for one in decided)
        file.write(b'{"event":%b,"instructions":[%b]}\n' % (encode(stimulus), instructions))
        file.flush()
        if decided and isinstance(decided[-1], do.Gone):
            self._files.pop(environment_id).close()

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()


class Step(msgspec.Struct, frozen=True):
    """One line of a recording."""

    event: AnyStimulus
    instructions: list[msgspec.Raw]


def replay(path: Path) -> Iterator[tuple[Step, list[bytes]]]:
    """Yield each recorded step and the instructions that a new environment gives for the same stimulus, serialised."""
    decoder = msgspec.json.Decoder(Step)
    environment: Environment | None = None
    for line in path.read_bytes().splitlines():
        step = decoder.decode(line)
        if isinstance(step.event, Created):
            environment = Environment.begin(step.event)
        assert environment is not None, "a recording begins with the creation"
        yield step, [do.encode(one) for one in advance(environment, step.event)]


def main(arguments: Sequence[str]) -> int:
    """Replay files and write every instruction as a line; returns 1 if a step differs from its recording."""
    differing = 0
    for name in arguments:
        for number, (step, decided) in enumerate(replay(Path(name)), start=1):
            for instruction in decided:
                sys.stdout.buffer.write(instruction + b"\n")
            if [bytes(one) for one in step.instructions] != decided:
                differing += 1
                sys.stderr.write(f"{name}:{number}: other instructions than recorded for {step.event}\n")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
