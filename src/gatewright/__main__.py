"""Run the command line as ``python -m gatewright``."""

from gatewright.cli import main

main()
