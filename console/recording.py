"""A recording opened for reading: checked and indexed once, then read from any moment on without what comes before.

What a line holds: recording_lines.py. Playing it: sources/replay.py. Everything here may block: it reads a file.
"""

from __future__ import annotations

import json
import math
import os
from array import array
from bisect import bisect_right
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from console.recording_lines import MAX_LINE_BYTES, SCHEMA, Act, Header, digest
from server.api.batch_json import from_json
from server.api.errors import ConfigError
from server.api.model import Batch


class Mark(NamedTuple):
    """A moment with a name."""

    t: float
    text: str


Rates = dict[str, list[tuple[float, float]]]
"""Unix seconds and bytes per second, by environment."""


class Moment(NamedTuple):
    """A batch and when it came, in seconds since the start."""

    t: float
    batch: Batch
    is_jump: bool = False
    """It does not follow from what was shown before, which is to be forgotten."""
    rates: Rates | None = None
    """Of a jump: what to remember of the data rates before it, by environment; None if that is not told."""


class _Place(NamedTuple):
    """Where a line with a batch stands."""

    number: int
    offset: int
    length: int


class Recording:
    """One file, open until closed.

    Attributes:
        warnings: what is not as it was written, with line numbers; the rest can be played all the same.
        duration_s: from the start to the last line.
        count: of lines with batches; they are named by their index.
    """

    def __init__(self, path: Path) -> None:
        """Check and index the file.

        Raises:
            ConfigError: it cannot be read or is no recording; names the line.
        """
        self.path = path
        self.header = Header(started="1970-01-01T00:00:00Z")
        self.warnings: list[str] = []
        self.marks: list[Mark] = []
        self.acts: list[tuple[float, Act]] = []
        self.duration_s = 0.0
        self.size_bytes = 0
        self._times = array("d")
        self._places = array("q")
        """Number, offset and length, one after the other."""
        self._pictures: dict[int, int] = {}
        """Whole pictures: index of the first line, and of the line after the last one. Straight play passes them over."""
        self._in_pictures: set[int] = set()
        self._gaps: set[int] = set()
        """Indices where something was left out before."""
        self._begun: int | None = None
        """Where the picture began that is being indexed."""
        self._last_hash = ""
        self._is_chained = True
        self._is_in_order = True
        self._is_closed = False
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror or error}") from error
        try:
            self._index()
        except OSError as error:
            self.close()
            raise ConfigError(f"{path}: {error.strerror or error}") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file; once is enough, more do not harm."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    @property
    def count(self) -> int:
        return len(self._times)

    def time(self, index: int) -> float:
        """Return when the batch of a line came, infinite behind the last one."""
        return self._times[index] if index < len(self._times) else math.inf

    def place(self, t: float) -> int:
        """Return the index from which to read afresh so as to show the moment ``t``."""
        starts = self.pictures
        at = bisect_right(starts, t, key=self._times.__getitem__)
        return starts[at - 1] if at else 0

    @property
    def pictures(self) -> list[int]:
        """Indices at which a picture begins."""
        return list(self._pictures)

    def read(self, index: int, count: int, *, is_afresh: bool = False) -> tuple[list[Moment], int]:
        """Return about ``count`` moments from an index on, and the index to go on from.

        Args:
            is_afresh: nothing that came before is known; the index is 0 or one that ``place`` gave.

        Raises:
            ConfigError: a line does not hold what it should.
        """
        moments: list[Moment] = []
        while index < self.count and len(moments) < count:
            is_jump = is_afresh or index in self._gaps
            if index not in self._in_pictures:
                moments.append(self._moment(index, is_jump))
                index, is_afresh = index + 1, False
                continue
            end = self._pictures.get(index, index + 1)
            if is_jump and index in self._pictures:
                moments += [self._moment(at, at == index) for at in range(index, end)]
                is_afresh = False
            index = end
        return moments, index

    # ---- reading -----------------------------------------------------------------------------

    def _moment(self, index: int, is_jump: bool) -> Moment:
        place = _Place(*self._places[3 * index : 3 * index + 3])
        try:
            data = os.pread(self._fd, place.length, place.offset)
        except OSError as error:
            self._fail(place.number, f"cannot be read: {error.strerror or error}")
        value = self._parse(data, place.number)
        try:
            batch = from_json(value.get("batch") or value.get("picture") or {})
        except ValueError as error:
            self._fail(place.number, str(error))
        rates = self._rates(value.get("rates"), place.number) if is_jump else None
        return Moment(self._times[index], batch, is_jump, rates)

    def _rates(self, value: Any, number: int) -> Rates | None:
        if value is None:
            return None
        try:
            return {name: [(float(at_s), float(it)) for at_s, it in points] for name, points in value.items()}
        except (AttributeError, TypeError, ValueError):
            self._fail(number, "rates are no lists of times and rates by environment")

    def _index(self) -> None:
        with open(self._fd, "rb", closefd=False) as file:
            offset, number = 0, 0
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    self._fail(number, f"longer than {MAX_LINE_BYTES // 1024 // 1024} MiB")
                if number == 1:
                    self.header = self._read_header(line)
                elif not self._take(_Place(number, offset, len(line)), line):
                    break
                self._last_hash = digest(line.rstrip(b"\n"))
                offset += len(line)
        self.size_bytes = os.fstat(self._fd).st_size
        if not number:
            raise ConfigError(f"{self.path}: empty, so no recording")
        if not self._is_closed:
            self.warnings.append("it does not end properly: what came last may be missing")

    def _read_header(self, line: bytes) -> Header:
        value = self._parse(line, 1)
        schema = value.get("schema")
        if schema != SCHEMA:
            if isinstance(schema, str) and schema.startswith(SCHEMA.partition("/")[0] + "/"):
                self._fail(1, f"this is {schema}, and this console reads {SCHEMA}")
            self._fail(1, f"not a recording: schema is {schema!r}, expected {SCHEMA!r}")
        texts = {name: str(value.get(name) or "") for name in ("version", "endpoint", "instance", "user")}
        header = Header(started=str(value.get("started")), redacted=(), **texts)
        try:
            _ = header.started_s
        except ValueError:
            self._fail(1, f"started is {value.get('started')!r}, not a time with its zone")
        return header

    def _take(self, place: _Place, line: bytes) -> bool:
        """Index one line; False for a last one that is cut short."""
        try:
            value = self._parse(line, place.number)
        except ConfigError:
            if line.endswith(b"\n"):
                raise
            self.warnings.append(f"line {place.number}: cut short, left out")
            return False
        if self._is_chained and value.get("prev") != self._last_hash:
            self._is_chained = False
            self.warnings.append(f"line {place.number}: does not follow from the one before: the file was changed")
        t = value.get("t")
        if isinstance(t, bool) or not isinstance(t, int | float) or not 0 <= t < 1e9:
            self._fail(place.number, f"t is {t!r}, not seconds since the start")
        if self._is_in_order and t < self.duration_s:
            self._is_in_order = False
            self.warnings.append(f"line {place.number}: the time goes back by {self.duration_s - t:.3f} s")
        self.duration_s = max(self.duration_s, float(t))
        if "batch" in value or "picture" in value:
            self._take_batch(place, value)
        elif "gap" in value:
            self._gaps.add(self.count)
        elif isinstance(value.get("mark"), str):
            self.marks.append(Mark(self.duration_s, value["mark"]))
        elif isinstance(value.get("act"), dict):
            self._take_act(value["act"])
        self._is_closed = "end" in value
        return True

    def _take_batch(self, place: _Place, value: dict[str, Any]) -> None:
        is_picture = "batch" not in value
        batch = value["picture" if is_picture else "batch"]
        if not isinstance(batch, dict):
            self._fail(place.number, "the batch is no object")
        index = self.count
        self._times.append(self.duration_s)
        self._places.extend(place)
        part = batch.get("part") if is_picture else ""
        if part == "BEGIN":
            self._begun = index
        elif part == "END" and self._begun is not None:
            self._pictures[self._begun] = index + 1
        if part in ("", "END"):
            self._begun = None
        if is_picture:
            self._in_pictures.add(index)

    def _take_act(self, value: dict[str, Any]) -> None:
        texts = {name: str(value.get(name, "")) for name in ("verb", "target", "outcome")}
        level = value.get("level")
        self.acts.append((self.duration_s, Act(**texts, level=level if isinstance(level, int) else 0)))

    def _parse(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            value = json.loads(line)
        except UnicodeDecodeError:
            self._fail(number, "not JSON: not UTF-8")
        except RecursionError:
            self._fail(number, "not JSON: nested too deeply")
        except ValueError as error:
            self._fail(number, f"not JSON: {error}")
        if not isinstance(value, dict):
            self._fail(number, "not an object of JSON")
        return value

    def _fail(self, number: int, reason: str) -> NoReturn:
        raise ConfigError(f"{self.path}:{number}: {reason}")
