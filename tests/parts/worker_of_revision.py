"""A worker whose configuration has the revision that the first argument gives. What comes from a file has none."""

import sys
from pathlib import Path

from agents.worker import serve
from pipeline.cli.process import run
from pipeline.config import load_file

if __name__ == "__main__":
    config = load_file(Path(sys.argv[2]))
    config.is_revision(int(sys.argv[1]))
    run(lambda: serve(config), "json")
