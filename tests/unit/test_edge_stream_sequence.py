"""Sequencing: whatever delivery does, each event comes out once and in order."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from edge.stream.sequence import Sequencer


@dataclass(frozen=True)
class Event:
    sequence: int


deliveries = st.lists(st.integers(1, 30), max_size=120)


@given(deliveries, st.integers(1, 40))
def test_what_is_released_is_in_order_without_loss_or_repetition(
    delivered: list[int], held_max: int
) -> None:
    sequencer: Sequencer[Event] = Sequencer(held_max)
    sequencer.start(0)
    released = []
    for sequence in delivered:
        released += sequencer.offer([Event(sequence)])
    assert [event.sequence for event in released] == list(range(1, len(released) + 1))
    assert sequencer.last == len(released)
    assert sequencer.missing == (max(delivered, default=0) > len(released))


@given(deliveries, st.integers(1, 40), st.data())
def test_asking_for_what_is_missing_completes_every_delivery(
    delivered: list[int], held_max: int, data: st.DataObject
) -> None:
    """As the hub does: whenever something is missing, the journal may be asked for a page."""
    sequencer: Sequencer[Event] = Sequencer(held_max)
    sequencer.start(0)
    released = []
    for sequence in delivered:
        released += sequencer.offer([Event(sequence)])
        if sequencer.missing and data.draw(st.booleans()):
            after = sequencer.last or 0
            page = [Event(place) for place in range(after + 1, after + 4) if place <= sequence]
            released += sequencer.offer(page)
    while sequencer.missing:
        released += sequencer.offer([Event((sequencer.last or 0) + 1)])
    assert [event.sequence for event in released] == list(range(1, max(delivered, default=0) + 1))


@given(deliveries, st.integers(0, 30))
def test_what_came_before_the_start_is_held_and_released_after_it(
    delivered: list[int], start: int
) -> None:
    sequencer: Sequencer[Event] = Sequencer(40)
    assert sequencer.missing
    assert sequencer.offer([Event(sequence) for sequence in delivered]) == []
    released = [event.sequence for event in sequencer.start(start)]
    expected: list[int] = []
    while start + len(expected) + 1 in delivered:
        expected.append(start + len(expected) + 1)
    assert released == expected


def test_a_skipped_gap_releases_what_was_held_beyond_it() -> None:
    sequencer: Sequencer[Event] = Sequencer(10)
    sequencer.start(3)
    assert sequencer.offer([Event(8), Event(9)]) == []
    assert sequencer.start(7) == [Event(8), Event(9)]
    assert not sequencer.missing


def test_a_restart_believes_nothing_heard_before_it() -> None:
    sequencer: Sequencer[Event] = Sequencer(10)
    sequencer.start(3)
    sequencer.offer([Event(8)])
    sequencer.restart(3)
    assert not sequencer.missing
    assert sequencer.offer([Event(4)]) == [Event(4)]


def test_more_than_can_be_held_is_missing_until_it_is_asked_for() -> None:
    sequencer: Sequencer[Event] = Sequencer(2)
    sequencer.start(0)
    sequencer.offer([Event(3), Event(4), Event(5)])
    assert sequencer.offer([Event(1), Event(2)]) == [Event(place) for place in range(1, 5)]
    assert sequencer.missing
    assert sequencer.offer([Event(5)]) == [Event(5)]
    assert not sequencer.missing
