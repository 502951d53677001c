"""The functions of the language, with one file for each theme. The import of this package fills the table in
`registry`.

Each file is a list of declarations; no function knows the compiler or another function's theme.
"""

from pipeline.sql.functions import (
    arrays,
    bits,
    chance,
    compression,
    conversion,
    dates,
    encoding,
    formatting,
    hashes,
    jq,
    maps,
    mathematics,
    message,
    nulls,
    regexes,
    schemas,
    state,
    strings,
    type_tests,
)
from pipeline.sql.functions.registry import FUNCTIONS, Declaration, Parameter, Signature

THEMES = (
    message, nulls, mathematics, bits, conversion, type_tests, strings, formatting, regexes, jq, maps, arrays, hashes,
    compression, encoding, dates, chance, state,
    schemas,
)  # fmt: skip

__all__ = ["FUNCTIONS", "THEMES", "Declaration", "Parameter", "Signature"]
