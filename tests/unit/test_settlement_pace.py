"""A chunk is as large as what its book closes in a moment."""

from services.settlement.pace import CHUNK_MAX, CHUNK_MIN, MOMENT_SECONDS, Pace


def test_a_busy_book_is_given_fewer_orders_at_once_and_never_none() -> None:
    pace = Pace()
    for _ in range(10):
        pace.took(pace.size, MOMENT_SECONDS * 4)
    assert pace.size == CHUNK_MIN


def test_a_book_that_is_done_early_is_given_more_up_to_a_bound() -> None:
    pace = Pace()
    for _ in range(10):
        pace.took(pace.size, MOMENT_SECONDS / 4)
    assert pace.size == CHUNK_MAX


def test_what_takes_about_a_moment_stays_as_it_is() -> None:
    pace = Pace()
    before = pace.size
    pace.took(before, MOMENT_SECONDS)
    assert pace.size == before


def test_a_chunk_that_was_not_full_promises_nothing() -> None:
    pace = Pace()
    before = pace.size
    pace.took(before - 1, 0)
    assert pace.size == before
