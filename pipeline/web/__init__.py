"""What the processes show over HTTP."""
