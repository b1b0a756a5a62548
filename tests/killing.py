"""What tests that kill processes wait for."""

import time


def until(condition):
    """Wait for a condition; the suite's own limit ends it if it never comes."""
    while not condition():
        time.sleep(0.02)


def alive(process):
    """Whether a process runs: one that nobody has waited for yet does not."""
    try:
        with open(f"/proc/{process}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
