"""The process that commands are forked from."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def attacked():
    """Give a function that runs a command on a folder's files, and tells what it said and took."""
    script = Path(__file__).with_name("attacked.py")
    with subprocess.Popen(
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:

        def attack(arguments, folder):
            print(json.dumps({"arguments": arguments, "folder": str(folder)}), file=server.stdin, flush=True)
            return json.loads(server.stdout.readline())

        yield attack
        server.stdin.close()
