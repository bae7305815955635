"""A chunk is as large as what its book closes in a moment."""

from services.settlement.pace import CHUNK_MAX, CHUNK_MIN, MOMENT_SECONDS, Pace


def test_a_busy_book_is_given_fewer_orders_at_once_and_never_none() -> None:
    pace = Pace()
    for turn in range(10):
        pace.took(pace.size, turn * 10, turn * 10 + MOMENT_SECONDS * 4, others_wait=False)
    assert pace.size == CHUNK_MIN


def test_a_book_that_is_done_early_is_given_more_up_to_a_bound() -> None:
    pace = Pace()
    for turn in range(10):
        pace.took(pace.size, turn * 10, turn * 10 + MOMENT_SECONDS / 4, others_wait=False)
    assert pace.size == CHUNK_MAX


def test_what_takes_about_a_moment_stays_as_it_is() -> None:
    pace = Pace()
    before = pace.size
    pace.took(before, 10, 10 + MOMENT_SECONDS, others_wait=False)
    assert pace.size == before


def test_a_chunk_that_was_not_full_promises_nothing() -> None:
    pace = Pace()
    before = pace.size
    pace.took(before - 1, 10, 10, others_wait=False)
    assert pace.size == before


def test_what_waited_for_the_chunk_before_it_did_not_take_that_long() -> None:
    pace = Pace()
    for turn in range(1, 10):
        # Each was sent while the one before it was being closed.
        pace.took(
            pace.size,
            10 + max(turn - 2, 0) * MOMENT_SECONDS,
            10 + turn * MOMENT_SECONDS,
            others_wait=False,
        )
    assert pace.size == Pace().size


def test_a_book_that_others_want_is_given_few_orders_at_once_however_fast_it_is() -> None:
    pace = Pace()
    for turn in range(10):
        pace.took(pace.size, turn * 10, turn * 10, others_wait=True)
    assert pace.size == CHUNK_MIN
