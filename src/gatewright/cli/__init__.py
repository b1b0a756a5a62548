"""The command line: every command is a thin layer over a function of the package."""

# The order is that of the commands in the help.
# isort: off
from gatewright.cli import models, tune, search, hardware, boards, fuzz, tools
from gatewright.cli.app import app
# isort: on

__all__ = ["app", "boards", "fuzz", "hardware", "main", "models", "search", "tools", "tune"]


def main() -> None:
    """Run the command line."""
    app()
