"""How repositories are named."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.api.errors import CoreError, Reason
from server.workflow.addresses import Protocol, identify
from server.workflow.repos import split


@pytest.mark.parametrize(
    ("name", "protocol", "identifier", "revision", "url"),
    [
        ("git.example/Org/Flows", "https", "git.example/Org/Flows", "", "https://git.example/Org/Flows.git"),
        ("git.example/Org/Flows/", "https", "git.example/Org/Flows", "", "https://git.example/Org/Flows.git"),
        ("git.example/Org/Flows.git@v1", "https", "git.example/Org/Flows", "v1", "https://git.example/Org/Flows.git"),
        ("git.example/a/b/c@x/y", "https", "git.example/a/b/c", "x/y", "https://git.example/a/b/c.git"),
        ("git.example/a/b/tasks/reader@0f", "https", "git.example/a/b", "0f", "https://git.example/a/b.git"),
        ("git.example/a/tasks-of-b", "https", "git.example/a/tasks-of-b", "", "https://git.example/a/tasks-of-b.git"),
        ("host:/srv/flows", "ssh", "host:/srv/flows", "", "ssh://git@host:/srv/flows.git"),
        ("a.host.example:/srv/flows.git@m", "ssh", "a.host.example:/srv/flows", "m", "ssh://git@a.host.example:/srv/flows.git"),
        ("host:2222/srv/flows", "ssh", "host:2222/srv/flows", "", "ssh://git@host:2222/srv/flows.git"),
        ("/srv/flows", "local", "/srv/flows", "", "/srv/flows"),
        ("/srv//flows/./x/", "local", "/srv/flows/x", "", "/srv/flows/x"),
        ("/srv/flows.git@v1", "local", "/srv/flows.git", "v1", "/srv/flows.git"),
        ("/home/a.b/.hidden/flows/tasks", "local", "/home/a.b/.hidden/flows", "", "/home/a.b/.hidden/flows"),
    ],
)  # fmt: skip
def test_a_name_says_how_a_repository_is_reached(
    name: str, protocol: str, identifier: str, revision: str, url: str
) -> None:
    address = identify(name)
    assert (address.protocol, address.identifier, address.revision, address.url) == (
        Protocol(protocol), identifier, revision, url,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("https://git.example/Org/Flows", "without a scheme"),
        ("git.example/Org/Flows@a@b", "more than one @"),
        ("git.example/Flows", "too few parts"),
        ("/flows", "too few parts"),
        ("host:/flows", "too few parts"),
        ("", "neither a host nor an absolute path"),
        ("relative/path/repo", "neither a host nor an absolute path"),
        ("git.example/../Flows", "no part of a path"),
        ("git.example/a/.git", "no part of a path"),
        ("git.example/a/-upload-pack=x", "no part of a path"),
        ("git.example/a/b c", "no part of a path"),
        ("git.example//b", "no part of a path"),
        ("-oProxyCommand=x:/a/b", "no host"),
        ("-x.example/a/b", "no host"),
        ("/srv/../etc", "not taken"),
        ("/srv/a\x1b[2Jb", "not taken"),
    ],
)
def test_what_is_no_name_of_a_repository_is_refused(name: str, why: str) -> None:
    with pytest.raises(CoreError, match=why) as caught:
        identify(name)
    assert caught.value.reason is Reason.REPOSITORY
    assert "\x1b" not in caught.value.message


NAMES = st.text(max_size=40) | st.lists(
    st.sampled_from(["a.b", "..", ".", "/", "@", ":", "tasks", "x", "-o", ".git", "/workflows/", "\n", "~"]), max_size=9
).map("".join)


@given(NAMES)
@example("a.b/x/../y")
def test_no_name_leads_out_of_the_folder_of_clones(name: str) -> None:
    try:
        address = identify(name)
    except CoreError as error:
        assert error.reason is Reason.REPOSITORY and error.message.isprintable()
        return
    if address.protocol is not Protocol.LOCAL:
        assert posixpath.normpath(f"/repos/{address.identifier}") == f"/repos/{address.identifier}"
        assert not address.identifier.startswith("-") and address.url.isascii()


@given(NAMES)
def test_no_expression_breaks_the_loader(expression: str) -> None:
    try:
        repo, name, revision = split(expression, "default")
    except CoreError as error:
        assert error.message.isprintable()
        return
    assert repo and "@" not in f"{name}{revision}"
