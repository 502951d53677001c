"""The pages that the processes serve over HTTP."""
