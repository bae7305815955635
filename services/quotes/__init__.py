"""What the price was: instruments, sessions, ticks, candles, fixings, and the health of the feed.

It owns the database `quotes` and the journal of that name. Trading follows `WatchMarket`,
settlement asks `BatchGetFixings`, the edge reads ticks from Redis and history from here; whoever
may write instruments changes them here. Nobody else decides what a price was.

What always holds:

- The time of a tick is its ingest time, strictly increasing per instrument; what the source says
  is evidence only. A tick is told to others only after it was stored.
- A watermark W is stored together with every tick up to W, and each later tick is later than W.
  So what the record says about a moment up to W never changes: neither ticks, nor settings, nor
  whether the feed was heard.
- Market time that nobody listened to is a gap between the runs of the ingestor, and is kept as
  such. A fixing that falls into one is void.
- A fixing is decided from the record alone, once a watermark at or after its time is stored. It is
  stored itself before anyone hears of it, and never changes.
- One ingestor is live; one that lost its lead commits nothing. Others stand by.

Climb in this order: the pure rules (`instrument`, `session`, `tick`, `candle`, `fixing`, `opening`,
`packet`, `binance`, `history`), the storage (`record`, `ticks`, `candles`, `instruments`,
`fixings`, `openings`, `partitions`, and `seed`, what a new platform trades), the flow (`protocol`,
`feeds`, `timeline`, `ingest`, `market`, `catalogue`, `herald`, `publish`, `past`, `together`), the
faces (`rpc`, `wire`), and `app`. `simulator` is somebody else's market data server: a process of
its own.
"""
