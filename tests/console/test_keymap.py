"""The user's keys: what a file may say, and what is said about a wrong one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.keys import Keys, _character_to_key

from console import keymap
from console.keymap import NAMED, Keymap, key_name, load

CONTEXTS = {
    "App": {"app.quit": "ctrl+q,q", "app.help": "question_mark", "env.start": "s", "env.destroy": "d"},
    "List": {"list.down": "down,j", "list.up": "up,k", "list.open": "enter"},
    "Table": {"list.down": "down,j", "list.up": "up,k", "list.open": "enter", "table.sort": "o", "table.turn": "o"},
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the user's keys are, empty."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made = tmp_path / "aliecs" / "keys.toml"
    made.parent.mkdir()
    return made


@pytest.mark.usefixtures("file")
def test_without_a_file_the_usual_keys_stay() -> None:
    assert load(lambda: CONTEXTS) == Keymap()
    assert Keymap().key_of("app.quit", "ctrl+q,q") == "ctrl+q"


def test_bindings_get_the_keys_of_the_file(file: Path) -> None:
    file.write_text('"env.start" = "f5"\nenv.destroy = "ctrl+x, f8"\n[list]\ndown = ["n", "?"]\n[app]\nquit = ","\n')
    found = load(lambda: CONTEXTS)
    assert found.problems == ()
    assert found.keys == {
        "env.start": "f5",
        "env.destroy": "ctrl+x,f8",
        "list.down": "n,question_mark",
        "app.quit": "comma",
    }
    assert found.key_of("env.destroy", "d") == "ctrl+x"


def test_a_named_file_is_read_instead_and_must_exist(file: Path, tmp_path: Path) -> None:
    file.write_text('app.quit = "f5"\n')
    other = tmp_path / "other.toml"
    other.write_text('app.quit = "f6"\n')
    assert load(lambda: CONTEXTS, str(other)).keys == {"app.quit": "f6"}
    assert load(lambda: CONTEXTS, str(tmp_path / "none")).problems == (
        f"{tmp_path / 'none'}: no such file; the usual keys are used",
    )


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('app.quite = "f5"', 3, "app.quite: no such binding; did you mean app.quit?"),
        ('zzz = "f5"', 3, "zzz: no such binding; ? shows all"),
        ('app.quit = "f25"', 3, "app.quit: 'f25' is no key; did you mean f"),
        ('app.quit = "pagdown"', 3, "app.quit: 'pagdown' is no key; did you mean pagedown?"),
        (
            'app.quit = "strg+q"',
            3,
            "app.quit: 'strg+q' is no key: 'strg' is none of alt, ctrl, hyper, meta, shift, super",
        ),
        ('app.quit = "ctrl+"', 3, "app.quit: 'ctrl+' is no key"),
        ('app.quit = ""', 3, "app.quit: expected a key or a list of keys, found ['']"),
        ("app.quit = []", 3, "app.quit: expected a key or a list of keys, found []"),
        ("app.quit = 5", 3, "app.quit: expected a key or a list of keys, found 5"),
        ('[app]\n\nquit = "xx"', 5, "app.quit: 'xx' is no key"),
        ('app = { help = "f9", quit = "xx" }', 3, "app.quit: 'xx' is no key"),
        ('env.start = "d"', 3, "env.start: d is the key of env.destroy too; the usual one stays"),
        ('env.start = "f5"\nenv.destroy = "f5"', 4, "env.destroy: f5 is the key of env.start too; the usual one stays"),
        ('list.open = "o"', 3, "list.open: o is the key of table.sort too; the usual one stays"),
    ],
)
def test_a_wrong_entry_is_named_with_its_line_and_the_others_count(file: Path, text: str, line: int, said: str) -> None:
    file.write_text(f'# mine\nlist.up = "f12"\n{text}\n')
    found = load(lambda: CONTEXTS)
    assert len(found.problems) == 1 and found.problems[0].startswith(f"{file}:{line}: {said}"), found.problems
    assert found.keys["list.up"] == "f12"


@pytest.mark.parametrize(("text", "said"), [("app.quit = f5", ":1: "), ("a = 1\na = 2", ":2: "), ("a = '", ":1: ")])
def test_a_file_that_is_not_toml_is_named_with_its_line(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    found = load(lambda: CONTEXTS)
    assert found.keys == {} and f"{file}{said}" in found.problems[0] and "the usual keys are used" in found.problems[0]


def test_a_file_that_cannot_be_read_is_named(file: Path) -> None:
    file.write_bytes(b"a = '\xff'")
    assert "can't decode" in load(lambda: CONTEXTS).problems[0]
    file.unlink()
    file.mkdir()
    assert str(file) in load(lambda: CONTEXTS).problems[0]


def test_keys_can_change_places_and_those_that_share_one_by_intent_go_on_sharing(file: Path) -> None:
    file.write_text('list.up = "j"\nlist.down = "k"\ntable.sort = "f5"\ntable.turn = "f5"\n')
    assert load(lambda: CONTEXTS).problems == ()


def test_a_key_of_another_context_is_free(file: Path) -> None:
    file.write_text('app.help = "j"\n')
    assert load(lambda: CONTEXTS).problems == ()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("f5", "f5"), ("F5", "f5"), ("j", "j"), ("J", "J"), ("shift+j", "J"), ("ctrl+P", "ctrl+shift+p"), ("Ctrl+p", "ctrl+p"),
        ("shift+ctrl+left", "ctrl+shift+left"), ("?", "question_mark"), ("question_mark", "question_mark"), ("+", "plus"),
        ("ctrl++", "ctrl+plus"), ("/", "slash"), ("esc", "escape"), ("pgdn", "pagedown"), (" space ", "space"), ("é", "é"),
        ("§", "section_sign"), ("shift+tab", "shift+tab"), ("1", "1"),
    ],
)  # fmt: skip
def test_keys_are_called_as_textual_calls_them(text: str, name: str) -> None:
    assert key_name(text) == name


def test_the_names_of_keys_are_those_of_the_installed_textual() -> None:
    theirs = {key.value for key in Keys if re.fullmatch("[a-z0-9]+", key.value)}
    ours = set(NAMED)
    assert theirs - ours <= {"return"} and ours - theirs <= {"backspace", "enter", "space", "tab"}
    for code in range(33, 127):
        assert key_name(chr(code)) == _character_to_key(chr(code))


def test_lines_are_found_in_tables_and_quoted_names() -> None:
    text = '[ "app" ]\n"quit" = "x"\n\n[list]\ndown="y" # up = 1\n'
    assert keymap._lines(text) == {"app": 1, "app.quit": 2, "list": 4, "list.down": 5}
