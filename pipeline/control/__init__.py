"""The configuration in Kafka, and what changes it.

objects.py       what the topic holds, what a change is, and the whole that follows from both (pure)
records.py       an object as a record of the topic, there and back (pure)
follower.py      reads the topic to its end, and goes on reading
config_log.py    the topic: follow it, write changes to it, read its history
"""
