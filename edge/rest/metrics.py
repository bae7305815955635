"""What the REST edge counts, beside what every process counts."""

from prometheus_client import Counter, Histogram

SECONDS = Histogram(
    "veritick_edge_request_seconds",
    "From the end of a request's head to its answer",
    ["route"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
ANSWERS = Counter("veritick_edge_answers_total", "Answers by status", ["route", "status"])


class Observations:
    """Counts answers; labels are looked up once per route and status."""

    def __init__(self) -> None:
        self._seconds: dict[str, Histogram] = {}
        self._answers: dict[tuple[str, int], Counter] = {}

    def observe(self, route: str, status: int, seconds: float) -> None:
        """Count one answer of an RPC's route."""
        spent = self._seconds.get(route)
        if spent is None:
            spent = self._seconds[route] = SECONDS.labels(route)
        spent.observe(seconds)
        answers = self._answers.get((route, status))
        if answers is None:
            answers = self._answers[route, status] = ANSWERS.labels(route, str(status))
        answers.inc()
