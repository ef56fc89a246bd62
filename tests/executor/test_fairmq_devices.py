"""A real executor and real FairMQ devices (occ.samples.fairmq): both forms of the plugin, and every way to fail."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

import pytest

from executor.api.messages import Phase, TaskSpec

DEVICE = (sys.executable, "-m", "occ.samples.fairmq")
PLUGINS = pytest.mark.parametrize("plugin", ["OCC", "OCClite"])


@pytest.fixture
def device(spec: Callable[..., TaskSpec]) -> Callable[..., TaskSpec]:
    """Make the spec of a device as the core makes it: one shell command, the plugin at its end."""

    def make(task_id: str, plugin: str, *options: str, role: str = "relay", shell: bool = True) -> TaskSpec:
        port = spec("port").control_port
        words = [role, *(f"'{one}'" if shell else one for one in options)]
        words += ["--id", task_id, "-S", "/nowhere/lib/", "-P", plugin, "--color", "false", "--control-port", str(port)]
        command = {"value": " ".join(DEVICE)} if shell else {"value": DEVICE[0]}
        arguments = words if shell else [*DEVICE[1:], *words]
        return spec(
            task_id, *arguments, mode="fairmq", shell=shell, control_port=port,
            environment=(f"OCC_CONTROL_PORT={port}",), **command,
        )  # fmt: skip

    return make


def channel(name: str, kind: str, method: str, address: str) -> dict[str, str]:
    values = {
        "address": address, "method": method, "type": kind, "transport": "zeromq", "rateLogging": "0", "rcvBufSize": "1000",
        "sndBufSize": "1000", "rcvKernelSize": "0", "sndKernelSize": "0",
    }  # fmt: skip
    if method == "bind":
        values["autoBind"] = "0"
    return {f"chans.{name}.numSockets": "1"} | {f"chans.{name}.0.{key}": value for key, value in values.items()}


@PLUGINS
async def test_two_devices_move_data_through_a_whole_run_and_end_clean(core, host, spec, device, plugin):
    host.start()
    # deaf to signals, so that the ladder leaves them time to end by themselves, with their own exit codes
    deaf = "--ignore-signals"
    await core.launch(device("t1", plugin, deaf), device("t2", plugin, deaf, shell=plugin == "OCC"))
    for task_id in ("t1", "t2"):
        assert (await core.phase(task_id, Phase.ACTIVE)).state == "STANDBY"
    address = f"ipc://@aliecs-test-{os.getpid()}-{plugin}"
    wiring = {"t1": channel("data", "push", "bind", address), "t2": channel("data", "pull", "connect", address)}
    for task_id, arguments in wiring.items():
        reply = await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", task_id, arguments=arguments)
        assert [(r.state, r.error) for r in reply.results] == [("CONFIGURED", "")]
    for run in ("1", "2"):
        for event, source, destination in (("START", "CONFIGURED", "RUNNING"), ("STOP", "RUNNING", "CONFIGURED")):
            reply = await core.transition(event, source, destination, "t1", "t2", arguments={"runNumber": run})
            assert {(r.state, r.error) for r in reply.results} == {(destination, "")}
            if event == "START":
                seen = len(core.samples())
                await core.until(
                    lambda seen=seen: [
                        s
                        for s in core.samples()[seen:]
                        if s.task_id == "t2" and s.name == "data.sink.bytes" and s.value
                    ]
                )
    reply = await core.transition("RESET", "CONFIGURED", "STANDBY", "t1", "t2")
    assert {(r.state, r.error) for r in reply.results} == {("STANDBY", "")}
    await core.kill("t1", "t2")
    for task_id in ("t1", "t2"):
        ended = await core.phase(task_id, Phase.ENDED)
        assert (ended.final_status, ended.exit_code, ended.state) == ("TASK_FINISHED", 0, "DONE")
        # neither link nor streams repeat a state that a reply told
        assert [r.phase for r in core.task_reports(task_id)] == [Phase.ACTIVE, Phase.ENDED]


@PLUGINS
async def test_a_running_device_is_walked_down_when_it_is_killed(core, host, device, plugin):
    host.start()
    await core.launch(device("t1", plugin, "--ignore-signals"))
    await core.phase("t1", Phase.ACTIVE)
    await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1")
    await core.transition("START", "CONFIGURED", "RUNNING", "t1")
    assert [r.error for r in (await core.kill("t1")).results] == [""]
    ended = await core.phase("t1", Phase.ENDED)
    assert (ended.final_status, ended.exit_code) == ("TASK_FINISHED", 0)
    said = (host.folder / "tasks/t1/stdout").read_text()
    assert "READY ---> RESETTING TASK" in said and "IDLE ---> EXITING" in said


@PLUGINS
@pytest.mark.parametrize(
    ("refused", "wanted"), [("COMPLETE INIT", "INITIALIZED"), ("BIND", "BOUND"), ("INIT TASK", "READY")]
)
async def test_a_device_that_fails_in_a_step_is_in_error_and_the_step_is_named(
    core, host, device, plugin, refused, wanted
):
    host.start()
    await core.launch(device("t1", plugin, "--refuse", refused))
    await core.phase("t1", Phase.ACTIVE)
    reply = await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1")
    (result,) = reply.results
    assert result.error == (
        f"CONFIGURE: {refused} should have led to {wanted}: ok=false trigger=DEVICE_ERROR event={refused} state=ERROR"
    )
    assert result.state == "ERROR"
    if plugin == "OCC":  # whose process stays as long as somebody listens to it
        assert [r.error for r in (await core.kill("t1")).results] == [""]
    ended = await core.phase("t1", Phase.ENDED)
    assert ended.final_status == ("TASK_FAILED" if plugin == "OCClite" else "TASK_KILLED")


@pytest.mark.parametrize("stays", ["BIND", "CONNECT", "INIT TASK"])
async def test_a_device_that_stays_where_it_was_is_rolled_back_and_can_be_configured_again(core, host, device, stays):
    host.start()
    await core.launch(device("t1", "OCC", "--stay", stays))
    await core.phase("t1", Phase.ACTIVE)
    for _ in range(2):
        (result,) = (await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1")).results
        assert result.state == "STANDBY" and f"CONFIGURE: {stays} should have led to" in result.error


@PLUGINS
async def test_a_step_that_hangs_is_named_at_the_timeout_and_the_device_can_be_killed(core, host, device, plugin):
    host.start()
    await core.launch(device("t1", plugin, "--hang", "CONNECT"))
    await core.phase("t1", Phase.ACTIVE)
    reply = await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1", timeout_s=5.0)
    (result,) = reply.results
    assert result.error == "CONFIGURE: CONNECT timed out"
    # The plug-in OCC does not say where the device is, as long as the step hangs; OCClite has a moment to.
    assert result.state in (("UNKNOWN", "STANDBY") if plugin == "OCClite" else ("STANDBY",))
    began = time.monotonic()
    assert [r.error for r in (await core.kill("t1")).results] == [""]
    assert time.monotonic() - began < 30
    assert (await core.phase("t1", Phase.ENDED)).final_status == "TASK_KILLED"


@PLUGINS
async def test_a_device_that_dies_in_a_step_fails_the_command_with_how_it_ended(core, host, device, plugin):
    host.start()
    await core.launch(device("t1", plugin, "--die", "INIT TASK", shell=False))
    await core.phase("t1", Phase.ACTIVE)
    reply = await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1")
    assert reply.results[0].error == "ended during CONFIGURE: killed by signal 9 (SIGKILL)"
    assert (await core.phase("t1", Phase.ENDED)).final_status == "TASK_FAILED"


@PLUGINS
async def test_an_error_of_a_running_device_is_told(core, host, device, plugin):
    host.start()
    await core.launch(device("t1", plugin, "--error-in-run", "0.1"))
    await core.phase("t1", Phase.ACTIVE)
    await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1")
    await core.transition("START", "CONFIGURED", "RUNNING", "t1")
    await core.until(lambda: core.task_reports("t1")[-1].state == "ERROR")
    if plugin == "OCClite":
        ended = await core.phase("t1", Phase.ENDED)
        assert (ended.final_status, ended.exit_code) == ("TASK_FAILED", 1)
    else:
        await core.kill("t1")


async def test_a_device_that_leaves_running_by_itself_is_found_there_without_a_command(core, host, device):
    host.start()
    await core.launch(device("t1", "OCClite", "--max-iterations", "3"), device("t2", "OCClite"))
    for task_id in ("t1", "t2"):
        await core.phase(task_id, Phase.ACTIVE)
        wiring = channel("data", "pub", "bind", f"ipc://@aliecs-test-{os.getpid()}-{task_id}")
        await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", task_id, arguments=wiring)
    reply = await core.transition("START", "CONFIGURED", "RUNNING", "t1", "t2")
    assert {r.state for r in reply.results} == {"RUNNING"}
    await core.until(lambda: core.task_reports("t1")[-1].state == "CONFIGURED")
    assert {r.state for r in core.task_reports("t2")} == {"STANDBY"}  # what replies told is not told again
    reply = await core.transition("STOP", "RUNNING", "CONFIGURED", "t1", "t2")
    assert {(r.task_id, r.state, not r.error) for r in reply.results} == {
        ("t1", "CONFIGURED", False),
        ("t2", "CONFIGURED", True),
    }


async def test_a_device_that_ignores_signals_and_hangs_is_killed_in_the_end(core, host, device):
    host.start()
    await core.launch(device("t1", "OCClite", "--ignore-signals", "--refuse", "BIND", "--hang", "RESET TASK"))
    active = await core.phase("t1", Phase.ACTIVE)
    os.kill(active.pid, signal.SIGTERM)
    os.kill(active.pid, signal.SIGSTOP)
    assert [r.error for r in (await core.kill("t1")).results] == [""]
    ended = await core.phase("t1", Phase.ENDED)
    assert (ended.final_status, ended.signal) == ("TASK_KILLED", 9)


async def test_a_plugin_that_is_not_there_is_a_crash_at_the_start(core, host, device):
    host.start()
    await core.launch(device("t1", "OCCheavy"))
    ended = await core.phase("t1", Phase.ENDED)
    assert ended.final_status == "TASK_FAILED" and "was ready: exit code 1" in ended.error
