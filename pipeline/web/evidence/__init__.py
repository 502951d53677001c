"""Objects and the proof that they are right: their rows, dead letters, and the jobs that verify, redrive and replay.

    bucket.py     the objects of an action: pages of a folder, facts, parts of the content     preview.py   rows of an object
    ledger.py     the entries of a partition's ledger        letters.py   dead letters, as the API shows them
    jobs.py       work that takes longer than a request      results.py   what it has found so far
    strips.py     the picture of a verification              shapes/      the answers as types, for the OpenAPI document

agents/operate does the work itself. It comes as an `Operator` (pipeline/operation.py), because the library does not know the
processes.
"""
