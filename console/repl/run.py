"""``aliecs repl``: a prompt on a terminal, lines from anything else."""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
from dataclasses import replace

from console.execute import deadlines_of, timings_of
from console.session import Session
from console.settings import Settings
from server.api.client import Client


def run_repl(settings: Settings, options: argparse.Namespace) -> int:
    """Run it and return the exit code.

    Args:
        options: what every line has too (yes, confirm, reason, nocolor), and ``on_error``.
    """
    gc.enable()  # off since front.py

    def open_session(endpoint: str) -> Session:
        client = Client(endpoint, deadlines=deadlines_of(settings), read_only=settings.read_only)
        return Session(client, timings=timings_of(replace(settings, endpoint=endpoint)))

    if sys.stdin.isatty() and sys.stdout.isatty():
        from console.repl.person import run as run_prompt  # prompt_toolkit comes with it

        return asyncio.run(run_prompt(settings, options, open_session))
    from console.repl.stream import run as run_stream

    return asyncio.run(run_stream(settings, options, open_session))
