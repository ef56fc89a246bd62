"""A program that behaves like one of DPL: started with ``--o2-control NAME`` it writes itself down as templates.

As a module: puts such a program, called ``o2-fake``, and a profile that leads to it into a folder.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

WORKFLOW = """\
name: {name}
vars:
  dpl_command: >-
    {command}
defaults:
  monitoring_dpl_url: "no-op://"
  user: "flp"
  fmq_rate_logging: 0
  shm_segment_size: 10000000000
roles:
"""
ROLE = """\
  - name: "{device}"
    connect: {connect}
    task:
      load: {name}-{device}
"""
CONNECT = """
    - name: from_{before}_to_{device}
      type: pull
      transport: {transport}
      target: "{{{{ Parent().Path }}}}.{before}:from_{before}_to_{device}"
      rateLogging: "{{{{ fmq_rate_logging }}}}\""""
TASK = """\
name: {name}-{device}
control:
  mode: "{mode}"
wants:
  cpu: 0.01
  memory: 1
bind: {bind}
defaults:
  extra_env_vars: ""
command:
  shell: {shell}
  value: "{value}"
  arguments:
{arguments}"""
BIND = """
  - name: from_{device}_to_{after}
    type: push
    transport: {transport}
    addressing: {addressing}
    rateLogging: "{{{{ fmq_rate_logging }}}}"
    sndBufSize: 1"""


def install(folder: Path) -> Path:
    """Make ``o2-fake`` and return the profile that brings it into PATH."""
    programs = folder / "programs"
    programs.mkdir()
    program = programs / "o2-fake"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -I {Path(__file__).resolve()} "$@"\n')
    program.chmod(0o755)
    profile = folder / "o2.sh"
    profile.write_text(f"export PATH={programs}:$PATH\n")
    return profile


def write(name: str, devices: list[str], mode: str, value: str) -> None:
    """Write the templates of a pipeline of devices, each connected to the one before."""
    Path("workflows").mkdir(exist_ok=True)
    Path("tasks").mkdir(exist_ok=True)
    text = WORKFLOW.format(name=name, command=" ".join(sys.argv[1:]))
    for before, device, after in zip(["", *devices], devices, [*devices[1:], ""], strict=False):
        transport, addressing = ("zeromq", "tcp") if mode == "direct" else ("shmem", "ipc")
        given = ("sample", device) if mode == "direct" else ("--id", f"'{device}'")
        arguments = "".join(f'    - "{one}"\n' for one in given)
        wire = {"before": before, "device": device, "after": after, "transport": transport, "addressing": addressing}
        text += ROLE.format(name=name, device=device, connect=CONNECT.format(**wire) if before else "")
        bind = BIND.format(**wire) if after else ""
        task = TASK.format(
            name=name, device=device, mode=mode, bind=bind, value=value, shell="false", arguments=arguments
        )
        Path(f"tasks/{name}-{device}.yaml").write_text(task)
    Path(f"workflows/{name}.yaml").write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--o2-control", default="")
    parser.add_argument("--devices", default="reader,writer")
    parser.add_argument("--mode", default="fairmq")
    parser.add_argument("--value", default="o2-fake")
    parser.add_argument("--config", default="")
    parser.add_argument("--count", help="file that gets a line per run")
    parser.add_argument("--wait", help="fifo: open it for reading before anything is written")
    parser.add_argument(
        "--do", choices=["hang", "fail", "spew", "fill", "leave", "half", "nothing", "environment", "stdin"]
    )
    asked = parser.parse_args()
    if asked.count:
        with open(asked.count, "a") as count:
            count.write(f"{asked.o2_control}\n")
    if asked.wait:
        Path(asked.wait).read_bytes()
    match asked.do:
        case "hang":
            _leave()
            time.sleep(600)
        case "fail":
            print("[FATAL] error while setting up workflow: no such detector")
            sys.exit(3)
        case "spew":
            while True:
                print("x" * 65536)
        case "fill":
            with open("big", "wb") as big:
                while True:
                    big.write(b"x" * 1024 * 1024)
        case "leave":
            _leave()
        case "half":
            Path(f"workflows/{asked.o2_control}.yaml").write_text(f"name: {asked.o2_control}\nroles:\n  - name: 'op")
            return
        case "nothing":
            return
        case "environment":
            print(sorted(os.environ), "in", os.getcwd())
            sys.exit(1)
        case "stdin":
            print(f"stdin has {len(sys.stdin.read())} characters")
            sys.exit(1)
    if asked.o2_control:
        write(asked.o2_control, asked.devices.split(","), asked.mode, asked.value)


def _leave() -> None:
    """Leave processes behind: one in our session, one that has left it, and one that has lost its parent as well."""
    for number in range(3):
        if os.fork() == 0:
            if number:
                os.setsid()
            if number == 2 and os.fork():
                os._exit(0)
            os.execvp("sleep", ["sleep", "599"])


if __name__ == "__main__":
    main()
