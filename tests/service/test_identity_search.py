"""Staff find users by any part of their mail addresses."""

from __future__ import annotations

from services.kit.reason import Reason
from tests.service.identity_server import Identity, bearer, refused
from veritick.identity.v1.user_admin_service_pb2 import ListUsersRequest
from veritick.identity.v1.user_admin_service_pb2_grpc import UserAdminServiceStub

pytest_plugins = ["tests.service.identity_fixtures"]


async def test_any_part_of_an_address_finds_who_has_it(identity: Identity) -> None:
    ana, ben, cai = [
        await identity.register(f"{name}@mail.example")
        for name in ("Ana_Maria", "ben-maria", "cai%ro")
    ]
    identity.rows(
        "UPDATE users SET roles = '{support}' WHERE user_id = %s RETURNING 1", ben.user_id
    )
    metadata = bearer((await identity.log_in(ben.email)).access_token)
    async with identity.anybody() as channel:
        users = UserAdminServiceStub(channel)

        async def found(condition: str, page_token: str = "") -> list[str]:
            request = ListUsersRequest(filter=condition, page_token=page_token)
            answer = await users.ListUsers(request, metadata=metadata)
            return [user.user_id for user in answer.users]

        assert await found("emailPart=MARIA") == [ben.user_id, ana.user_id]
        assert await found("emailPart=a@mail.exam AND role=support") == [ben.user_id]
        # What means anything to a pattern of the database means itself here.
        assert await found("emailPart=a_m") == [ana.user_id]
        assert await found("emailPart=i%r") == [cai.user_id]
        first = await users.ListUsers(
            ListUsersRequest(filter="emailPart=mail.example", page_size=2), metadata=metadata
        )
        rest = await found("emailPart=mail.example", page_token=first.next_page_token)
        assert [*(user.user_id for user in first.users), *rest] == [
            cai.user_id,
            ben.user_id,
            ana.user_id,
        ]
        with refused(Reason.INVALID_FILTER):
            await found("emailPart=an")
    plan = identity.rows("SELECT indexdef FROM pg_indexes WHERE indexname = 'users_address_parts'")
    assert "gin_trgm_ops" in plan[0][0]
