"""Traces, links and flags as the messages of the contract."""

from __future__ import annotations

from services.identity.device import described
from services.identity.flag import Flag
from services.identity.suspicion import Linked
from services.identity.trace import Bounds, Link, Trace
from services.identity.user_clusters import Cluster
from services.kit.wire import to_timestamp
from veritick.identity.v1 import fraud_service_pb2 as pb


def to_trace(trace: Trace, bounds: Bounds) -> pb.UserTrace:
    """Return a trace as a message."""
    return pb.UserTrace(
        kind=pb.UserTrace.Kind.Value(trace.kind),
        value=trace.value,
        description=described(trace.agent),
        country_code=trace.country,
        first_seen_time=to_timestamp(trace.first_at),
        last_seen_time=to_timestamp(trace.last_at),
        users=trace.users,
        links=bounds.links(trace),
    )


def to_linked_user(linked: Linked, bounds: Bounds) -> pb.LinkedUser:
    """Return somebody who is linked with a user as a message."""
    shared = [to_trace(trace, bounds) for trace in linked.shared]
    return pb.LinkedUser(user_id=str(linked.user_id), shared=shared)


def to_cluster(cluster: Cluster) -> pb.UserCluster:
    """Return a group of linked users as a message."""
    return pb.UserCluster(
        cluster_id=str(cluster.cluster_id), size=cluster.size, user_ids=map(str, cluster.users)
    )


def to_link(link: Link) -> pb.ClusterLink:
    """Return what links several users as a message."""
    return pb.ClusterLink(
        kind=pb.UserTrace.Kind.Value(link.kind),
        value=link.value,
        description=described(link.agent),
        country_code=link.country,
        last_seen_time=to_timestamp(link.last_at),
        user_ids=map(str, link.users),
    )


def to_flag(flag: Flag) -> pb.FraudFlag:
    """Return a flag as a message."""
    return pb.FraudFlag(
        flag_id=str(flag.flag_id),
        rule=pb.FraudFlag.Rule.Value(flag.rule),
        user_id=str(flag.user_id),
        detail=flag.detail,
        create_time=to_timestamp(flag.raised_at),
        state=pb.FraudFlag.State.Value(flag.state),
        resolved_by=str(flag.resolved_by) if flag.resolved_by else "",
        resolve_time=to_timestamp(flag.resolved_at) if flag.resolved_at else None,
        note=flag.note,
    )
