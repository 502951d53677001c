"""The parts of settings: declarations, durations and sizes, secrets, references, settings of objects."""

import os

# With the first model, pydantic would read the metadata of everything that is installed, in search of plugins.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
