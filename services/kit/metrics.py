"""What every process counts, in Prometheus' text format."""

import threading
from wsgiref.simple_server import WSGIServer

from prometheus_client import Counter, Gauge, Histogram, start_http_server

RPC_SECONDS = Histogram(
    "veritick_rpc_seconds",
    "How long handling a call took",
    ["method"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
RPC_REFUSED = Counter("veritick_rpc_refused_total", "Calls refused or failed", ["method", "reason"])
JOURNAL_ENTRIES = Counter("veritick_journal_entries_total", "Events appended", ["journal"])
RELAY_POSITION = Counter("veritick_relay_entries_total", "Events relayed to Redis", ["journal"])

JOB_RUNS = Counter("veritick_job_runs_total", "Runs of a job", ["database", "job", "outcome"])
JOB_SECONDS = Gauge("veritick_job_seconds", "How long a job's last run took", ["database", "job"])


def serve_metrics(listen: str) -> tuple[WSGIServer, threading.Thread]:
    """Answer `GET /metrics` on `host:port` from a thread of its own; close with `shutdown`."""
    host, _, port = listen.rpartition(":")
    return start_http_server(int(port), host.strip("[]"))
