"""Settlement settles a real book: whatever happens, each order closes once, as decided."""

from tests.service.settlement_world import ENTRY, World

pytest_plugins = ["tests.service.settlement_fixtures"]


async def test_an_order_settles_when_the_watermark_passes_its_expiry(world: World) -> None:
    order = await world.order()
    expiry = world.expiry()
    world.fix(ENTRY + 1, expiry)
    async with world.settlement() as settlement:
        world.pass_to(expiry)
        await world.receipts(1)
        receipt = await settlement.receipt(order)
    print(receipt)
    assert receipt["outcome"] == "WIN"
    assert receipt["returned"] == {"currencyCode": "USD", "minorUnits": "1650"}
