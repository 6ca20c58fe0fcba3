"""How much memory a command may take: what others wrote may unpack to more than any machine has."""

import contextlib
import os
import resource
from collections.abc import Iterator

MOST = 8 << 30


@contextlib.contextmanager
def bounded(most: int = MOST) -> Iterator[None]:
    """For so long this process gets no more than `most` bytes, or three quarters of what the machine has: then it is a
    MemoryError, and nobody else's trouble."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [most, machine // 4 * 3, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
