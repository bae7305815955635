"""The audit trail and everything that feeds, seals and shows it, joined."""

from __future__ import annotations

from collections.abc import Mapping

import grpc

from services.identity.audit_rpc import AuditFace, add_audit_face
from services.identity.auditing import AuditTrail
from services.identity.ground import Ground
from services.identity.neighbours import AuditFeeds, OwnRecords
from services.kit.jobs import Job
from services.kit.process import Face, Task
from services.kit.tokens import Keyring

Channel = grpc.aio.Channel


class Records:
    """What identity serves and runs for the audit trail."""

    def __init__(self, ground: Ground, keyring: Keyring, neighbours: Mapping[str, Channel]) -> None:
        """Keep the trail on this ground; follow these neighbours, by the names of services."""
        database, journal, clock = ground.database, ground.journal, ground.clock
        trail = AuditTrail(database, keyring, clock)
        feeds = AuditFeeds(database, trail, neighbours)
        self.faces: list[Face] = [(add_audit_face, AuditFace(trail, database, journal, clock))]
        self.tasks: dict[str, Task] = {
            "own records": OwnRecords(database, journal, trail).run,
            "audit feeds": feeds.run,
        }
        self.jobs: list[Job] = [trail.job()]
