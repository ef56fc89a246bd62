"""The table of verbs: names, arguments, what they change, and where the code of each stands (verbs/*.py).

Every front end reads it: command line, scripts, help, the prompt, keys and palette of the screen. It imports nothing
heavy, so that help is there at once. How a line becomes a call: parse.py.
"""

from __future__ import annotations

from console.command import (
    ATTENDED,
    FLAG,
    LINE,
    LIST,
    NOUNS,
    REPL,
    SCREEN,
    SECONDS,
    Arg,
    Command,
)

_ENV = Arg(
    "env", "environment: id, its first 3 or more characters, @last, @run, @RUNNUMBER or @DETECTOR", completes="env"
)
_OF_ENV = Arg("--env", "only those of this environment; all: of every one", short="-E", completes="env")
_TASK = Arg("task", "task id, or its first characters", completes="task")
_HOST = Arg("host", "name of a host", completes="host")
_INDEX = Arg("index", "as repo ls shows it", completes="repo")
_TEMPLATE = Arg("template", "NAME[@REVISION] or HOST/ORG/REPO/workflows/NAME[@REVISION]", completes="template")
_TIMEOUT = Arg("--timeout", "give up waiting after so long (3s, 2m)", SECONDS)
_QUIET = Arg("--quiet", "no progress on stderr", FLAG, short="-q")
_DONE = (_ENV, _TIMEOUT, _QUIET)
_CREATION = (
    Arg("--workflow-template", f"template: {_TEMPLATE.help}", short="-w", metavar="TEMPLATE", completes="template"),
    _TEMPLATE._replace(help="the same, without -w", optional=True),
    Arg(
        "--extra-vars",
        "variables: k=v, k=v,k2=v2, or JSON; may be repeated",
        LIST,
        short="-e",
        metavar="VARS",
        completes="variable",
    ),
    Arg("--hosts", "hosts, separated by commas: sets the variable hosts", metavar="H1,H2", completes="host"),
    Arg(
        "--detectors",
        "detectors, separated by commas: sets the variable detectors",
        metavar="D1,D2",
        completes="detector",
    ),
)

COMMANDS: tuple[Command, ...] = (
    Command(
        "env ls",
        "list environments",
        "environments:ls",
        (Arg("--show-all", "accepted for coconut: all are always shown", FLAG, short="-s"),),
        ("list", "l"),
        columns=("id", "template", "state", "run", "detectors", "hosts", "tasks", "created", "transition"),
    ),
    Command(
        "env show",
        "show one environment, and its first fault if there is one",
        "environments:show",
        (
            _ENV,
            Arg("--tasks", "its tasks too", FLAG, short="-t"),
            Arg("--workflow", "its tree of roles too", FLAG, short="-w"),
            Arg("--services", "data of integrated services too", FLAG, short="-s"),
            Arg("--vars", "its variables too", FLAG),
        ),
        ("get", "s", "g"),
    ),
    Command(
        "env create",
        "create an environment from a workflow template and wait until it is CONFIGURED",
        "lifecycle:create",
        (
            *_CREATION,
            Arg("--public", "accepted for coconut: true or false", short="-p", default="true", choices=("true", "false")),
            Arg("--auto", "start and stop by itself; prints its events until it ends", FLAG, short="-a"),
            Arg("--asynchronous", "return as soon as the core accepted it", FLAG, short="-y"),
            _TIMEOUT, _QUIET,
        ),
        ("new", "c", "n", "/create"),
        2,
        "NewEnvironment",
        keys="f7",
    ),
    Command(
        "env plan",
        "show what env create would make: roles, hosts, commands, channels; nothing is deployed",
        "plan:plan",
        (
            *_CREATION,
            Arg("--commands", "the command line and environment of every task too", FLAG),
            Arg("--channels", "the channels of every task too", FLAG),
        ),
        ("dry-run",),
    ),
    Command("env deploy", "launch the tasks of a STANDBY environment", "lifecycle:control", _DONE, ("/deploy",), 1,
            "ControlEnvironment", "DEPLOY"),
    Command("env configure", "configure all tasks", "lifecycle:control", _DONE, ("conf", "/configure"), 1,
            "ControlEnvironment", "CONFIGURE", keys="c"),
    Command("env start", "start a run", "lifecycle:control", _DONE, ("/start",), 2, "ControlEnvironment",
            "START_ACTIVITY", keys="s"),
    Command("env stop", "stop the run", "lifecycle:control", _DONE, ("/stop",), 3, "ControlEnvironment",
            "STOP_ACTIVITY", keys="s"),
    Command("env reset", "reset all tasks", "lifecycle:control", _DONE, ("/reset",), 1, "ControlEnvironment", "RESET",
            keys="r"),
    Command(
        "env control",
        "ask for any transition by the name of its event",
        "lifecycle:control",
        (_ENV, Arg("--event", "DEPLOY, CONFIGURE, START_ACTIVITY, STOP_ACTIVITY or RESET", short="-e", required=True,
                   completes="event"),
         _TIMEOUT, _QUIET),
        ("ctl", "ct", "t", "/ctl"),
        1,
        "ControlEnvironment",
    ),
    Command(
        "env destroy",
        "reset and remove an environment; tasks end cleanly unless --force",
        "lifecycle:destroy",
        (
            _ENV,
            Arg("--keep-tasks", "leave the tasks running, without an environment", FLAG, short="-k"),
            Arg("--allow-in-running-state", "also if a run is on: it is stopped first", FLAG, short="-a"),
            Arg("--force", "no STOP and no RESET: tasks are killed where they are", FLAG, short="-f"),
            _TIMEOUT, _QUIET,
        ),
        ("des", "d", "rm", "/destroy"),
        3,
        "DestroyEnvironment",
        keys="d",
    ),
    Command(
        "env wait",
        "wait until an environment reaches a state",
        "follow:wait",
        (_ENV, Arg("--state", "state, or several separated by commas", short="-s", required=True, completes="state"),
         _TIMEOUT, _QUIET),
        ("/wait",),
    ),
    Command(
        "env watch",
        "print a line for each change until interrupted",
        "follow:watch",
        (_ENV._replace(help=f"{_ENV.help}; all of them if left out", optional=True),
         Arg("--events", "every event, not only states", FLAG), Arg("--timeout", "stop after so long", SECONDS)),
        ("/watch",),
    ),
    Command("task ls", "list all tasks", "tasks:ls",
            (_OF_ENV, Arg("--state", "only those in this state", completes="state"),
             Arg("--class", "only those of this class", metavar="NAME"),
             Arg("--host", "only those on this host", completes="host", metavar="HOST")),
            ("list", "l"),
            columns=("task id", "class", "host", "env", "state", "status", "crit", "pid", "problem")),
    Command("task show", "show one task: command, channels, properties, last error", "tasks:show",
            (_TASK,), ("get", "s")),
    Command(
        "task clean",
        "kill tasks that belong to no environment: the named ones, or all",
        "tasks:clean",
        (Arg("tasks", "task ids", LIST, completes="task"),),
        ("cleanup", "cl"),
        3,
        "CleanupTasks",
    ),
    Command("task transition", "send one transition to one task, beside its environment", "tasks:transition",
            (_TASK, Arg("event", "of the task", choices=("CONFIGURE", "START", "STOP", "RESET", "RECOVER")),
             Arg("--argument", "k=v, wins over its environment's; may be repeated", LIST, short="-a", metavar="K=V")),
            ("tr",), 2, "TransitionTask"),
    Command("task kill", "kill one task, also one that an environment uses", "tasks:kill",
            (_TASK, Arg("--force", "also a critical one of an environment in a run", FLAG, short="-f")), (), 3,
            "KillTask"),
    Command(
        "task tail",
        "print what a task wrote: the last lines, and what follows",
        "outputs:tail",
        (
            _TASK,
            Arg("--lines", "so many of the last lines", short="-n", default="20", metavar="N"),
            Arg("--offset", "begin at this byte instead", metavar="BYTE"),
            Arg("--stderr", "its standard error", FLAG, short="-x"),
            Arg("--follow", "go on until the task ends or it is interrupted", FLAG, short="-f"),
            Arg("--timeout", "stop after so long", SECONDS),
        ),
        ("log", "output"),
    ),
    Command("role query", "show the roles whose path matches a glob, with variables", "roles:query",
            (_ENV, Arg("path", "glob on the role path, * and ** as in AliECS", default="**", optional=True,
                   completes="role")),
            ("q", "ls", "list"), columns=("path", "state", "status")),
    Command("role tree", "show the tree of roles with their states", "roles:tree", (_ENV,),
            columns=("path", "name", "state", "status", "task")),
    Command(
        "templ ls",
        "list workflow templates",
        "templates:ls",
        (
            Arg("pattern", "REPO-GLOB[@REVISION-GLOB]", optional=True),
            Arg("--repository", "glob or index", short="-r", completes="repo"),
            Arg("--revision", "glob", short="-i", completes="revision"),
            Arg("--all-branches", "of every branch", FLAG, short="-b"),
            Arg("--all-tags", "of every tag", FLAG, short="-t"),
            Arg("--all-workflows", "also those that are not public", FLAG, short="-a"),
            Arg("--show-description", "accepted for coconut: always shown", FLAG, short="-d"),
        ),
        ("list", "l"),
        columns=("repo", "revision", "template", "description"),
    ),
    Command("templ vars", "list the variables that a template offers", "templates:variables",
            (_TEMPLATE,), ("show", "get"), columns=("name", "type", "default", "allowed", "panel", "label")),
    Command("repo ls", "list template repositories", "repositories:ls",
            (Arg("--revisions", "with their branches and tags", FLAG),), ("list", "l"),
            columns=("id", "repository", "default", "default revision")),
    Command("repo add", "add a template repository", "repositories:add",
            (Arg("url", "HOST/ORG/REPO, user@host:PATH or a local path"),
             Arg("--default-revision", "branch or tag", short="-d")),
            ("new", "a"), 1, "AddRepo"),
    Command("repo rm", "remove a template repository", "repositories:rm", (_INDEX,),
            ("remove", "r", "delete", "del", "d"), 4, "RemoveRepo"),
    Command("repo refresh", "fetch a repository, or all", "repositories:refresh",
            (_INDEX._replace(help=f"{_INDEX.help}; all if left out", optional=True),), ("update", "u"), 1, "RefreshRepos"),
    Command("repo default", "make a repository the default one", "repositories:default",
            (_INDEX,), (), 3, "SetDefaultRepo"),
    Command("repo default-revision", "set the default revision of all repositories, or of one",
            "repositories:default_revision",
            (Arg("arguments", "REVISION, or INDEX REVISION", LIST),), (), 3, "SetGlobalDefaultRevision"),
    Command("info", "show the core, its detectors and services", "core:info"),
    Command("services", "show the integrated services", "core:services",
            columns=("id", "enabled", "name", "endpoint", "connection state")),
    Command("hosts", "show the hosts and their executors", "core:hosts",
            columns=("name", "address", "detector", "executor", "tasks", "version", "drained")),
    Command("host ls", "list the hosts: executors with versions, resources, tasks", "hosts:ls", (), ("list", "l"),
            columns=("host", "executor", "version", "up", "tasks", "free cpus", "free memory", "detector", "envs", "drained")),
    Command("host show", "show one host, its executor and the tasks there", "hosts:show",
            (_HOST,), ("get", "s")),
    Command("host drain", "place no new task on a host; what runs there goes on", "hosts:drain",
            (_HOST, Arg("--why", "for those who find it drained", short="-w", metavar="TEXT")), (), 2, "DrainHost"),
    Command("host undrain", "let tasks be placed on a host again", "hosts:undrain", (_HOST,), (), 1, "UndrainHost"),
    Command("host restart", "end the executor of a host with its tasks, and start a new one", "hosts:restart",
            (_HOST, Arg("--force", "also with tasks of environments: they are killed", FLAG, short="-f")), (), 3,
            "RestartExecutor"),
    Command("record", "write what the core shows to a file, until interrupted", "recordings:record",
            (Arg("file", "a new file; one in the folder of recordings if left out", optional=True),
             Arg("--timeout", "stop after so long", SECONDS)), keys="R", surfaces=(LINE, SCREEN)),
    Command(
        "replay",
        "play a recording on the screen; as lines where there is no terminal",
        "recordings:replay",
        (
            Arg("file", "recording, or the name of a shipped one", completes="recording"),
            Arg("--speed", "times real time, 0.1 to 60, 0 for as fast as possible; 1 on the screen, else 0", metavar="X"),
            Arg("--at", "begin there: 90s or 1m30s from its start, or the time of day 21:02:05", metavar="T"),
            Arg("--events", "every event, not only states", FLAG),
            Arg("--headless", "print lines also where there is a terminal", FLAG),
        ),
        surfaces=(LINE, SCREEN),
        is_replay=True,
    ),
    Command("recording check", "check a recording: whole, unchanged, readable; what is in it", "recordings:check",
            (Arg("file", "recording, or the name of a shipped one", completes="recording"),), surfaces=(LINE,),
            is_replay=True),
    Command("events", "show the last events that the core told", "events:events",
            (Arg("--count", "so many at most", short="-n", default="20"), _OF_ENV,
             Arg("--errors", "only what went wrong", FLAG, short="-x")),
            columns=("time", "kind", "env", "event")),
    Command("tail", "print events as they come until interrupted", "events:tail",
            (_OF_ENV, Arg("--errors", "only what went wrong", FLAG, short="-x"),
             Arg("--timeout", "stop after so long", SECONDS)), surfaces=(LINE, REPL)),
    Command("explain", "say what an environment, a task, an error or an exit code means, and what to do", "explain:explain",
            (Arg("words", "id, code or message; the last error if left out", LIST, completes="env"),)),
    Command("use", "choose the environment that verbs are about when they name none", "seat:use",
            (Arg("environment", "as for every verb, or none", completes="env"),), surfaces=ATTENDED),
    Command("arm", "allow what changes something, until nothing was done for a while", "seat:arm",
            (Arg("time", "for so long without activity: 5m; 15m if left out", optional=True),), keys="A", surfaces=ATTENDED),
    Command("disarm", "observe only", "seat:disarm", keys="A", surfaces=ATTENDED),
    Command("whoami", "show who acts, on which core, and whether armed", "seat:whoami", surfaces=ATTENDED),
    Command("theme", "choose the colours", "seat:theme", (Arg("name", "name of a theme", completes="theme"),), keys="T",
            surfaces=ATTENDED),
    Command("set", "show or change the settings of this prompt", "seat:set_",
            (Arg("name", "output, notify, editing or theme", optional=True, completes="setting"),
             Arg("value", "the new value", optional=True, completes="setting")), surfaces=(REPL,)),
    Command("connect", "go to another core", "seat:connect", (Arg("address", "HOST:PORT"),), surfaces=(REPL,)),
    Command("history", "show the last lines", "seat:history", (Arg("count", "so many", optional=True, default="20"),),
            surfaces=(REPL,)),
    Command("source", "run a script", "seat:source",
            (Arg("file", "as for aliecs --script", completes="file"),
             Arg("--var", "variable of the script: k=v; may be repeated", LIST)), surfaces=(REPL,)),
    Command("jobs", "show what goes on in the background: lines that ended with &", "seat:jobs", surfaces=(REPL,),
            columns=("job", "line", "for")),
    Command("help", "show the verbs, or one of them", "seat:help_", (Arg("words", "verb", LIST, completes="command"),),
            keys="question_mark", surfaces=ATTENDED),
    Command("quit", "leave; the core goes on", "seat:quit_", aliases=("/exit",), keys="ctrl+q", surfaces=ATTENDED),
    Command("about", "show version, endpoint and settings of this console", "core:about", surfaces=(LINE,)),
    Command("keys", "print the keys of the screen, as a file to be changed", "core:keys", surfaces=(LINE,)),
    Command("repl", "open the prompt; reads lines where it is no terminal", "core:repl", surfaces=(LINE,)),
    Command("tui", "open the screen; what no verb at all does in a terminal", "core:tui", surfaces=(LINE,)),
)  # fmt: skip


def find(words: list[str], surface: str = "") -> tuple[Command, list[str]] | None:
    """Return the command that these words begin with, and the words that follow; None if there is none.

    Args:
        surface: only commands that exist there; "" for all.
    """
    if not words:
        return None
    noun = noun_of(words[0])
    if noun and len(words) > 1:
        for command in commands_of(surface):
            first, _, verb = command.name.partition(" ")
            if first == noun and (words[1] == verb or words[1] in command.aliases):
                return command, words[2:]
    for command in commands_of(surface):
        if command.name == words[0] or f"/{words[0]}" in command.aliases:
            return command, words[1:]
    return None


def commands_of(surface: str = "") -> list[Command]:
    """Return the commands that exist on a surface, in the order of the table; all for ""."""
    return [command for command in COMMANDS if not surface or surface in command.surfaces]


def noun_of(word: str) -> str | None:
    """Return the canonical noun, None for a word that is none."""
    if word in NOUNS:
        return word
    return next((noun for noun, spellings in NOUNS.items() if word in spellings), None)


def verbs_of(noun: str) -> list[Command]:
    """Return the commands of a noun, in the order of the table."""
    return [command for command in COMMANDS if command.name.startswith(f"{noun} ")]
