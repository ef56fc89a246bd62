"""Where settings come from, which of them wins, and what is said about wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from console import settings
from console.settings import Settings, overlaid


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the settings of a user who has set nothing."""
    for name in ("NO_COLOR", "TERM", "ALIECS_CONSOLE_CONFIG", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in Settings.__dataclass_fields__:
        monkeypatch.delenv(f"ALIECS_CONSOLE_{name.upper()}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made = tmp_path / "aliecs"
    made.mkdir()
    return made


def write(home: Path, text: str) -> Path:
    file = home / "settings.toml"
    file.write_text(text)
    return file


def test_without_a_file_there_are_defaults() -> None:
    assert settings.load() == (Settings(), "")


def test_an_option_beats_a_variable_beats_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, "theme = 'light'\nascii = true\nstale_s = 7\narm_s = 60.5\n")
    known, problem = settings.load()
    assert (known.theme, known.ascii, known.stale_s, known.arm_s, problem) == ("light", True, 7.0, 60.5, "")
    monkeypatch.setenv("ALIECS_CONSOLE_THEME", "okabe-ito")
    monkeypatch.setenv("ALIECS_CONSOLE_ASCII", "no")
    monkeypatch.setenv("ALIECS_CONSOLE_STALE_S", "8.5")
    known, problem = settings.load()
    assert (known.theme, known.ascii, known.stale_s, problem) == ("okabe-ito", False, 8.5, "")
    assert overlaid(known, theme="mine").theme == "mine"


def test_who_wants_no_colour_gets_the_theme_without(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, "theme = 'light'\n")
    monkeypatch.setenv("NO_COLOR", "1")
    known = settings.load()[0]
    assert known.theme == "mono" and known.no_color and known.is_colourless
    monkeypatch.setenv("ALIECS_CONSOLE_THEME", "dark")
    known = settings.load()[0]
    assert known.theme == "dark" and known.no_color and not known.is_colourless
    monkeypatch.delenv("ALIECS_CONSOLE_THEME")
    assert overlaid(settings.load()[0], theme="light").theme == "light"


def test_an_empty_no_color_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    assert settings.load()[0] == Settings()


def test_the_file_can_ask_for_no_colour_too(home: Path) -> None:
    write(home, "no_color = true\n")
    assert settings.load()[0].theme == "mono"
    write(home, "no_color = true\ntheme = 'light'\n")
    assert settings.load()[0].theme == "light"


def test_a_dumb_terminal_gets_no_colour_plain_signs_and_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    known = settings.load()[0]
    assert (known.theme, known.no_color, known.ascii, known.reduced_motion) == ("mono", True, True, True)
    monkeypatch.setenv("ALIECS_CONSOLE_ASCII", "false")
    assert not settings.load()[0].ascii


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("theme = 'light'\nstale_s = 0\n", ":2: stale_s: expected seconds above 0, found 0.0"),
        ("arm_s = inf\n", ":1: arm_s: expected seconds above 0, found inf"),
        ("\ntheem = 'light'\n", ":2: no setting 'theem' (did you mean theme?)"),
        ("zzz = 1\n", ":1: no setting 'zzz' (there are endpoint, "),
        ("wait = 1\nascii = 'yes'\n", ":1: no setting 'wait'"),
        ("wait_s = 1\nascii = 'yes'\n", ":2: Expected `bool`, got `str`"),
        ("theme = light\n", ":1: "),
        ("ascii = true\nascii = false\n", ":2: "),
        ("[theme]\nname = 'light'\n", ":1: "),
        ("theme = 'light", ":1: "),
    ],
)
def test_a_wrong_file_is_named_with_its_line_and_defaults_are_used(home: Path, text: str, said: str) -> None:
    file = write(home, text)
    known, problem = settings.load()
    assert known == Settings() and f"{file}{said}" in problem and problem.endswith("; using defaults")


def test_a_file_that_is_no_text_is_named(home: Path) -> None:
    file = home / "settings.toml"
    file.write_bytes(b"theme = '\xff'\n")
    known, problem = settings.load()
    assert known == Settings() and str(file) in problem and "can't decode" in problem


def test_a_wrong_variable_is_named_and_the_others_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIECS_CONSOLE_STALE_S", "soon")
    monkeypatch.setenv("ALIECS_CONSOLE_ASCII", "maybe")
    monkeypatch.setenv("ALIECS_CONSOLE_THEME", "light")
    known, problem = settings.load()
    assert known == Settings(theme="light")
    assert "ALIECS_CONSOLE_STALE_S: expected seconds above 0, found 'soon'; passed over" in problem
    assert "ALIECS_CONSOLE_ASCII: expected yes or no, found 'maybe'; passed over" in problem


def test_recordings_go_to_the_users_data_unless_a_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.recordings_folder(Settings()) == str(tmp_path / ".local/share/aliecs/recordings")
    assert settings.recordings_folder(Settings(recordings="~/seen")) == str(tmp_path / "seen")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert settings.recordings_folder(Settings()) == "/data/aliecs/recordings"
