"""Verbs on recordings: make one, play one, check one."""

from __future__ import annotations

import asyncio

from console.exit_codes import NOT_MET, UNCLASSIFIED, ExitError
from console.present import size, span
from console.recorder import Recorder
from console.recording import Recording
from console.recordings import new_path
from console.results import Context, Result
from console.verbs.follow import Watcher

PLAY_S = 3600.0
"""For playing as fast as possible."""
GRACE_S = 60.0
"""More than a recording should last at its speed."""


async def record(context: Context) -> Result:
    """Record until the time is over, a signal comes, or the disk is full; the core may come and go meanwhile."""
    session, args = context.session, context.args
    path = new_path(context.recordings, args.file)
    ended = asyncio.Event()

    def end(why: str) -> None:
        context.say(why)
        ended.set()

    await session.picture()
    recorder = Recorder(session, path, say=end)
    try:
        async with recorder:
            context.say(f"recording to {path}; Ctrl-C ends it")
            async with asyncio.timeout(args.timeout):  # none: until a signal comes
                await ended.wait()
    except TimeoutError:
        pass
    finally:
        if recorder.size_bytes:
            context.say(f"recorded {span(recorder.duration_s)}, {size(recorder.size_bytes)} to {path}")
    facts = {"file": str(path), "duration_s": round(recorder.duration_s, 3), "bytes": recorder.size_bytes}
    code = UNCLASSIFIED if recorder.problem else 0
    return Result(facts=facts, ids=(str(path),), code=code)


async def replay(context: Context) -> Result:
    """Write a line for each change as it was recorded, to the end."""
    session = context.session
    source = session.replay
    assert source is not None, "the command line opens a recording for this verb"
    watcher = Watcher(context, "")
    left_s = source.duration_s - source.position_s
    with session.listening(watcher.on_change):
        if not await session.until(lambda: source.at_end, left_s / source.speed + GRACE_S if source.speed else PLAY_S):
            raise ExitError(UNCLASSIFIED, f"{source.name}: not at its end in time, at {source.position_s:.1f} s")
    return Result(rows=())


async def check(context: Context) -> Result:
    """Read a whole recording; what was changed or is missing is not met, what cannot be read is an error."""
    source = context.session.replay
    assert source is not None, "the command line opens a recording for this verb"
    recording = source.recording
    changes = await asyncio.to_thread(_count_changes, recording)
    header = recording.header
    facts = {
        "file": str(recording.path),
        "schema": header.schema,
        "is_intact": not recording.warnings,
        "started": header.started,
        "duration_s": round(recording.duration_s, 3),
        "endpoint": header.endpoint,
        "instance": header.instance,
        "user": header.user,
        "version": header.version,
        "bytes": recording.size_bytes,
        "batches": recording.count,
        "changes": changes,
        "acts": len(recording.acts),
        "marks": [{"t_s": mark.t, "text": mark.text} for mark in recording.marks],
        "warnings": recording.warnings,
    }
    text = "".join(f"{mark.t:9.3f}  {mark.text}\n" for mark in recording.marks)
    problem = "\n".join(f"{recording.path}: {warning}" for warning in recording.warnings)
    return Result(facts=facts, text=text, code=NOT_MET if problem else 0, problem=problem)


def _count_changes(recording: Recording) -> int:
    changes = index = 0
    for start in recording.pictures:
        recording.read(start, 1, is_afresh=True)  # they can be read, too
    while index < recording.count:
        moments, index = recording.read(index, 100)
        changes += sum(len(moment.batch.changes) for moment in moments)
    return changes
