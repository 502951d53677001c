"""Takes over the configuration of an EMQX.

reading.py    a file, an archive, REST's JSON or a live EMQX becomes plain data
translate.py  plain data become our objects, with a report of what was taken, changed or left out, and why (pure)
"""
