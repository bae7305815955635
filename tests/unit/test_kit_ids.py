from uuid import RFC_4122, UUID

import pytest

from services.kit.ids import SequentialIds, parse_scoped, scoped, uuid7

ID = UUID("0199a1b2-0000-7000-8000-000000000001")


def test_fresh_ids_are_standard_uuids_of_version_7() -> None:
    fresh = uuid7()

    assert type(fresh) is UUID
    assert (fresh.version, fresh.variant) == (7, RFC_4122)


@pytest.mark.parametrize("ids", [uuid7, SequentialIds(), SequentialIds(4095)])
def test_later_ids_sort_after_earlier_ones(ids: SequentialIds) -> None:
    made = [ids() for _ in range(10_000)]

    assert made == sorted(set(made))


def test_sequential_ids_look_like_version_7_and_repeat_on_every_run() -> None:
    first, second = SequentialIds(3), SequentialIds(3)

    made = [first() for _ in range(100)]

    assert made == [second() for _ in range(100)]
    assert {(identifier.version, identifier.variant) for identifier in made} == {(7, RFC_4122)}


def test_two_seeds_never_give_the_same_id() -> None:
    one, other = SequentialIds(1), SequentialIds(2)

    assert {one() for _ in range(1_000)}.isdisjoint({other() for _ in range(1_000)})


@pytest.mark.parametrize("scope", ["demo", "real-1", "t"])
def test_a_scoped_id_reads_back(scope: str) -> None:
    assert parse_scoped(scoped(scope, ID)) == (scope, ID)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "demo",
        "demo_",
        f"{ID}",
        f"_{ID}",
        f"Demo_{ID}",
        f"1demo_{ID}",
        f"demo_{str(ID).upper()}",
        f"demo_{ID.hex}",
        f"demo_{{{ID}}}",
        f" demo_{ID}",
        f"demo_{ID}\n",
        f"demo_{ID}0",
        f"demo_demo_{ID}",
        f"{'x' * 33}_{ID}",
        f"demo_{str(ID)[:-1]}\u0661",
    ],
)
def test_an_id_has_exactly_one_text(text: str) -> None:
    assert parse_scoped(text) is None


@pytest.mark.parametrize("scope", ["", "Demo", "demo_1", "1", "a b", "x" * 33])
def test_a_scope_that_would_not_read_back_is_refused(scope: str) -> None:
    with pytest.raises(ValueError, match="scope"):
        scoped(scope, ID)
