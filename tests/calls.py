"""Calls for worker processes, which find them here."""

import math
import os
import signal
import time

from gatewright.errors import DataError, DivergenceError


def square(value):
    """Give the square, and who computed it."""
    return value * value, os.getpid()


def refuse(value):
    """Raise an error."""
    raise DataError(f"not {value}")


def told_square(value, progress):
    """Do what `square` does, and tell it."""
    progress("square", 1, 1, f"{value}")
    return square(value)


def told_refusal(value, progress):
    """Do what `refuse` does."""
    refuse(value)


def die_once(marker, value):
    """Kill the own process the first time, give the value the second."""
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return value
    return die(value)


def die(*values):
    """Kill the own process, whatever is given."""
    os.kill(os.getpid(), signal.SIGKILL)


def wait_long(marker):
    """Say in which process the call runs, and go on for minutes."""
    marker.write_text(f"{os.getpid()}")
    time.sleep(600)


def score(values):
    """Score of a tuned training: best at a rate of 0.01 and a drop of 0.3; rates above 0.5 diverge."""
    if values["rate"] > 0.5:
        raise DivergenceError("too fast")
    return (
        90 - 5 * abs(math.log10(values["rate"]) + 2) - 10 * abs(values["drop"] - 0.3) + values["units"] / 64
    )
