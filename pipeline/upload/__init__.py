"""What a sink decides, as pure values: open chunks, outcomes of records, the ledger and what it proves."""
