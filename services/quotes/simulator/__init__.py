"""A market data server, as somebody else would run it: quotes reaches it by WebSocket only.

`simulated` speaks the protocol of `services.quotes.packet`. A client asks for symbols:

- `{"op": "subscribe", "symbols": ["BTCUSD", "EURUSD"]}`, and `unsubscribe` likewise;

and the server sends `welcome`, then ticks of what was asked for and a heartbeat each second.

It makes every price up: a seeded random walk whose volatility follows the hours of the
day, and which goes on from its last price after a restart. `replay` serves one recording, re-timed
to now, and simulates all other symbols.

`binance` tells the simulated market in the protocol of Binance's public streams instead, whose
trades and book tickers keep its limits; see `binance`. It pings, rather than send heartbeats.

For tests, and only if started with `--control`, a client may also command:

- `{"op": "control", "command": "freeze", "symbols": ["EURUSD"]}`; without symbols, all of them.

| command | ticks | heartbeats | afterwards |
|---|---|---|---|
| `freeze` | none | go on | go on from the same price |
| `gap` | lost | lost | the market went on unseen (always concerns all) |
| `pause` | held back | held back | what was held comes late, all at once (concerns all) |
| `spike` | one far off, by `basis_points` | | |
| `garble` | some frames that are no packets | | |
| `drop` | the connections of subscribers are cut | | they may come back |
| `farewell` | | | says that it goes, where the protocol has a word for it |
| `tick` | one at `price`, now | | |
| `resume` | ends freeze, gap and pause | | |
"""
