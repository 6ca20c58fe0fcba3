"""How soon a thread of this process runs once it has something to do, on a busy machine and in a busy interpreter.

A pull crosses two processes and wakes a thread in each. On a machine with more work than processors each of them could
wait for the time slice of whoever runs: milliseconds, each time.
"""

import sys

SWITCH_SECONDS = 0.0001
"""How long a busy thread may keep the interpreter from the one that reads keys, or from the cord's."""

SLICE_NS = 500_000
SLACK_NS = 1000
_PR_SET_TIMERSLACK = 29
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_SIZE = 56


def be_prompt() -> None:
    """For the calling thread and all that it starts: keep the interpreter's turns short, and ask the kernel to end
    short waits in time and to give little processor time at once rather than much in a row (it is then given earlier,
    without being given more). Kernels older than Linux 6.12 do not know the last wish. What fails changes nothing."""
    import ctypes
    import os
    import struct

    sys.setswitchinterval(SWITCH_SECONDS)
    if sys.platform != "linux":
        return
    kernel = ctypes.CDLL(None)
    kernel.prctl(_PR_SET_TIMERSLACK, SLACK_NS)
    number = _SCHED_SETATTR.get(os.uname().machine)
    if number is not None and os.sched_getscheduler(0) == os.SCHED_OTHER:
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        # struct sched_attr: size, policy, flags, nice, priority, runtime (here: the slice), deadline, period, clamps
        wish = struct.pack("=IIQiIQQQII", _SIZE, os.SCHED_OTHER, 0, nice, 0, SLICE_NS, 0, 0, 0, 0)
        kernel.syscall(number, 0, wish, 0)
