"""The configuration in Kafka, and what changes it.

objects.py       what the topic holds, what a change is, and the whole that follows from both (pure)
sealing.py       seals them before they are written
records.py       an object as a record of the topic, there and back (pure)
follower.py      reads the topic to its end, and goes on reading
config_log.py    the topic: follow it, write changes to it, read its history
status.py        what a process says of itself, and how the reports of all add up (pure)
board.py         the newest report of each process (pure)
status_topic.py  the topic of the reports: write one's own, follow the others
reporter.py      what a process says of itself
history.py       what all processes did in the last hour (pure)
"""
