"""The rules of one action, and what they make from a fetch.

rule_set.py   all rules that feed the action: records in, rows out
batch.py      the rows of a batch, and what is left of its records
lines.py      the rules of an aggregated action: a fetch in, the lines of its objects out
"""
