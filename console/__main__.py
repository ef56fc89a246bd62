"""The command ``aliecs``: chooses the front end and imports nothing that the chosen one does not need."""

from __future__ import annotations

import sys

from console import plugins
from console.command import LINE
from console.commands import commands_of, find
from console.output import reopen_closed, told, write

OVERVIEW = """\
usage: aliecs [OPTIONS] VERB ...            one command
       aliecs [OPTIONS] --script FILE|-     a script
       aliecs [OPTIONS] -c 'CMD; CMD'       a script in words
       aliecs [OPTIONS] repl                a prompt
       aliecs [OPTIONS]                     the screen, in a terminal

options:
  --endpoint HOST:PORT   core (default 127.0.0.1:32102, or ALIECS_CONSOLE_ENDPOINT)
  --config FILE          settings (default ~/.config/aliecs/settings.toml)
  -o, --output FORMAT    table, json, ndjson or id
  --theme NAME           how the screen looks: dark, light, okabe-ito, mono, or a theme of yours
  --nocolor, --ascii     no colours (as NO_COLOR); only ASCII characters
  --reduced-motion       nothing turns, slides or blinks
  --read-only            change nothing, whatever is armed or confirmed
  --yes                  confirm what a script changes; --confirm TOKEN and --reason TEXT for more
  --var K=V              variable of a script; may be repeated
  --check, --dry-run     of a script: parse only; connect and read only
  --on-error WHAT        of a script: stop, continue or cleanup
  --deadline DURATION    of a script: for the whole of it
  -V, --version          print the version
  -h, --help             this; aliecs VERB --help says more

verbs:
"""


def main(argv: list[str] | None = None) -> int:
    """Run the console and return its exit code (clients.md 5.12)."""
    words = sys.argv[1:] if argv is None else argv
    reopen_closed()
    if words in (["-h"], ["--help"], ["help"]):
        return told(_help)
    if words and find(words[:1], LINE) is None and (added := _added(words)) is not None:
        return added
    from console.front import run  # argparse and all that follows: not for help

    return run(words)


def _help() -> int:
    write(overview())
    return 0


def overview() -> str:
    """Return the help of the whole program."""
    known = commands_of(LINE)
    width = max(len(command.name) for command in known) + 2
    lines = [f"  {command.name:{width}}{command.help}" for command in known]
    lines += [f"  {name:{width}}added by {target.partition('.')[0]}; see aliecs {name} --help"
              for name, target in sorted(plugins.names().items())]  # fmt: skip
    return OVERVIEW + "\n".join(lines) + "\n"


def _added(words: list[str]) -> int | None:
    """Run a verb that another package adds; None if the first word is none."""
    if words[0].startswith("-"):
        return None
    run = plugins.load(words[0])
    return None if run is None else run(words[1:])


if __name__ == "__main__":
    sys.exit(main())
