"""Traces of live traffic: what rules and actions would make of records as they come. No worker is asked, and nothing is written.

lines.py   what a trace says of one record: rules evaluated, objects rendered (pure)
traces.py  the traces of this process: their filters, their times, their logs (pure)
tail.py    reads the newest records while a trace runs
"""
