"""Names for the metrics of Sparkplug B: what births say is remembered, and added to the records of later messages."""
