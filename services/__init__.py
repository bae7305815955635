"""Seven towers over one low kit, and no arrow between the towers.

A tower is a service: a bounded context that owns its database, and that the others know only by
the contract in `proto/`.

- `quotes` knows what the price was. It keeps a connection to the market, gives every tick its
  time and number, and says whether the market is open and the feed alive.
- `trading` keeps the books: accounts, ledger, open orders, history. All money moves here.
- `settlement` decides how an order ends, from fixings alone, and proves it.
- `identity` knows who someone is and what they may do.
- `payments` brings money in and out.
- `tournaments` leads contests.
- `edge`, in a folder of its own beside this one, turns the contract into REST and a socket.

`kit` is what they all stand on, and holds no business noun. `local` runs everything on one
machine: `python -m services`.

Inside a tower climb in this order: its `__init__` (what it owns, its invariants, who calls it),
the pure rules, the storage, the flow, the faces (`rpc`, `wire`), and `app`, which joins them.
"""
