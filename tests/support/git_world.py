"""Real git for tests of repositories: bare repositories, an HTTP server in front of ``git http-backend``, and a false ssh."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from server.ids import new_id
from server.workflow.git import GitSettings
from server.workflow.register import Repositories

GIT_S = 60.0
TASK = "name: {name}\nwants: {{cpu: 0.1, memory: 1}}\ncommand: {{value: echo}}\n"
IDENTITY = {
    "GIT_AUTHOR_NAME": "Author", "GIT_AUTHOR_EMAIL": "author@localhost", "GIT_COMMITTER_NAME": "Author",
    "GIT_COMMITTER_EMAIL": "author@localhost", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip


def git(folder: Path, *arguments: str, data: bytes | None = None) -> str:
    """Run git in a folder and return what it says."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], input=data, capture_output=True, timeout=GIT_S, check=False,
        env={**os.environ, **IDENTITY},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def flow(name: str = "flow", *, description: str = "", task: str = "x") -> str:
    """Return a public workflow of one task."""
    about = f"description: !public {description}\n" if description else ""
    return f"name: !public {name}\n{about}roles: [{{name: t, task: {{load: {task}}}}}]\n"


class Origin:
    """A repository that others clone: a bare one, and a work tree to make its commits in.

    Attributes:
        bare: the folder ``<name>.git``.
    """

    def __init__(self, root: Path, name: str, *, branch: str = "master") -> None:
        self.bare = root / f"{name}.git"
        self.tree = root / ".trees" / name
        self.bare.mkdir(parents=True)
        self.tree.mkdir(parents=True)
        git(self.bare, "init", "--quiet", "--bare", f"--initial-branch={branch}")
        git(self.tree, "init", "--quiet", f"--initial-branch={branch}")
        git(self.tree, "remote", "add", "origin", str(self.bare))

    def commit(self, files: Mapping[str, str], *, branch: str = "", tag: str = "") -> str:
        """Write files, commit them on the branch, tag them, push; returns the commit."""
        if branch:
            git(self.tree, "checkout", "--quiet", "-B", branch)
        for name, text in files.items():
            path = self.tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git(self.tree, "add", "--all")
        git(self.tree, "commit", "--quiet", "--allow-empty", "--message", "a change")
        if tag:
            git(self.tree, "tag", "--annotate", "--message", tag, tag)
        git(self.tree, "push", "--quiet", "--force", "--follow-tags", "origin", "HEAD")
        return git(self.tree, "rev-parse", "HEAD")

    def templates(self, *, branch: str = "", tag: str = "", **descriptions: str) -> str:
        """Commit workflows with these descriptions, and the task of all."""
        files = {f"workflows/{name}.yaml": flow(name, description=text) for name, text in descriptions.items()}
        return self.commit({**files, "tasks/x.yaml": TASK.format(name="x")}, branch=branch, tag=tag)


class GitServer:
    """``git http-backend`` behind HTTP on loopback.

    Attributes:
        hold: clear it, and requests wait until it is set.
        asked: set when a request came in.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hold = threading.Event()
        self.hold.set()
        self.asked = threading.Event()
        self.requests = 0
        world = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                world.requests += 1
                world.asked.set()
                world.hold.wait(GIT_S)
                world.answer(self)

            do_POST = do_GET

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    @property
    def configuration(self) -> tuple[str, ...]:
        """What sends git here instead of to the real host."""
        return (f"url.{self.url}.insteadOf=https://git.example/", "protocol.http.allow=always")

    def close(self) -> None:
        self.hold.set()
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._thread.join(GIT_S)
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        target = urlsplit(handler.path)
        encoding = handler.headers.get("Transfer-Encoding", "")
        body = (
            self._chunks(handler) if encoding else handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        )
        done = subprocess.run(
            ["git", "http-backend"], input=body, capture_output=True, timeout=GIT_S, check=False,
            env={
                **os.environ, "GIT_PROJECT_ROOT": str(self.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": target.path,
                "QUERY_STRING": target.query, "REQUEST_METHOD": handler.command, "REMOTE_ADDR": "127.0.0.1",
                "CONTENT_TYPE": handler.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": handler.headers.get("Git-Protocol", ""),
            },
        )  # fmt: skip
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        handler.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        with contextlib.suppress(ConnectionError):  # who asked was killed
            handler.wfile.write(content)

    def _chunks(self, handler: BaseHTTPRequestHandler) -> bytes:
        body = b""
        while size := int(handler.rfile.readline().strip() or b"0", 16):
            body += handler.rfile.read(size)
            handler.rfile.readline()
        handler.rfile.readline()
        return body


def false_ssh(folder: Path, root: Path) -> str:
    """Return a command that stands for ssh: it writes down how it was called, and serves repositories below a folder."""
    program = folder / "ssh.py"
    program.write_text(
        "import os, pathlib, shlex, sys\n"
        f"pathlib.Path({str(folder / 'ssh-calls')!r}).open('a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        "command, path = shlex.split(sys.argv[-1])\n"
        f"os.execvp('git', ['git', command.removeprefix('git-'), {str(root)!r} + path])\n"
    )
    return f"{sys.executable} {program}"


class RuntimeStore:
    """Runtime entries in memory."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    async def get(self, key: str) -> str | None:
        return self.entries.get(key)

    async def put(self, key: str, value: str) -> None:
        self.entries[key] = value


class RepositoryWorld:
    """A folder of a core, its runtime entries, and a server with origins at ``git.example``.

    Attributes:
        root: folder of the origins.
        git: how git is run; may be changed before opened().
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "core"
        self.root = folder / "origins"
        self.root.mkdir()
        self.store = RuntimeStore()
        self.server = GitServer(self.root)
        self.instance = f"test-{new_id()}"
        self.git = GitSettings(
            configuration=self.server.configuration, instance=self.instance, transfer_timeout_s=120.0
        )

    def origin(self, name: str, *, branch: str = "master") -> Origin:
        return Origin(self.root, name, branch=branch)

    async def opened(self, default: str = "", *, overall: str = "master") -> Repositories:
        """Return what a core finds when it starts here."""
        return await Repositories.open(
            self.folder, default_repo=default, global_default_revision=overall, get=self.store.get, put=self.store.put,
            git=self.git,
        )  # fmt: skip

    def processes(self) -> list[int]:
        """Return the processes that were started for this world and still run."""
        mark = f"ALIECS_INSTANCE={self.instance}".encode()
        return [
            int(one.name) for one in Path("/proc").iterdir() if one.name.isdecimal() and _has(one / "environ", mark)
        ]

    def close(self) -> None:
        self.server.close()
        assert not self.processes()


def _has(environment: Path, mark: bytes) -> bool:
    try:
        return mark in environment.read_bytes().split(b"\0")
    except OSError:
        return False
