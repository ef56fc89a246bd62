"""Theme files: what is shipped, what a broken one leads to, and how themes build on each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from console import themes
from console.present import CRITICAL_ERROR, LOOKS
from console.tui.looks import Styles, default_variables, screen_theme, variables_of
from occ.errors import ConfigError

NAMES = ("dark", "light", "mono", "okabe-ito")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the user's folder of themes, empty."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made = tmp_path / "aliecs" / "themes"
    made.mkdir(parents=True)
    return made


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(text)
    return file


@pytest.mark.usefixtures("folder")
def test_the_shipped_themes_are_sound() -> None:
    assert themes.names() == list(NAMES)
    for name in NAMES:
        loaded = themes.load(name)
        assert loaded.problem == "" and loaded.theme.name == name


def test_a_theme_of_the_user_says_only_what_differs(folder: Path) -> None:
    write(folder, "mine", "name: mine\nextends: light\ncolours: {accent: '#123'}\nstates:\n  RUNNING: {bold: false}\n")
    mine, light = themes.read("mine"), themes.read("light")
    assert mine.colours.accent == "#112233" and mine.styles["accent"].fg == "#112233"
    assert mine.states["RUNNING"].fg == light.states["RUNNING"].fg and not mine.states["RUNNING"].bold
    assert mine.states["ERROR"] == light.states["ERROR"] and not mine.dark
    assert "mine" in themes.names()


def test_a_theme_of_the_user_may_build_on_the_shipped_one_of_the_same_name(folder: Path) -> None:
    mine = write(folder, "dark", "name: dark\nextends: dark\ncolours: {accent: '#ffffff'}\n")
    theme = themes.read("dark")
    assert theme.colours.accent == "#ffffff"
    assert theme.files == (str(mine), str(themes.shipped() / "dark.yaml"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: mine\nextends: drak\n", ":2:1: extends: drak: no such theme (did you mean dark?)"),
        ("name: other\nextends: dark\n", ":1:1: name: expected mine, as the file is called, found 'other'"),
        ("extends: dark\n", "name: expected mine, as the file is called, found 'nothing'"),
        ("name: mine\nextends: dark\ncolour: {}\n", ":3:1: colour: not known; did you mean colours?"),
        ("name: mine\nextends: dark\ndark: maybe\n", ":3:1: dark: expected true or false, found 'maybe'"),
        (
            "name: mine\nextends: dark\ncolours:\n  accent: '#12345'\n",
            ":4:3: colours.accent: expected a colour, #rrggbb or one of ansi_red, ansi_bright_red, ..., found '#12345'",
        ),
        ("name: mine\nextends: dark\ncolours:\n  acent: '#123456'\n", ":4:3: colours.acent: not known; there are backgr"),
        ("name: mine\nextends: dark\ncolours: blue\n", ":3:1: colours: expected keys and values, found 'blue'"),
        ("name: mine\nextends: dark\nstates:\n  RUNING: {fg: dim}\n", ":4:3: states.RUNING: not known; did you mean RUNNING?"),
        (
            "name: mine\nextends: dark\nstates:\n  RUNNING: {fg: god}\n",
            "or a name from colours, found 'god'; did you mean good?",
        ),
        (
            "name: mine\nextends: dark\nstates:\n  RUNNING: {bold: 'yes'}\n",
            ":4:13: states.RUNNING.bold: expected true or false, found text",
        ),
        ("name: mine\nextends: dark\nstates:\n  RUNNING: {blink: true}\n", ":4:13: states.RUNNING.blink: not known; there are"),
        ("name: mine\nextends: dark\nstates:\n  RUNNING: {glyph: RUN}\n", "glyph: expected one sign, found 'RUN'"),
        ("name: mine\nextends: dark\nstates:\n  RUNNING: {glyph: 日}\n", "glyph: expected one sign, found '日'"),
        ("name: mine\nextends: dark\nstates:\n  RUNNING: {ascii: ●}\n", "ascii: expected one sign of ASCII, found '●'"),
        ("name: mine\nextends: dark\nstyles:\n  txt: {fg: dim}\n", ":4:3: styles.txt: not known; did you mean text?"),
        ("name: mine\nextends: dark\nstyles:\n  text: [dim]\n", ":4:3: styles.text: expected a value, found a list"),
        ("name: mine\ndark: true\n", ":1:1: colours: background missing, expected a colour"),
        ("name: mine\nname: mine\n", ":2:1: name: said twice, first in line 1"),
        ("name: [mine\n", ":2:1: not YAML: "),
        ("", "expected keys and values, found nothing"),
        ("- a\n", ":1:1: expected keys and values, found a list"),
        ("\t", "not YAML: "),
    ],
)  # fmt: skip
def test_a_broken_theme_is_named_with_place_and_reason_and_another_one_is_used(
    folder: Path, text: str, said: str
) -> None:
    file = write(folder, "mine", text)
    theme, problem = themes.load("mine")
    assert said in problem and str(file) in problem and problem.endswith("; using dark")
    assert theme == themes.read("dark")


def test_a_theme_without_a_state_is_told_which(folder: Path) -> None:
    whole = (themes.shipped() / "light.yaml").read_text().replace("name: light", "name: mine")
    write(folder, "mine", "\n".join(line for line in whole.splitlines() if "MIXED" not in line))
    assert "states: MIXED missing" in themes.load("mine").problem


def test_themes_that_extend_each_other_are_found_out(folder: Path) -> None:
    write(folder, "one", "name: one\nextends: two\n")
    two = write(folder, "two", "name: two\n\nextends: one\n")
    with pytest.raises(ConfigError, match=f"{two}:3:1: extends: goes in a circle: one -> two -> one"):
        themes.read("one")
    write(folder, "self", "name: self\nextends: self\n")
    with pytest.raises(ConfigError, match=r"extends: self: no such theme"):
        themes.read("self")


def test_an_error_in_a_theme_that_is_extended_names_its_file(folder: Path) -> None:
    base = write(folder, "base", "name: base\nextends: dark\ncolours: {accent: red}\n")
    write(folder, "mine", "name: mine\nextends: base\n")
    assert f"{base}:3:11: colours.accent" in themes.load("mine").problem


def test_a_broken_theme_of_the_user_never_hides_the_shipped_one(folder: Path) -> None:
    write(folder, "dark", "name: dark\nextends: dark\ncolours: {accent: red}\n")
    theme, problem = themes.load("dark")
    assert "colours.accent" in problem and theme.colours.accent != "red" and theme.name == "dark"


def test_a_console_whose_own_files_are_gone_still_has_a_theme(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(themes, "shipped", lambda: tmp_path / "gone")
    theme, problem = themes.load("dark")
    assert theme is themes.PLAIN and "no such theme" in problem


@pytest.mark.parametrize("name", ["../dark", "", "Dark", "dark.yaml", "/etc/passwd"])
def test_names_of_themes_are_no_paths(name: str) -> None:
    assert "is no name of a theme" in themes.load(name).problem


def test_every_state_has_a_sign_an_ascii_sign_and_a_code_of_its_own() -> None:
    codes = [look.code for look in (*LOOKS.values(), CRITICAL_ERROR)]
    assert len(set(codes)) == len(codes) and all(len(code) == 3 for code in codes)
    for ascii in (False, True):
        for name in NAMES:
            styles = Styles(themes.read(name), ascii=ascii)
            looks = [styles.look("ERROR", critical=state == "CRITICAL_ERROR") if "ERROR" in state else styles.look(state)
                     for state in themes.STATES]  # fmt: skip
            assert [look.code for look in looks] == codes
            assert len({look.glyph for look in looks}) == len(looks)
            assert all(look.glyph.isascii() for look in looks) or not ascii


def test_a_state_that_is_not_known_looks_unknown() -> None:
    styles = Styles(themes.read("dark"))
    assert styles.look("SOMETHING") == styles.look("UNKNOWN")


def test_the_screen_and_its_style_sheet_take_the_same_colours() -> None:
    for name in NAMES:
        theme = themes.read(name)
        variables = screen_theme(theme).variables
        for state in themes.STATES:
            is_critical = state == "CRITICAL_ERROR"
            colour = Styles(theme).look("ERROR" if is_critical else state, is_critical).style.color
            assert colour is not None and colour.name == variables[f"state-{state.lower().replace('_', '-')}"]
        assert variables["selection"] == theme.colours.selection
        assert set(default_variables()) == set(variables_of(theme))
