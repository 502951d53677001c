"""What goes wrong in a simulated story: one frozen value, drawn from a seed.

Each seed switches on some of the faults and sets how often they strike, so that some stories are all zombies and calm stores and
others the reverse: a mixture of everything at once hides what needs one fault to be frequent and another to be absent.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Final

COMMIT_DIGITS_MIN: Final = 7  # an abbreviated hash may have no letter in it


def seed(text: str) -> int:
    """The seed that a person or a nightly run gives: a number, or a commit's hash."""
    return int(text) if text.isdecimal() and len(text) < COMMIT_DIGITS_MIN else int(text, 16)


@dataclass(frozen=True)
class Faults:
    """Chances per request (the first group) or per step of the story and of each worker (the others)."""

    # S3
    fail_before: float = 0.05  # the request never arrives
    lose_answer: float = 0.05  # it is carried out, and the answer is lost
    lose_every_answer: bool = False  # of all writes that are carried out
    slow_down: float = 0.0  # 503 SlowDown
    hang: float = 0.0  # nothing comes back until the request times out; it may have been carried out
    delay_seconds: float = 2.0  # the longest that a request takes otherwise
    # Kafka
    refuse_letter: float = 0.0  # the dead letter topic does not acknowledge; it may have the record
    commit: float = 0.5  # that what is durable is committed at a step: the rarer, the more is delivered again
    # Processes
    replace: float = 0.1  # another owner appears; the present one goes on writing without its partition
    zombies: bool = True  # else the one before is dead, and what it had sent has arrived, when another owner appears
    freeze: float = 0.0  # a worker stops where it stands, with a request under way
    wake: float = 0.3  # one that is frozen goes on
    kill: float = 0.1  # a worker dies where it stands
    stop: float = 0.0  # a worker is told to stop, and drains
    # What operators and machines do
    change_rule: float = 0.0  # workers started from now on have another rule
    memory_short: bool = False  # the action may hold few bytes
    relieve: float = 0.0  # memory is short elsewhere, and this partition is cut
    jump_clock: float = 0.0  # wall clock and time stamps of records, back or forth by up to a day
    parts: bool = False  # objects are uploaded in parts
    end_early: bool = False  # each cut of several groups ends early, as those of thousands do
    kinds: bool = False  # values of other kinds in a column, and objects of Parquet with inferred columns
    redrive: float = 0.0  # dead letters are sent again, some of them under a rule that takes what failed
    holes: float = 0.0  # offsets at which Kafka has no record: compaction, marks of transactions
    # What happens to the bucket, the group and the topic
    reset_group: float = 0.0  # the committed offset is set anywhere
    restore: float = 0.0  # the bucket is put back as it was some time ago, while no worker runs
    expire: float = 0.0  # the last entry of the ledger is gone, while no worker runs
    retention: float = 0.0  # Kafka deletes records, read or not
    replace_topic: float = 0.0  # the topic is deleted and made again
    recur: bool = False  # contents have the ETags of earlier ones, and owners follow each other only after a session
    forge: float = 0.0  # an entry that no worker wrote is where the next one belongs, and somebody removes it
    outdated: float = 0.0  # a worker is started with the configuration before the last
    reload: float = 0.0  # a worker that runs takes up the newest configuration

    @classmethod
    def drawn(cls, seed: int, *, change_rule: bool = True) -> Faults:
        """The faults of a seed."""
        chance = random.Random(seed)

        def some(most: float) -> float:
            return chance.random() * most if chance.random() < 0.5 else 0.0

        return cls(
            fail_before=some(0.2),
            lose_answer=some(0.3),
            lose_every_answer=chance.random() < 0.1,
            slow_down=some(0.2),
            hang=some(0.1),
            delay_seconds=chance.choice((0.01, 1.0, 4.0)),
            refuse_letter=some(0.5),
            commit=chance.choice((0.05, 0.5, 1.0)),
            replace=0.02 + some(0.3),
            zombies=chance.random() < 0.8,
            freeze=some(0.3),
            wake=chance.choice((0.0, 0.1, 0.5)),
            kill=some(0.2),
            stop=some(0.2),
            change_rule=some(0.3) if change_rule else 0.0,
            memory_short=chance.random() < 0.3,
            relieve=some(0.1),
            jump_clock=some(0.2),
            parts=chance.random() < 0.2,
            redrive=some(0.3),
            end_early=chance.random() < 0.3,
        )

    def with_losses(self, seed: int) -> Faults:
        """The same, and two of what happens to a bucket, a group and a topic."""
        chance = random.Random(-seed - 1)
        kinds = ("holes", "reset_group", "restore", "expire", "retention", "replace_topic", "outdated")
        drawn = {kind: chance.choice((0.05, 0.15, 0.3)) for kind in chance.sample(kinds, 2)}
        # An entry that is gone may have been the one that changed the rule, with objects of the new one beyond it.
        change_rule = 0.0 if "expire" in drawn else self.change_rule
        if "outdated" in drawn and "expire" not in drawn:
            change_rule = max(0.2, change_rule)
        if chance.random() < 0.2:
            drawn["forge"] = 0.3
        # Letters that are sent again are records like others; their own stories are told without losses.
        return replace(self, change_rule=change_rule, redrive=0.0, **drawn)

    def with_reloads(self) -> Faults:
        """The same, and configurations that reach one worker after the other while they run."""
        return replace(self, change_rule=max(0.2, self.change_rule), outdated=0.3, reload=0.3)

    def with_recurring(self) -> Faults:
        """The same, with contents that recur and zombies. No request is on its way for as long as an owner needs to follow."""
        return replace(self, recur=True, zombies=True, hang=0.0, delay_seconds=0.01)

    def with_kinds(self) -> Faults:
        """The same, with objects that hold columns, and rows that bring more of them and values of other kinds."""
        return replace(self, kinds=True, redrive=0.0)


# Nothing happens but records.
CALM = Faults(fail_before=0.0, lose_answer=0.0, replace=0.0, kill=0.0, delay_seconds=0.1)
