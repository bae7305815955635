"""What the REST edge counts, beside what every process counts."""

from prometheus_client import Counter, Histogram

SECONDS = Histogram(
    "veritick_edge_request_seconds",
    "From the end of a request's head to its answer",
    ["route"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
ANSWERS = Counter("veritick_edge_answers_total", "Answers by status", ["route", "status"])


def observe(route: str, status: int, seconds: float) -> None:
    """Count one answer of an RPC's route."""
    SECONDS.labels(route).observe(seconds)
    ANSWERS.labels(route, str(status)).inc()
