"""The socket: what happened and what things cost, delivered as it happens.

Owns nothing. Everything it sends can be asked for again from the service that owns it, so a
process of this kind may be killed at any moment.

Read in this order:

- pure rules: `channel` (names), `frame` (what is said on the wire), `sequence` (each event once,
  in order), `candle` (ticks into candles), `allowance` (how much a client may ask);
- where frames come from: `neighbours` (the services), `relay` (events from Redis), `prices` (ticks
  from Redis), `tickets`;
- who gets them: `topic` and `journals` (events), `instrument` and `market` (ticks and candles);
- the sockets: `connection` (one reader, slow or fast), `session` (what a client asks), `admission`
  and `server`.

Invariants: a private channel shows each sequence once and in order, or says `gap`; nothing is
buffered without bound; losing Redis or a service delays events and loses none.
"""
