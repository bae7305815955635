"""Identity while its Postgres is away, and afterwards."""

from pathlib import Path

from grpc_health.v1.health_pb2 import HealthCheckResponse

from services.kit.clock import ManualClock
from services.kit.reason import Reason
from services.local.databases import Passwords
from services.local.postgres import Cluster, embedded_binaries
from tests.service.identity_server import refused, running_identity
from tests.stores import Postgres

pytest_plugins = ["tests.service.identity_fixtures"]


async def test_a_stopped_postgres_is_answered_cleanly_and_its_return_noticed(
    stores_folder: Path, identity_keys: Path, identity_clock: ManualClock
) -> None:
    folder = stores_folder / "identity-outage"
    folder.mkdir()
    passwords = Passwords(folder / "passwords.json")
    cluster = Cluster(
        folder / "data", folder, passwords.of("veritick"), embedded_binaries(), durable=False
    )
    log = folder / "log"
    with cluster.running(log):
        access = Postgres(cluster, passwords).create_database("identity")
        started = running_identity(identity_keys, identity_clock, access)
        identity = await started.__aenter__()
        await identity.until_health(HealthCheckResponse.SERVING)
        session = await identity.signed_in()
    try:
        await identity.until_health(HealthCheckResponse.NOT_SERVING)
        with refused(Reason.UNAVAILABLE):
            await identity.refresh(session.refresh_token)
        with cluster.running(log):
            await identity.until_health(HealthCheckResponse.SERVING)
            await identity.get_profile(session.access_token)
            await identity.refresh(session.refresh_token)
            await identity.signed_in()
    finally:
        await started.__aexit__(None, None, None)
