"""What the socket counts, in Prometheus' text format."""

from prometheus_client import Counter, Gauge

SOCKETS = Gauge("veritick_stream_sockets", "Sockets open")
SUBSCRIPTIONS = Gauge("veritick_stream_subscriptions", "Subscriptions of all sockets")
FRAMES_SENT = Counter("veritick_stream_frames_sent_total", "Frames written to sockets")
REFUSED = Counter("veritick_stream_refused_total", "Frames and sockets refused", ["reason"])
CLOSED = Counter("veritick_stream_closed_total", "Sockets closed by us", ["code"])
EVENTS = Counter("veritick_stream_events_total", "Events read from Redis", ["journal"])
DISCONTINUITIES = Counter(
    "veritick_stream_discontinuities_total",
    "Times a stream could not be trusted",
    ["journal"],
)
FILLS = Counter("veritick_stream_fills_total", "Questions to a journal about missing events")
GAPS = Counter("veritick_stream_gaps_total", "Gaps that could not be filled")
