"""The window: acknowledgements leave in the order of arrival, whatever the order of Kafka's answers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingress.window import Delivery, Window, size_of
from pipeline.record import Outgoing

RECORD = Outgoing(b"", b"12345", [], 0)


def filled(mids: list[int], *, messages_max: int = 100, bytes_max: int = 1000) -> tuple[Window, list[Delivery]]:
    window = Window(messages_max, bytes_max)
    return window, [window.add(mid, "t", RECORD) for mid in mids]


@given(st.permutations(range(1, 9)), st.data())
def test_acknowledgements_leave_in_the_order_of_arrival(order: list[int], data: st.DataObject) -> None:
    """Kafka may answer in any order, and acknowledgements keep the order of arrival."""
    window, deliveries = filled(list(range(1, 9)))
    acknowledged: list[int] = []
    for position in order:
        deliveries[position - 1](None, None)
        if data.draw(st.booleans()):
            acknowledged += window.settle()[1]
    acknowledged += window.settle()[1]

    assert acknowledged == list(range(1, 9))
    assert len(window) == 0


def test_nothing_overtakes_a_message_that_is_not_done() -> None:
    """A message without an answer holds back all later ones."""
    window, deliveries = filled([1, 2, 3])
    deliveries[1](None, None)
    deliveries[2](None, None)

    assert window.settle() == (0, [])
    assert window.oldest is deliveries[0]


def test_qos_0_counts_and_is_never_acknowledged() -> None:
    """A message without a packet identifier has its place in the order and gets no acknowledgement."""
    window, deliveries = filled([0, 7, 0])
    for each in deliveries:
        each(None, None)

    assert window.settle() == (3, [7])


def test_it_is_full_by_number_and_by_bytes() -> None:
    """Either limit pauses reading, and answers make room again."""
    by_number, (first, _) = filled([1, 2], messages_max=2)
    by_bytes, _ = filled([1, 2], bytes_max=10)
    assert by_number.full
    assert by_bytes.full

    first(None, None)
    by_number.settle()

    assert not by_number.full


def test_a_failure_is_kept_with_its_error_and_holds_its_place() -> None:
    """A failed message is reported once and stays at the front until it is settled."""
    window, (first, second) = filled([1, 2])
    second(None, None)
    first("refused", None)

    assert window.take_failed() == [(first, "refused")]
    assert window.take_failed() == []
    assert window.settle() == (0, [])

    first(None, None)
    assert window.settle() == (2, [1, 2])


def test_what_leaves_the_window_frees_its_bytes() -> None:
    """The window reports how many bytes left, so that reading can go on."""
    window, deliveries = filled([1, 0, 3], bytes_max=15)
    full = window.full
    for delivery in deliveries[:2]:
        delivery(None, None)

    assert full
    assert window.settle() == (2, [1])
    assert not window.full
    assert window.oldest is deliveries[2]
    assert deliveries[2].tries == 0


def test_keys_and_headers_count_unless_a_cache_holds_them() -> None:
    """A device chooses its clientid, its topic and its properties, so a window of empty payloads is not small."""
    record = Outgoing(b"key", b"12345", [("topic", b"t" * 90), ("pub_props", b"p" * 900)], 0)
    own, shared = Window(100, 1000), Window(100, 1000)

    delivery = own.add(1, "t", record)
    shared.extend([Delivery(shared, 1, "t", *record, len(record.value))])

    assert own.full
    assert not shared.full

    delivery(None, None)
    own.settle()
    assert not own.full


def test_a_delivery_knows_what_it_delivers() -> None:
    """What Kafka refuses is taken from its delivery, and its size is that of what no cache holds."""
    window = Window(100, 1000)
    record = Outgoing(b"key", b"12345", [("topic", b"t" * 90)], 0)

    delivery = window.add(1, "t", record)

    assert (delivery.record, delivery.topic, delivery.mid) == (record, "t", 1)
    assert (delivery.size_bytes, size_of(record)) == (103, 103)


def test_a_run_follows_what_is_in_the_window() -> None:
    """A run keeps its order, behind the messages before it, and its bytes count."""
    window, (first,) = filled([1], bytes_max=12)
    run = [Delivery(window, mid, "t", *RECORD, size_bytes) for mid, size_bytes in ((2, 3), (3, 4))]

    window.extend(run)
    for each in (*run, first):
        each(None, None)

    assert window.full
    assert window.settle() == (3, [1, 2, 3])
    assert not window.full


def test_a_window_is_full_at_its_limit_and_not_before() -> None:
    """The last byte fills it, and an empty window has no oldest message."""
    assert filled([1, 2], bytes_max=10)[0].full
    assert not filled([1, 2], bytes_max=11)[0].full
    assert Window(1, 1).oldest is None
