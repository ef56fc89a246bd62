"""The shipped themes can be read: enough contrast everywhere, and states that people with any colour vision tell apart."""

from __future__ import annotations

from itertools import combinations

import pytest
from colour_vision import VISIONS, ciede2000, contrast, difference

from console import themes
from console.themes import Paint, Theme

NAMES = ("dark", "light", "mono", "okabe-ito")
READABLE = 4.5
"""WCAG 2.1, criterion 1.4.3, level AA, for text of usual size."""
VISIBLE = 3.0
"""WCAG 2.1, criterion 1.4.11, for what is no text but carries meaning."""
TOLD_APART = 9.0
"""CIEDE2000 between states. 1 can just be told apart when two patches touch; signs of a terminal are thin, stand apart and are
seen from three metres, and nine times that is what the dark inks of the light theme have room for with seven states."""
TROUBLE = 12.0
"""The same for an error against everything that is none."""
BESIDE = ("STANDBY", "DEPLOYED", "CONFIGURED", "RUNNING", "MIXED", "UNKNOWN", "ERROR")
"""States that can stand beside each other in a list. Left out: PENDING, INVARIANT and DONE, grey by intent, as nothing is at
stake in them; PAUSED, which no transition of the core leads to; CRITICAL_ERROR, an error's colour as ground."""
NO_TEXT = {"border", "border_focus", "selected", "selected_elsewhere"}
DIM_FACTOR = 0.66
"""How much of a colour is left of it when it is dimmed; textual's own figure."""


def seen(paint: Paint, theme: Theme, ground: str) -> tuple[str, str]:
    """Return the colour of a text and of what is behind it, as they are painted on a ground."""
    text, behind = paint.fg or theme.colours.foreground, paint.bg or ground
    if paint.dim:
        text = blend(behind, text)
    return (behind, text) if paint.reverse else (text, behind)


def blend(ground: str, text: str) -> str:
    pairs = ((int(ground[at : at + 2], 16), int(text[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{int(low + (high - low) * DIM_FACTOR):02x}" for low, high in pairs)


@pytest.mark.parametrize("name", NAMES)
def test_every_text_can_be_read_on_every_ground_that_it_may_stand_on(name: str) -> None:
    theme = themes.read(name)
    colours = theme.colours
    grounds = (colours.background, colours.surface, colours.selection, colours.selection_unfocused)
    paints = {**theme.styles, **theme.states}
    poor = {
        f"{key} on {ground}": round(ratio, 2)
        for key, paint in paints.items()
        if key not in NO_TEXT
        for ground in grounds
        if (ratio := contrast(*seen(paint, theme, ground))) < READABLE
    }
    assert poor == {}


@pytest.mark.parametrize("name", NAMES)
def test_texts_of_style_sheets_can_be_read_too(name: str) -> None:
    colours = themes.read(name).colours
    for ground in (colours.background, colours.surface, colours.panel, colours.bar, colours.selection):
        for text in (colours.foreground, colours.dim, colours.accent, colours.good, colours.warn, colours.alarm):
            assert contrast(text, ground) >= READABLE, (text, ground)
    assert contrast(colours.armed_text, colours.armed) >= READABLE
    assert contrast(colours.replay_text, colours.replay) >= READABLE
    assert contrast(colours.accent, colours.background) >= VISIBLE


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("name", ["dark", "light", "okabe-ito"])
def test_states_that_stand_beside_each_other_are_told_apart_by_colour(name: str, vision: str) -> None:
    theme = themes.read(name)
    near = {}
    for one, other in combinations(BESIDE, 2):
        far = difference(theme.states[one].fg, theme.states[other].fg, vision)
        if far < (TROUBLE if "ERROR" in (one, other) else TOLD_APART):
            near[one, other] = round(far, 1)
    assert near == {}


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("name", ["dark", "light", "okabe-ito"])
def test_the_ground_of_a_critical_error_is_like_nothing_else(name: str, vision: str) -> None:
    theme = themes.read(name)
    ground = theme.states["CRITICAL_ERROR"].bg
    others = (theme.colours.background, theme.colours.selection, theme.colours.armed, theme.states["ERROR"].bg)
    assert min(difference(ground, other, vision) for other in others) >= TROUBLE


def test_good_warning_and_alarm_are_told_apart_by_colour() -> None:
    for name in ("dark", "light", "okabe-ito"):
        colours = themes.read(name).colours
        for vision in VISIONS:
            for one, other in combinations((colours.good, colours.warn, colours.alarm, colours.foreground), 2):
                assert difference(one, other, vision) >= TOLD_APART, (name, vision, one, other)


def test_mono_has_no_colour_and_tells_trouble_by_attributes() -> None:
    theme = themes.read("mono")
    used = {paint.fg for paint in (*theme.styles.values(), *theme.states.values())} - {""}
    used |= {getattr(theme.colours, key) for key in themes.Colours.__struct_fields__}
    assert all(colour[1:3] == colour[3:5] == colour[5:7] for colour in used)
    attributes = {
        state: (paint.bold, paint.dim, paint.reverse, paint.underline) for state, paint in theme.states.items()
    }
    for state in ("ERROR", "CRITICAL_ERROR", "MIXED", "UNKNOWN"):
        assert [other for other, look in attributes.items() if look == attributes[state]] == [state]
    assert [state for state, paint in theme.states.items() if paint.reverse] == ["ERROR", "CRITICAL_ERROR"]


@pytest.mark.parametrize(
    ("one", "other", "far"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, -1, 2), (50, 0, 0), 2.3669),
        ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
        ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((50, 2.5, 0), (61, -5, 29), 22.8977),
        ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
        ((6.7747, -0.2908, -2.4247), (5.8714, -0.0985, -2.2286), 0.6377),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_measure_of_difference_gives_the_published_figures(
    one: tuple[float, float, float], other: tuple[float, float, float], far: float
) -> None:
    """Pairs of table 1 of Sharma, Wu and Dalal (2005)."""
    assert ciede2000(one, other) == pytest.approx(far, abs=5e-5)


def test_the_measure_of_contrast_and_the_simulation_know_their_ends() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21) and contrast("#777777", "#777777") == 1
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
    for vision in VISIONS:
        assert difference("#808080", "#808080", vision) == 0
    # The confusion that red-green blindness is named for.
    assert difference("#a04000", "#606000") > 20 > difference("#a04000", "#606000", "deuteranopia")
