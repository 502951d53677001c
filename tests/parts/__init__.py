"""The outside systems of the tests: real ones where they can be had, embedded ones otherwise, and a word on which.

Ask for the fixtures `kafka`, `mqtt_broker` and `s3` (see fixtures.py); each gives a part of part.py that can be
stopped, killed, frozen and started again. `TIDEGATE_REQUIRE_REAL=1` makes a missing real part a failure;
`TIDEGATE_PARTS=embedded` leaves the real ones alone.
"""
