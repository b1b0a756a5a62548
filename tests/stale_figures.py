"""What a test found out about stale figures, and the end of a test run prints."""

RECORDED = "stale figures"
"""Name of the property that the test records."""


def print_recorded(terminal):
    """Print what was recorded by a test, which may have run in another process."""
    recorded = [
        line
        for report in terminal.getreports("passed")
        for name, lines in report.user_properties
        if name == RECORDED
        for line in lines
    ]
    if recorded:
        terminal.section("figures of docs/results")
        for line in recorded:
            terminal.write_line(line)
