"""What settlement counts."""

from prometheus_client import Counter, Gauge, Histogram

SETTLED = Counter(
    "veritick_settlement_orders_total", "Orders that got a receipt", ["book", "outcome"]
)
LAG_SECONDS = Histogram(
    "veritick_settlement_lag_seconds",
    "From an expiry to its orders being closed, for each chunk of them",
    ["book"],
    buckets=(0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 60, 600, 3600),
)
PENDING = Gauge("veritick_settlement_pending", "Due orders whose fixing is not final", ["book"])
LEADING = Gauge("veritick_settlement_leading", "1 while this process settles the book", ["book"])
ALARMS = Counter(
    "veritick_settlement_alarms_total", "What must never happen, and did", ["book", "alarm"]
)
RETRIES = Counter("veritick_settlement_retries_total", "Rounds cut short by an outage", ["book"])
