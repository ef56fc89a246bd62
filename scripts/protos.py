"""Generate the Python code of every .proto file, beside it, or into another folder (for the test that compares)."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("occ/api", "executor/api", "server/api")


def generate(target: Path) -> None:
    """Write ``*_pb2.py``, ``*_pb2_grpc.py`` and typed stubs of all protos below ``target``.

    Raises:
        SystemExit: protoc refused a file; its messages are on stderr.
    """
    os.environ["PATH"] = sysconfig.get_path("scripts") + os.pathsep + os.environ.get("PATH", "")  # protoc-gen-mypy
    sources = [str(path.relative_to(ROOT)) for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.proto"))]
    arguments = [f"-I{ROOT}", *(f"--{kind}_out={target}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc"))]
    if protoc.main(["protoc", *arguments, *(str(ROOT / source) for source in sources)]):
        raise SystemExit("protoc failed")
    without_service = [path for path in target.glob("*/api/*_pb2_grpc.py") if "Servicer" not in path.read_text()]
    for path in without_service:
        path.unlink()
        path.with_suffix(".pyi").unlink(missing_ok=True)


if __name__ == "__main__":
    generate(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT)
