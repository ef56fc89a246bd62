"""The table of core.md 3.6, and what listeners are told."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from executor.api.messages import ControlMode, MetricSample, Phase, TaskReport, TaskResult, TaskSpec
from occ.states import TaskState
from server.api.states import Status
from server.task.roster import Roster, TaskChange
from server.task.task import Metric, Task

NOW_MS = 1_700_000_000_000


def make(task_id: str, *, host: str = "flp001", executor_id: str = "x1", environment_id: str = "2env") -> Task:
    spec = TaskSpec(task_id=task_id, environment_id="2env", class_name="c", mode=ControlMode.DIRECT, value="v")
    return Task(
        task_id=task_id, class_id="c", class_name="c", host=host, address="127.0.0.1", agent_id="a", offer_id="o",
        executor_id=executor_id, environment_id=environment_id, role_path="r", command=spec,
    )  # fmt: skip


def report(task_id: str, phase: Phase, **fields: object) -> TaskReport:
    return replace(TaskReport(task_id=task_id, environment_id="2env", phase=phase), **fields)


class Table:
    """A roster and everything that it told."""

    def __init__(self, *tasks: Task) -> None:
        self.roster = Roster(lambda: NOW_MS)
        self.roster.add(tasks)
        self.told: list[list[TaskChange]] = []
        self.roster.listen(lambda changes: self.told.append(list(changes)))

    def task(self, task_id: str = "t1") -> Task:
        task = self.roster.get(task_id)
        assert task is not None
        return task


@pytest.fixture
def table() -> Table:
    return Table(make("t1"))


def test_a_task_that_came_up_is_active_with_its_pid(table: Table) -> None:
    table.roster.apply("flp001", [report("t1", Phase.ACTIVE, state="STANDBY", pid=42, timestamp_ms=7)])
    task = table.task()
    assert (task.status, task.state, task.pid, task.state_since_ms) == (Status.ACTIVE, TaskState.STANDBY, 42, 7)


@pytest.mark.parametrize(
    ("final_status", "locked", "state"),
    [
        ("TASK_FINISHED", True, TaskState.DONE),
        ("TASK_FINISHED", False, TaskState.DONE),
        ("TASK_FAILED", True, TaskState.ERROR),
        ("TASK_KILLED", True, TaskState.ERROR),
        ("TASK_FAILED", False, TaskState.RUNNING),
        ("TASK_KILLED", False, TaskState.RUNNING),
    ],
)
def test_an_end_shows_by_how_it_ended_and_whose_it_is(final_status: str, locked: bool, state: TaskState) -> None:
    table = Table(make("t1", environment_id="2env" if locked else ""))
    table.roster.apply("flp001", [report("t1", Phase.ACTIVE, state="RUNNING")])
    table.roster.apply("flp001", [report("t1", Phase.ENDED, final_status=final_status)])
    task = table.task()
    assert (task.status, task.state, task.final_status, task.ended) == (Status.INACTIVE, state, final_status, True)


def test_an_end_says_how_in_words_even_when_the_executor_did_not(table: Table) -> None:
    table.roster.apply("flp001", [report("t1", Phase.ENDED, final_status="TASK_FAILED", signal=9)])
    assert (table.task().error, table.task().signal) == ("killed by signal 9", 9)
    other = Table(make("t1"))
    other.roster.apply("flp001", [report("t1", Phase.ENDED, final_status="TASK_FAILED", exit_code=3)])
    assert (other.task().error, other.task().exit_code) == ("ended with exit code 3", 3)


def test_starting_changes_neither_state_nor_status(table: Table) -> None:
    table.roster.apply("flp001", [report("t1", Phase.STARTING, pid=9)])
    assert (table.task().status, table.task().state, table.task().pid) == (Status.INACTIVE, TaskState.STANDBY, 9)


def test_the_same_report_again_changes_nothing_and_tells_nobody(table: Table) -> None:
    reports = [report("t1", Phase.ACTIVE, state="RUNNING", pid=42, timestamp_ms=7)]
    table.roster.apply("flp001", reports)
    table.roster.apply("flp001", [replace(reports[0], timestamp_ms=99)])
    assert len(table.told) == 1


def test_nothing_changes_a_task_after_its_end(table: Table) -> None:
    table.roster.apply("flp001", [report("t1", Phase.ENDED, final_status="TASK_FAILED", exit_code=1)])
    ended = table.task()
    table.roster.apply("flp001", [report("t1", Phase.ACTIVE, state="RUNNING")])
    table.roster.apply("flp001", [report("t1", Phase.ENDED, final_status="TASK_FINISHED")])
    table.roster.apply_results([TaskResult(task_id="t1", state="CONFIGURED")])
    table.roster.executor_lost("flp001", "x1", "gone")
    assert table.task() is ended


def test_a_report_from_another_host_is_not_believed(table: Table) -> None:
    table.roster.apply("flp002", [report("t1", Phase.ENDED, final_status="TASK_FAILED")])
    assert not table.told


def test_changes_of_one_message_are_told_at_once_with_before_after_and_cause() -> None:
    table = Table(make("t1"), make("t2"), make("t3"))
    before = table.task("t1")
    table.roster.apply("flp001", [report(one, Phase.ACTIVE, state="STANDBY", pid=1) for one in ("t1", "t2", "nobody")])
    ((first, second),) = table.told
    assert (first.before, first.after, first.cause) == (before, table.task("t1"), "report")
    assert second.after is table.task("t2")


def test_a_lost_executor_takes_its_tasks_and_no_others() -> None:
    table = Table(make("t1"), make("t2", executor_id="x2"), make("t3", host="flp002"))
    reason = "executor x1 on host flp001 was killed by signal 9 (SIGKILL)"
    assert table.roster.executor_lost("flp001", "x1", reason) == ["t1"]
    task = table.task("t1")
    assert (task.state, task.status, task.error) == (TaskState.ERROR, Status.INACTIVE, reason)
    assert not table.task("t2").ended and not table.task("t3").ended


def test_results_set_states_also_beside_an_error_and_unknown_text_is_unknown(table: Table) -> None:
    roster = table.roster
    roster.apply_results([TaskResult(task_id="t1", state="ERROR", error="boom")])
    assert (table.task().state, table.task().error) == (TaskState.ERROR, "boom")
    roster.apply_results([TaskResult(task_id="t1", state="CONFIGURED")])
    assert (table.task().state, table.task().error) == (TaskState.CONFIGURED, "")
    roster.apply_results([TaskResult(task_id="t1", state="INITIALIZING TASK")])
    assert table.task().state is TaskState.UNKNOWN


def test_a_result_without_a_state_changes_none(table: Table) -> None:
    table.roster.apply_results([TaskResult(task_id="t1", state="", error="timed out")])
    assert not table.told


def test_set_state_is_a_result(table: Table) -> None:
    table.roster.set_state("t1", TaskState.RUNNING)
    assert table.task().state is TaskState.RUNNING


def test_release_unlocks_and_leaves_the_rest(table: Table) -> None:
    table.roster.apply("flp001", [report("t1", Phase.ACTIVE, state="STANDBY")])
    assert [task.task_id for task in table.roster.of_environment("2env")] == ["t1"]
    table.roster.release(["t1", "nobody"])
    task = table.task()
    assert not task.locked and task.claimable and task.role_path == ""
    assert table.roster.of_environment("2env") == []


def test_metrics_keep_the_last_value_of_each_name(table: Table) -> None:
    sample = MetricSample(task_id="t1", name="rate", value=5.0, unit="Hz")
    table.roster.set_metrics([sample, replace(sample, name="bytes", value=9.0, unit="B")])
    table.roster.set_metrics([replace(sample, value=6.0), replace(sample, task_id="nobody")])
    assert table.task().metrics == {"rate": Metric(6.0, "Hz"), "bytes": Metric(9.0, "B")}
    assert [changes[0].cause for changes in table.told] == ["metrics", "metrics"]


def test_living_tasks_are_counted_by_host_however_they_come_and_go() -> None:
    table = Table(make("t1"), make("t2"), make("t3", host="flp002", executor_id="x2"))
    roster = table.roster

    def counted() -> tuple[int, int]:
        return roster.count_alive("flp001"), roster.count_alive("flp002")

    assert counted() == (2, 1)
    roster.apply_results([TaskResult(task_id="t1", state="CONFIGURED")])
    roster.apply("flp001", [report("t1", Phase.ENDED, final_status="TASK_FINISHED")])
    assert counted() == (1, 1)
    roster.remove(["t1", "t2"])
    roster.executor_lost("flp002", "x2", "it is gone")
    assert counted() == (0, 0)
    roster.restore([make("t4")])
    assert counted() == (1, 0)


def test_tasks_are_listed_in_the_order_they_came_and_removal_is_told(table: Table) -> None:
    table.roster.add([make("t0")])
    assert [task.task_id for task in table.roster.all()] == ["t1", "t0"]
    table.roster.remove(["t1", "nobody"])
    assert table.told[-1][0].after is None and table.told[-1][0].cause == "removed"
    assert "t1" not in table.roster and len(table.roster) == 1


def test_attaching_takes_over_states_and_finds_what_either_side_does_not_know() -> None:
    table = Table(make("t1"), make("t2"), make("t3"), make("t4", host="flp002"))
    unknown, forgotten = table.roster.reconcile(
        "flp001",
        "x1",
        [
            report("t1", Phase.ACTIVE, state="RUNNING", pid=5),
            report("stranger", Phase.ACTIVE),
            report("old", Phase.ENDED, final_status="TASK_FINISHED"),
        ],
        launching={"t3"},
    )
    assert (unknown, forgotten) == (["stranger"], ["old"])
    assert table.task("t1").state is TaskState.RUNNING
    assert table.task("t2").ended and "does not know it" in table.task("t2").error
    assert not table.task("t3").ended and not table.task("t4").ended


def test_a_restored_table_is_as_before_but_nobody_kills(table: Table) -> None:
    table.roster.apply("flp001", [report("t1", Phase.ACTIVE, state="RUNNING", pid=5)])
    running = table.task()
    again = Roster()
    again.restore([replace(running, killing=True)])
    assert again.get("t1") == running
