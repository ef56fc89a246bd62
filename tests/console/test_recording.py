"""Reading recordings: what is in them, from any moment on, and what is said of files that are broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from stories import START_MS, STARTED, played, seen, story, write

from console import recording_lines
from console.recording import Recording
from console.recording_lines import LEFT_OUT, SCHEMA, Chain, Header, redact
from console.snapshot import rates, snapshot
from console.store import Store
from server.api.batch_json import to_json
from server.api.errors import ConfigError
from server.api.model import Part


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "story.jsonl"
    write(path, story(60), marks={5.0: "five", 9.0: "nine"})
    return path


def test_what_was_written_is_read(file: Path) -> None:
    recording = Recording(file)
    header = recording.header
    assert (header.started, header.endpoint, header.instance, header.user) == (STARTED, "core:1", "story", "ada@p2")
    assert header.started_s == START_MS / 1000
    assert [(mark.t, mark.text) for mark in recording.marks] == [(5.0, "five"), (9.0, "nine")]
    assert [(act.verb, act.target, act.level, act.outcome) for _, act in recording.acts] == [
        ("env start", "2env0", 2, "done")
    ]
    assert recording.warnings == [] and recording.count == 62
    straight = Store()
    for _, batch in story(60):
        straight.apply(batch)
    shown = seen(played(recording))
    events = shown.pop("events")
    expected = seen(straight)
    assert shown == {key: value for key, value in expected.items() if key != "events"}
    assert len(events) == len(expected["events"]) and {it.vars["dcs_password"] for it in events} == {LEFT_OUT}
    recording.close()
    recording.close()


def picture(chain: Chain, t: float, store: Store) -> list[bytes]:
    remembered = rates(store)
    return [
        chain.entry(t, "picture", to_json(one), **({"rates": remembered} if one.part is Part.BEGIN else {}))
        for one in snapshot(store)
    ]


def test_a_picture_on_the_way_shows_the_same_as_all_that_came_before(tmp_path: Path) -> None:
    chain = Chain(redacted=())
    lines = [chain.header(Header(started=STARTED))]
    store = Store()
    for number, (t, batch) in enumerate(story(80)):
        if number % 20 == 19:
            lines += picture(chain, t, store)
        lines.append(chain.entry(t, "batch", to_json(batch)))
        store.apply(batch)
    path = tmp_path / "pictures.jsonl"
    path.write_bytes(b"".join(lines))
    recording = Recording(path)
    assert seen(played(recording)) == seen(store)
    for t in (0.0, 3.7, 12.0, 20.1, recording.duration_s):
        place = recording.place(t)
        assert seen(played(recording, place, t)) == seen(played(recording, 0, t))
    assert recording.place(recording.duration_s) > 60 and recording.place(0.0) == 0


def test_after_a_gap_the_picture_that_follows_it_is_shown(tmp_path: Path) -> None:
    chain = Chain(redacted=())
    lines = [chain.header(Header(started=STARTED))]
    store = Store()
    for number, (t, batch) in enumerate(story(60)):
        store.apply(batch)
        if not 20 <= number < 40:
            lines.append(chain.entry(t, "batch", to_json(batch)))
        if number == 39:
            lines.append(chain.entry(t, "gap", 20))
            lines += picture(chain, t, store)
    path = tmp_path / "gap.jsonl"
    path.write_bytes(b"".join(lines))
    assert seen(played(Recording(path))) == seen(store)


# ---- broken files --------------------------------------------------------------------------------

HEADER = json.dumps({"schema": SCHEMA, "started": STARTED}).encode()
BATCH = b'{"t":1.0,"batch":{"epoch":"e","seq":"1"}}'


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"", "", "empty, so no recording"),
        (b"\x7fELF\x00\xff\n", ":1", "not JSON"),
        (b"hello\n", ":1", "not JSON"),
        (b"[1]\n", ":1", "not an object"),
        (b'{"a":1}\n', ":1", f"not a recording: schema is None, expected '{SCHEMA}'"),
        (b'{"schema":["x"]}\n', ":1", "not a recording"),
        (b'{"schema":"aliecs.recording/2"}\n', ":1", f"this is aliecs.recording/2, and this console reads {SCHEMA}"),
        (json.dumps({"schema": SCHEMA, "started": "noon"}).encode() + b"\n", ":1", "started is 'noon'"),
        (json.dumps({"schema": SCHEMA, "started": "2026-01-01T00:00:00"}).encode() + b"\n", ":1", "with its zone"),
        (HEADER + b"\n" + b'{"t":1.0,"batch":{}\n' + BATCH + b"\n", ":2", "not JSON"),
        (HEADER + b"\n" + BATCH + b"\n" + b'"x"\n', ":3", "not an object"),
        (HEADER + b"\n" + b'{"batch":{}}\n', ":2", "t is None"),
        (HEADER + b"\n" + b'{"t":true,"batch":{}}\n', ":2", "t is True"),
        (HEADER + b"\n" + b'{"t":-1,"batch":{}}\n', ":2", "t is -1"),
        (HEADER + b"\n" + b'{"t":NaN,"batch":{}}\n', ":2", "t is nan"),
        (HEADER + b"\n" + b'{"t":1,"batch":[]}\n', ":2", "the batch is no object"),
        (HEADER + b"\n" + b'{"t":' + b"[" * 100_000 + b"\n", ":2", "nested too deeply"),
    ],
)  # fmt: skip
def test_a_broken_file_is_named_with_line_and_reason(tmp_path: Path, content: bytes, line: str, reason: str) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        Recording(path)
    assert caught.value.message.startswith(f"{path}{line}: ") and reason in caught.value.message


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        Recording(tmp_path / "none.jsonl")
    with pytest.raises(ConfigError, match="Is a directory"):
        Recording(tmp_path)


def test_a_line_that_is_far_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.recording.MAX_LINE_BYTES", 1024 * 1024)
    path = tmp_path / "long.jsonl"
    path.write_bytes(HEADER + b"\n" + b'{"t":1,"mark":"' + b"x" * 1024 * 1024 + b'"}\n')
    with pytest.raises(ConfigError, match=":2: longer than 1 MiB"):
        Recording(path)


def test_a_batch_that_holds_what_it_cannot_hold_is_named_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_bytes(HEADER + b"\n" + BATCH + b"\n" + b'{"t":2,"batch":{"seq":"many"}}\n')
    recording = Recording(path)
    assert len(recording.read(0, 1)[0]) == 1
    with pytest.raises(ConfigError, match=r":3: .*seq"):
        recording.read(1, 1)


def test_rates_that_are_none_are_named_when_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    for odd in (b"[]", b'{"2env":[1]}', b'{"2env":[["x",1]]}', b'{"2env":[[1,2,3]]}', b"7"):
        path.write_bytes(HEADER + b"\n" + BATCH[:-1] + b',"rates":' + odd + b"}\n")
        with pytest.raises(ConfigError, match=":2: rates are no lists"):
            Recording(path).read(0, 1, is_afresh=True)


def test_what_a_newer_version_wrote_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "newer.jsonl"
    newer = b'{"t":2,"batch":{"epoch":"e","seq":"2","mood":"good","changes":[{"weather":{}},{"core":{"x":1}}]}}\n'
    path.write_bytes(HEADER + b"\n" + b'{"t":1,"weather":{}}\n' + newer)
    recording = Recording(path)
    (moment,), _ = recording.read(0, 10)
    assert moment.batch.seq == 2 and len(moment.batch.changes) == 1


def changed_text(lines: list[bytes]) -> list[bytes]:
    return [*lines[:9], lines[9].replace(b"CONFIGURED", b"RUNNING").replace(b"epoch-1", b"epoch-7"), *lines[10:]]


def one_left_out(lines: list[bytes]) -> list[bytes]:
    return [*lines[:10], *lines[11:]]


@pytest.mark.parametrize("change", [changed_text, one_left_out])
def test_a_file_that_was_changed_is_played_with_a_warning(
    tmp_path: Path, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    path = tmp_path / "changed.jsonl"
    lines = write(path, story(60))
    path.write_bytes(b"".join(change(lines)))
    assert Recording(path).warnings == ["line 11: does not follow from the one before: the file was changed"]


def test_a_file_without_its_end_is_played_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    lines = write(path, story(60))
    missing = "it does not end properly: what came last may be missing"
    path.write_bytes(b"".join(lines[:30]))
    assert Recording(path).warnings == [missing]
    path.write_bytes(b"".join(lines[:30])[:-20])
    recording = Recording(path)
    assert recording.warnings == ["line 30: cut short, left out", missing]
    assert recording.count == 28


def test_time_that_goes_back_is_told_and_held(tmp_path: Path) -> None:
    path = tmp_path / "back.jsonl"
    path.write_bytes(HEADER + b"\n" + BATCH + b"\n" + BATCH.replace(b"1.0", b"0.5") + b"\n")
    recording = Recording(path)
    assert [recording.time(0), recording.time(1), recording.duration_s] == [1.0, 1.0, 1.0]
    assert "line 3: the time goes back by 0.500 s" in recording.warnings


# ---- lines ---------------------------------------------------------------------------------------


def test_secrets_are_left_out_by_the_name_of_the_variable_and_credentials_by_their_place() -> None:
    value = {"vars": {"DCS_Password": "x", "api_token_2": "y", "secret": "", "rate": "5"}, "list": [{"tokens": "z"}]}
    assert redact(value, recording_lines.REDACTED) == {
        "vars": {"DCS_Password": LEFT_OUT, "api_token_2": LEFT_OUT, "secret": "", "rate": "5"},
        "list": [{"tokens": LEFT_OUT}],
    }
    line = Chain().entry(1.0, "mark", "consul at http://ada:pass@host:8500/a@b and mail to x@y")
    assert json.loads(line)["mark"] == f"consul at http://{LEFT_OUT}@host:8500/a@b and mail to x@y"
