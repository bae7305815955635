"""What quotes counts."""

from prometheus_client import Counter, Gauge, Histogram

TICKS = Counter("veritick_quotes_ticks_total", "Ticks stored")
LATE = Counter("veritick_quotes_late_ticks_total", "Ticks whose source time lagged too much")
MALFORMED = Counter("veritick_quotes_malformed_packets_total", "Packets skipped as malformed")
COMPLAINTS = Counter("veritick_quotes_feed_complaints_total", "Requests the feed refused")
UNLISTED = Counter("veritick_quotes_unlisted_quotes_total", "Quotes of symbols nobody lists")
GAPS = Counter("veritick_quotes_gaps_total", "Times that market time was lost", ["reason"])
FEED_CONNECTED = Gauge("veritick_quotes_feed_connected", "1 while the feed is connected")
FLUSH_SECONDS = Histogram(
    "veritick_quotes_flush_seconds",
    "Storing a batch",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
DELAY_SECONDS = Histogram(
    "veritick_quotes_tick_delay_seconds",
    "From the time of a batch's oldest tick to its publication",
    buckets=(0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 5),
)
PUBLISH_DROPPED = Counter("veritick_quotes_publish_dropped_total", "Messages Redis did not get")
