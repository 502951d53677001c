"""`make mutation`: whether tests notice small changes of the code."""
