"""How soon a thread of this process runs once it has something to do, on a busy machine and in a busy interpreter.

A pull crosses two processes and wakes a thread in each. On a machine with more work than processors each of them could
wait for the time slice of whoever runs: milliseconds, each time.
"""

import sys

SWITCH_SECONDS = 0.0001
"""How long a busy thread may keep the interpreter from the one that reads keys, or from the cord's."""

SLICE_NS = 100_000
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_SIZE = 56


def be_prompt() -> None:
    """For the calling thread and all that it starts: ask the kernel for little processor time at once rather than much
    in a row (it is then given earlier, without being given more), and keep the interpreter's turns short. Kernels older
    than Linux 6.12 know no such wish; there, and wherever it fails, only the interpreter changes."""
    import ctypes
    import os
    import struct

    sys.setswitchinterval(SWITCH_SECONDS)
    number = _SCHED_SETATTR.get(os.uname().machine)
    if sys.platform == "linux" and number is not None and os.sched_getscheduler(0) == os.SCHED_OTHER:
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        # struct sched_attr: size, policy, flags, nice, priority, runtime (here: the slice), deadline, period, two clamps
        wish = struct.pack("=IIQiIQQQII", _SIZE, os.SCHED_OTHER, 0, nice, 0, SLICE_NS, 0, 0, 0, 0)
        ctypes.CDLL(None).syscall(number, 0, wish, 0)
