"""A task that knows nothing of ours: serves occ_pb.Occ on OCC_CONTROL_PORT, misbehaves as told by its arguments."""

import argparse
import os
import signal
import sys
import threading
import time
from concurrent import futures

import grpc

from occ.api import metrics_pb2, metrics_pb2_grpc, occ_pb2, occ_pb2_grpc

MOVES = {
    ("STANDBY", "CONFIGURE"): "CONFIGURED",
    ("CONFIGURED", "START"): "RUNNING",
    ("RUNNING", "STOP"): "CONFIGURED",
    ("CONFIGURED", "RESET"): "STANDBY",
    ("STANDBY", "EXIT"): "DONE",
    ("CONFIGURED", "EXIT"): "DONE",
    ("ERROR", "EXIT"): "DONE",
}


class Task(occ_pb2_grpc.OccServicer, metrics_pb2_grpc.MetricsServicer):
    def __init__(self, options):
        self.options = options
        self.state = options.state
        self.changed = threading.Condition()
        self.states = []
        self.events = []

    def go(self, state):
        with self.changed:
            self.state = state
            self.states.append(state)
            self.changed.notify_all()

    def GetState(self, request, context):
        return occ_pb2.GetStateReply(state=self.state, pid=os.getpid())

    def Transition(self, request, context):
        event = request.transitionEvent
        if event == self.options.hang:
            time.sleep(60)
        if event == self.options.die:
            os.kill(os.getpid(), signal.SIGKILL)
        if request.srcState != self.state:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"is {self.state}, not {request.srcState}")
        for entry in request.arguments:
            sys.stdout.write(f"{entry.key}={entry.value}\n")
        sys.stdout.flush()
        wanted = MOVES.get((self.state, event))
        state = "ERROR" if event == self.options.fail else wanted
        if state is None:
            return occ_pb2.TransitionReply(trigger=1, state=self.state, transitionEvent=event, ok=False)
        self.go(state)
        if event == self.options.close_after:  # once the reply is on its way
            context.add_callback(lambda: threading.Timer(0.05, self.close).start())
        if event == "START" and self.options.error_after_start:
            threading.Timer(0.1, self.break_down).start()
        trigger = occ_pb2.DEVICE_ERROR if state == "ERROR" else occ_pb2.EXECUTOR
        return occ_pb2.TransitionReply(trigger=trigger, state=state, transitionEvent=event, ok=state == wanted)

    def break_down(self):
        self.events.append(occ_pb2.TASK_INTERNAL_ERROR)
        self.go("ERROR")

    def following(self, items, sent):
        """Yield what is appended to ``items``, until DONE."""
        while True:
            with self.changed:
                while len(items) <= sent and self.state != "DONE":
                    self.changed.wait()
                new = items[sent:]
            if not new:
                return
            sent += len(new)
            yield from new

    def StateStream(self, request, context):
        for state in self.following(self.states, len(self.states)):
            yield occ_pb2.StateStreamReply(type=occ_pb2.STATE_STABLE, state=state)
            if state == "DONE":
                return

    def EventStream(self, request, context):
        for kind in self.following(self.events, 0):
            yield occ_pb2.EventStreamReply(event=occ_pb2.DeviceEvent(type=kind))

    def Watch(self, request, context):
        while context.is_active():
            metrics = [metrics_pb2.Metric(name="data.rate", value=12.5, unit="B/s")]
            yield metrics_pb2.Sample(timestamp_ms=int(time.time() * 1000), metrics=metrics)
            time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", default="STANDBY")
    parser.add_argument("--hang", default="")
    parser.add_argument("--die", default="")
    parser.add_argument("--fail", default="")
    parser.add_argument("--close-after", default="")
    parser.add_argument("--error-after-start", action="store_true")
    parser.add_argument("--ignore-sigterm", action="store_true")
    parser.add_argument("--metrics", action="store_true")
    parser.add_argument("--no-port", action="store_true")
    options = parser.parse_args()
    if options.ignore_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if options.no_port:
        time.sleep(60)
    task = Task(options)
    server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    occ_pb2_grpc.add_OccServicer_to_server(task, server)
    if options.metrics:
        metrics_pb2_grpc.add_MetricsServicer_to_server(task, server)
    server.add_insecure_port(f"127.0.0.1:{os.environ['OCC_CONTROL_PORT']}")
    server.start()
    task.close = lambda: server.stop(0)
    with task.changed:
        task.changed.wait_for(lambda: task.state == "DONE")
    server.stop(0.2).wait()
    os._exit(0)


if __name__ == "__main__":
    main()
