"""The first two steps: which template, which detectors and hosts."""

from __future__ import annotations

import json
from dataclasses import replace

from create_pilot import at_step, form_of, holds, typed
from screen import app_on, screen_of, shows, until
from stock_core import StockCore
from template_core import REPO, TemplateCore

from console import draft
from console.draft import Draft
from server.api.errors import CoreError, Reason
from server.api.model import Host
from server.api.replies import TemplateListing


async def test_templates_are_found_by_repository_revision_and_words(core: TemplateCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("7")
        await shows(pilot, "loopback", "Tests @master")
        await pilot.press("shift+tab", "down", "space")
        await shows(pilot, "v1.0")
        await pilot.press("down")
        lines = await shows(pilot, "The older one")
        assert not any("loopback" in line for line in lines)
        await pilot.press("enter", "enter")
        await until(pilot, lambda lines: form_of(app).step == 2)
        await holds(pilot, lambda: form_of(app).creation.name == "readout-demo@v1.0")
        await pilot.press("less_than_sign", "shift+tab", "g", "tab", "slash")
        await typed(pilot, "loop")
        await until(pilot, lambda lines: not any("calibration" in line for line in lines))


async def test_a_place_that_is_not_listed_is_typed(core: TemplateCore) -> None:
    core.listings.append(TemplateListing(REPO, "secret", "a1b2c3", "At a commit", ()))
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await at_step(pilot, 1)
        await pilot.press("i")
        await typed(pilot, "two words@x y")
        await pilot.press("enter")
        await shows(pilot, "write a revision")
        await pilot.press("escape", "i")
        await typed(pilot, f"{REPO}/workflows/secret@a1b2c3")
        await pilot.press("enter")
        await shows(pilot, "@a1b2c3", "At a commit", "secret@a1b2c3 · 0 hosts")
        await pilot.press("i")
        await typed(pilot, f"{REPO}/workflows/gone@main")
        await pilot.press("enter")
        await shows(pilot, "no template gone")


async def test_a_listing_that_fails_says_why_and_is_asked_for_again(core: TemplateCore) -> None:
    core.fail["GetWorkflowTemplates"] = CoreError(
        Reason.REPOSITORY, "the repository is on fire", hint="call the expert"
    )
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("7")
        await shows(pilot, "the templates could not be listed", "the repository is on fire", "call the expert")
        core.fail.clear()
        await pilot.press("ctrl+r")
        lines = await shows(pilot, "calibration")
        assert not any("on fire" in line for line in lines)


async def test_templates_are_listed_when_the_core_comes_back_and_what_was_typed_is_kept(core: TemplateCore) -> None:
    draft.save(Draft(endpoint=core.endpoint, repo=REPO, template="readout-demo", revision="main",
                     changed={"run_type": "COSMICS"}, step=3))  # fmt: skip
    port = core.port
    await core.stop()
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("7")
        await shows(pilot, "could not be listed", "it refuses connections", "readout-demo@main")
        await core.start(port)
        await shows(pilot, "COSMICS")
        await holds(
            pilot, lambda: form_of(app).step == 3 and form_of(app).creation.form.changed == {"run_type": "COSMICS"}
        )


async def test_detectors_in_use_are_marked_and_cannot_be_taken(core: TemplateCore) -> None:
    one = core.add(state="RUNNING", user="somebody")
    core.show(replace(one, detectors=("TOF",)))
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await at_step(pilot, 2)
        lines = await shows(pilot, f"in use by {one.id}")
        await holds(pilot, lambda: sum("in use by" in line for line in lines) >= 1)
        await pilot.press("down", "space")
        await shows(pilot, f"TOF is in use by {one.id}")
        await holds(pilot, lambda: form_of(app).creation.hosts == ("flp001", "flp002"))
        core.show(replace(core.environments[one.id], detectors=("ITS",)))
        await shows(pilot, "✖ ITS is in use")
        assert "2 Detectors and hosts ✖" in screen_of(app)[2]


async def test_a_range_of_hosts_is_taken_at_once(core: TemplateCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await at_step(pilot, 2)
        await shows(pilot, "qc01")
        await pilot.press("j", "j", "v", "j", "j")
        await holds(pilot, lambda: sum("│[" in line or "│ [" in line for line in screen_of(app)) == 3)
        await pilot.press("space")
        await holds(pilot, lambda: form_of(app).creation.hosts == ("flp001", "flp002", "flp003", "flp004"))
        await pilot.press("shift+up", "shift+up", "escape")
        await holds(pilot, lambda: app.shown_tab == "create")
        await pilot.press("a")
        await holds(
            pilot, lambda: form_of(app).creation.hosts == ("flp001", "flp002", "flp003", "flp004", "flp005", "qc01")
        )
        await pilot.press("a", "u")
        await holds(pilot, lambda: form_of(app).creation.form.changed == {})


async def test_a_detector_takes_its_hosts_along(core: TemplateCore) -> None:
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await at_step(pilot, 2)
        await shows(pilot, "qc01")
        await pilot.press("shift+tab", "down", "down", "space")
        await shows(pilot, "[x] TPC")
        await holds(pilot, lambda: form_of(app).creation.hosts == ("flp001", "flp002", "flp003", "flp004"))
        await pilot.press("space", "enter", "enter")
        await holds(pilot, lambda: form_of(app).creation.hosts == ("flp001",) and form_of(app).step == 3)


async def test_without_an_inventory_hosts_are_typed_and_called_advisory(core: TemplateCore) -> None:
    core.things = [one for one in core.things if not isinstance(one, Host)]
    app = app_on(core.endpoint)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await at_step(pilot, 2)
        await shows(pilot, "advisory", "flp001", "ITS", "does not say which there are")
        await pilot.press("i")
        for _ in range(len("flp001, flp002")):
            await pilot.press("backspace")
        await typed(pilot, "flp007 flp008")
        await pilot.press("enter")
        await shows(pilot, "flp007, flp008", "2 hosts, chosen here")
        await pilot.press("space")
        await shows(pilot, "[x] ITS")
        await holds(
            pilot, lambda: form_of(app).creation.words()[3:] == ["--hosts", "flp007,flp008", "--detectors", "ITS"]
        )


async def test_a_core_that_is_polled_is_asked_for_what_was_typed(core: TemplateCore) -> None:
    async with StockCore(core.endpoint) as stock:
        app = app_on(stock.endpoint)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await shows(pilot, "ADVISORY")
            app.arm()
            await at_step(pilot, 2)
            await shows(pilot, "advisory: hosts are those of the template", "flp001", "flp002", "ITS")
            await pilot.press("i", "comma")
            await typed(pilot, "flp077")
            await pilot.press("enter")
            await shows(pilot, "3 hosts, chosen here", "▲ 3 hosts; this core does not say which there are")
            await pilot.press("greater_than_sign", "greater_than_sign", "enter")
            await shows(pilot, "Creating an environment")
            await pilot.press("right", "enter")
            await until(pilot, lambda lines: app.shown_tab == "environment")
            request = next(one for one in core.requests if type(one).__name__ == "NewEnvironmentRequest")
            assert json.loads(request.vars["hosts"]) == ["flp001", "flp002", "flp077"]
