"""The last step: what is asked of the core, how it may fail, and the draft that is kept."""

from __future__ import annotations

from create_pilot import at_step, at_variable, form_of, holds
from screen import app_on, closed, shows, until
from template_core import REPO, TemplateCore

from console import draft
from console.draft import Draft
from server.api.errors import CoreError, Reason


async def test_wrong_values_keep_it_from_being_asked_for(core: TemplateCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await at_step(pilot, 3)
        await at_variable(pilot, "Message rate")
        await pilot.press("enter", "x", "enter")
        await shows(pilot, "50x is no number", "3 Variables ✖")
        await pilot.press("greater_than_sign")
        await shows(pilot, "✖ values")
        await pilot.press("enter")
        await shows(pilot, "it would not work", "values: Message rate: 50x is no number")
        assert "NewEnvironment" not in core.calls


async def test_a_failure_is_shown_with_the_reason_and_the_form_is_kept(core: TemplateCore) -> None:
    core.fail["NewEnvironment"] = CoreError(Reason.HOST_UNKNOWN, "no such host: flp001", host="flp001")
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        app.arm()
        await at_step(pilot, 4)
        await pilot.press("enter")
        await shows(pilot, "Creating an environment")
        await pilot.press("right", "enter")
        await shows(pilot, "failed", "no such host: flp001")
        await pilot.press("enter")
        await closed(pilot)
        await shows(pilot, "Last attempt failed", "no such host: flp001")
        await holds(pilot, lambda: form_of(app).step == 4 and form_of(app).creation.is_chosen)
        core.fail.clear()
        await pilot.press("enter")
        await shows(pilot, "Creating an environment")
        await pilot.press("right", "enter")
        await until(pilot, lambda lines: app.shown_tab == "environment")


async def test_a_creation_that_breaks_on_the_way_comes_back_to_its_form(core: TemplateCore) -> None:
    core.break_on["CONFIGURE"] = "flp002"
    core.hold.clear()
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        app.arm()
        await at_step(pilot, 4)
        await pilot.press("enter")
        await shows(pilot, "Creating an environment")
        await pilot.press("right", "enter")
        await until(pilot, lambda lines: app.shown_tab == "environment")
        core.hold.set()
        await shows(pilot, "failed", "sink exited with 3")
        await pilot.press("enter")
        await closed(pilot)
        await shows(pilot, "Last attempt failed", "cannot create: sink exited with 3")
        await holds(pilot, lambda: app.shown_tab == "create" and form_of(app).creation.is_chosen)


async def test_a_core_that_is_lost_in_the_middle_leaves_the_form_and_says_what_is_known(core: TemplateCore) -> None:
    core.hold.clear()
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        app.arm()
        await at_step(pilot, 4)
        await pilot.press("enter")
        await shows(pilot, "Creating an environment")
        await pilot.press("right", "enter")
        await until(pilot, lambda lines: app.shown_tab == "environment")
        await core.stop()
        await shows(pilot, "LINK LOST", "outcome unknown")
        await pilot.press("enter")
        await closed(pilot)
        await shows(pilot, "Last attempt failed", "✖ core")
        await holds(pilot, lambda: form_of(app).creation.is_chosen)
        await pilot.press("enter")
        await shows(pilot, "it would not work")
        core.hold.set()


async def test_the_command_that_does_the_same_is_copied(core: TemplateCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await at_step(pilot, 3)
        await pilot.press("down", "right", "greater_than_sign", "y")
        await pilot.pause()
        await holds(pilot, lambda: app.clipboard == "aliecs env create readout-demo -e run_type=SYNTHETIC")


async def test_a_draft_is_taken_up_by_the_next_console(core: TemplateCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await at_step(pilot, 3)
        await pilot.press("down", "right", "q")
        await until(pilot, lambda _: app.return_code is not None)
    again = app_on(core.endpoint)
    async with again.run_test(size=(80, 24)) as pilot:
        await pilot.press("7")
        await shows(pilot, "SYNTHETIC", "draft of", "1 changed")
        await holds(pilot, lambda: form_of(again).step == 3)
        await pilot.press("X")
        await shows(pilot, "no template chosen yet")
        await until(pilot, lambda lines: not draft.path_of(core.endpoint).exists())


async def test_a_broken_draft_is_named_and_passed_over(core: TemplateCore) -> None:
    path = draft.path_of(core.endpoint)
    path.parent.mkdir(parents=True)
    path.write_text('{"template": 5}')
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("7")
        await shows(pilot, "passed over", "readout-demo", "no template chosen yet")


async def test_a_draft_whose_template_is_gone_keeps_its_values(core: TemplateCore) -> None:
    draft.save(
        Draft(endpoint=core.endpoint, repo=REPO, template="gone", revision="main", changed={"run_type": "COSMICS"})
    )
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("7")
        await shows(pilot, "gone@main is not listed")
        await pilot.press("down", "enter")
        await until(pilot, lambda lines: form_of(app).step == 2)
        await holds(pilot, lambda: form_of(app).creation.form.changed == {"run_type": "COSMICS"})
