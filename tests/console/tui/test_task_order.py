"""The order of tasks: worst first, critical before others, then by place; changes are as good as a sort anew."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from console.present import RANK
from console.tui.widgets.task_order import TaskOrder
from server.api.model import Task

tasks = st.builds(
    Task,
    task_id=st.sampled_from([f"t{number}" for number in range(12)]),
    host=st.sampled_from(["flp1", "flp2", ""]),
    path=st.sampled_from(["a.b", "a.c"]),
    state=st.sampled_from([*RANK, "ODD"]),
    critical=st.booleans(),
)


def wanted(known: dict[str, Task]) -> list[str]:
    def key(task: Task) -> tuple[int, bool, str, str, str]:
        return (RANK.get(task.state, len(RANK)), not task.critical, task.host, task.path, task.task_id)

    return [task.task_id for task in sorted(known.values(), key=key)]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("change"), st.lists(tasks, max_size=3), st.lists(st.sampled_from(["t1", "t5", "t99"]))),
            st.tuples(st.just("reset"), st.lists(tasks, max_size=12), st.just([])),
        ),
        max_size=12,
    )
)
def test_whatever_happens_the_order_is_that_of_a_sort(steps: list[tuple[str, list[Task], list[str]]]) -> None:
    order, known = TaskOrder(), dict[str, Task]()
    for what, some, gone in steps:
        given_tasks = list({task.task_id: task for task in some}.values())
        if what == "reset":
            known = {task.task_id: task for task in given_tasks}
            order.reset(given_tasks)
        else:
            gone = [one for one in gone if one not in {task.task_id for task in given_tasks}]
            known = {key: task for key, task in known.items() if key not in gone}
            known |= {task.task_id: task for task in given_tasks}
            order.change(given_tasks, gone)
        assert [order[at] for at in range(len(order))] == wanted(known)
        assert [order.index(task_id) for task_id in wanted(known)] == list(range(len(known)))
        assert order.index("t99") is None
