"""The decisions of a sink as pure values: open chunks, outcomes of records, the ledger and its check."""
