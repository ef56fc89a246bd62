"""The role tree: aggregation equals the full product at every moment, variables and channels are inherited by rule."""

from __future__ import annotations

from collections import Counter

from environment_world import call, group, task
from hypothesis import given
from hypothesis import strategies as st

from occ.states import TaskState, aggregate
from server.api.states import Status, status_product
from server.environment.tree import Role, RoleTree
from server.template.model import Constraint, Inbound, LoadedRole, RoleKind

LEAVES = st.builds(lambda critical: task("leaf", critical=critical), st.booleans())
TREES = st.recursive(
    LEAVES, lambda below: st.builds(lambda roles: group("g", *roles), st.lists(below, min_size=1, max_size=4))
)
STATES = st.sampled_from([TaskState.STANDBY, TaskState.CONFIGURED, TaskState.RUNNING, TaskState.ERROR, TaskState.DONE])
STATUSES = st.sampled_from([Status.INACTIVE, Status.ACTIVE, Status.UNDEPLOYABLE, Status.UNDEFINED])


def full_merge(role: Role) -> tuple[TaskState, Status]:
    if role.is_leaf:
        return role.state, role.status
    counted = [full_merge(child) for child in role.children if not child.is_leaf or child.critical]
    status = Status.INVARIANT
    for _, one in counted:
        status = status_product(status, one)
    return aggregate(state for state, _ in counted), status


@given(TREES, st.data())
def test_incremental_aggregation_equals_the_full_merge(root: LoadedRole, data: st.DataObject) -> None:
    tree = RoleTree(group("root", root), {}, {}, {})
    leaves = list(tree.leaves())
    for _ in range(data.draw(st.integers(0, 12))):
        leaf = data.draw(st.sampled_from(leaves))
        tree.update(leaf, state=data.draw(st.none() | STATES), status=data.draw(st.none() | STATUSES))
        for role in tree.ordered:
            assert (role.state, role.status) == full_merge(role)


@given(TREES, st.data())
def test_what_stands_behind_roles_with_a_task_is_counted_as_it_changes(root: LoadedRole, data: st.DataObject) -> None:
    tree = RoleTree(group("root", root), {}, {}, {})
    roles = list(tree.task_roles())
    assert tree.task_count == len(roles)
    for _ in range(data.draw(st.integers(0, 12))):
        role = data.draw(st.sampled_from(roles))
        if data.draw(st.booleans()):
            tree.attach_task(role)
        tree.update(role, state=data.draw(st.none() | STATES), status=data.draw(st.none() | STATUSES))
        behind = [role for role in roles if role.has_task]
        assert +tree.task_states == Counter(role.state for role in behind)
        assert +tree.task_statuses == Counter(role.status for role in behind)


def test_user_variables_beat_vars_and_vars_beat_defaults_at_any_depth() -> None:
    leaf = LoadedRole(name="t", kind=RoleKind.TASK, defaults={"a": "leaf", "b": "leaf", "c": ""}, vars={"v": "leaf"})
    tree = RoleTree(group("r", leaf, vars={"a": "root"}, defaults={"c": "root"}), {"d": "env"}, {}, {"v": "user"})
    stack = tree.stack(tree.ordered[1])
    assert stack == {"a": "root", "b": "leaf", "c": "", "d": "env", "v": "user"}


def test_an_empty_defaults_section_cuts_off_what_is_above() -> None:
    leaf = LoadedRole(name="t", kind=RoleKind.TASK, cuts_defaults=True)
    tree = RoleTree(group("r", leaf, defaults={"a": "1"}), {"b": "2"}, {"c": "3"}, {})
    assert tree.stack(tree.ordered[1]) == {"c": "3"}


def test_the_nearest_channel_of_a_name_wins_and_constraints_are_replaced_in_place() -> None:
    own = (Constraint(attribute="b", value="2"), Constraint(attribute="a", value="3"))
    leaf = LoadedRole(name="t", kind=RoleKind.TASK, bind=(Inbound(name="x", type="push"),), constraints=own)
    root = group(
        "r",
        leaf,
        bind=(Inbound(name="x", type="pull"), Inbound(name="y")),
        constraints=(Constraint(attribute="a", value="1"),),
    )
    tree = RoleTree(root, {}, {}, {})
    inbound, _ = tree.channels(tree.ordered[1])
    assert [(one.name, one.type) for one in inbound] == [("x", "push"), ("y", "")]
    assert [(one.attribute, one.value) for one in tree.constraints(tree.ordered[1])] == [("a", "3"), ("b", "2")]


def test_of_channels_of_one_name_in_one_role_its_task_takes_the_last_and_those_below_the_first() -> None:
    twice = (Inbound(name="x", type="push"), Inbound(name="y"), Inbound(name="x", type="pull"))
    leaf = LoadedRole(name="t", kind=RoleKind.TASK, bind=twice)
    tree = RoleTree(
        group("r", leaf, LoadedRole(name="u", kind=RoleKind.TASK), bind=(*twice, Inbound(name="z"))), {}, {}, {}
    )
    channels = [[(one.name, one.type) for one in tree.channels(tree.ordered[index])[0]] for index in (1, 2)]
    assert channels == [[("x", "pull"), ("y", ""), ("z", "")], [("x", "push"), ("y", ""), ("z", "")]]


def test_calls_say_nothing_about_the_state() -> None:
    tree = RoleTree(group("r", task("t"), call("c", "before_CONFIGURE")), {}, {}, {})
    tree.update(tree.ordered[1], state=TaskState.CONFIGURED)
    assert tree.root.state is TaskState.CONFIGURED
    assert tree.ordered[2].state.wire == "UNKNOWN"


def test_siblings_of_one_name_are_different_roles() -> None:
    tree = RoleTree(group("r", task("dpl"), task("dpl")), {}, {}, {})
    tree.update(tree.ordered[1], status=Status.ACTIVE)
    assert [role.status.value for role in tree.by_path["r.dpl"]] == ["ACTIVE", "INACTIVE"]
    assert tree.root.status is Status.PARTIAL
