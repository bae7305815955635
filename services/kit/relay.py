"""The relay: fills a bounded Redis stream from a journal, for the edge to read.

The stream is a convenience and may be lost at any moment. An entry's id is its position in the
journal, so a second relay, or one that starts anew, cannot add an entry twice or out of order.
"""

from __future__ import annotations

import asyncio
from struct import Struct

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.kit.database import DatabaseUnavailable, keeping_cancellation
from services.kit.failpoints import reached
from services.kit.journal import Entry, Journal
from services.kit.metrics import RELAY_POSITION
from services.kit.stream import entry_id, heading, position_of, stream_key

STREAM_LENGTH = 20_000
_BATCH = 1_000
_PAUSE_SECONDS = 0.5

# One command, and one argument, for a batch: the driver takes its time over each argument.
# That an entry is there already is no error: whoever added it is ahead.
_ADD = """
local batch, place = ARGV[1], 1
while place <= #batch do
    local id_size, heading_size, event_size = struct.unpack('>I4I4I4', batch, place)
    local heading_at = place + 12 + id_size
    local event_at = heading_at + heading_size
    local answer = redis.pcall(
        'XADD', KEYS[1], 'MAXLEN', '~', '%d', string.sub(batch, place + 12, heading_at - 1),
        string.sub(batch, heading_at, event_at - 1),
        string.sub(batch, event_at, event_at + event_size - 1)
    )
    if answer.err and not string.find(answer.err, 'equal or smaller', 1, true) then
        return answer
    end
    place = event_at + event_size
end
return redis.status_reply('OK')
"""
_SIZES = Struct(">III")
_log = structlog.stdlib.get_logger()


class Relay:
    """Copies one journal's entries to its stream, in order, as they come."""

    def __init__(self, journal: Journal, redis_url: str) -> None:
        """Relay a journal to the Redis at this URL, which need not be there."""
        self._journal = journal
        self._redis = Redis.from_url(
            redis_url, socket_timeout=5, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
        )
        self._key = stream_key(journal.name)
        self._add = self._redis.register_script(_ADD % STREAM_LENGTH)

    async def run(self) -> None:
        """Relay for ever; outages of either side only delay it."""
        try:
            while True:
                try:
                    await self._relay()
                except (RedisError, OSError, DatabaseUnavailable) as error:
                    _log.warning("relay waits", journal=self._journal.name, reason=str(error))
                    await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            await self._redis.aclose()

    async def _relay(self) -> None:
        with keeping_cancellation():
            position = await self._start()
        while True:
            growth = self._journal.growth
            if entries := await self._journal.read(position, _BATCH):
                with keeping_cancellation():
                    await self._send(entries)
                reached("relay.after_send")
                position = entries[-1].position
            if len(entries) < _BATCH:
                await self._journal.wait(growth)

    async def _start(self) -> int:
        """Return the last position in the stream, or where a new stream may begin."""
        newest = await self._redis.xrevrange(self._key, count=1)
        last = await self._journal.last_position()
        if newest:
            position = position_of(newest[0][0])  # type: ignore[arg-type]
            if position <= last:
                return position
            # The journal was restored from a backup: what the stream holds beyond it never was.
            _log.warning("the stream begins anew", journal=self._journal.name, beyond=position)
            await self._redis.delete(self._key)
        # An empty stream starts at the present: readers ask the journal for the past.
        return max(last - _BATCH, 0)

    async def _send(self, entries: list[Entry]) -> None:
        await self._add(keys=[self._key], args=[b"".join(map(_packed, entries))])
        RELAY_POSITION.labels(self._journal.name).inc(len(entries))


def _packed(entry: Entry) -> bytes:
    """Return id, heading and event of an entry of the stream, after their sizes."""
    position, subject, sequence, event_type, payload, _ = entry
    identifier = entry_id(position).encode()
    head = heading(subject, sequence, event_type).encode()
    return _SIZES.pack(len(identifier), len(head), len(payload)) + identifier + head + payload
