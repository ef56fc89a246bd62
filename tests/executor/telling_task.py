"""A task of our own kind: it starts only if nobody listens to its stream of states, or, if it is to spoil its pipe, somebody."""

import os
import sys
import time

from occ import Device, run

PIPE = int(os.environ.get("OCC_READY_FD", -1))
SPOILS = "spoil" in sys.argv


class Telling(Device):
    def configure(self, properties):
        if SPOILS:
            os.write(PIPE, b"rubbish\n")

    def start(self):
        streams = self._reporter.states
        while SPOILS and not streams.subscribers:  # until it is listened to again
            time.sleep(0.01)
        return 0 if SPOILS else streams.subscribers

    def stop(self):
        self.fail("as the test wants it")


if __name__ == "__main__":
    sys.exit(run(Telling(), []))
