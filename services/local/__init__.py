"""The whole platform on one machine: what `make up` runs.

Owns the folder `VERITICK_HOME` (default `.veritick`) and nothing else: an embedded Postgres and
Valkey, the keys with which services sign, the passwords of the database roles, and the logs.
Starts every part of the platform as a process of its own, in the shape a cluster would, watches
their health, starts again what dies and stops all of them together.

Read in this order: `topology` (which parts there are), `part`, `supervisor` (how they are kept
alive), `platform` (how they come up), then `postgres`, `valkey`, `databases`, `keys`.

What always holds:

- one platform per home: a second one is refused by a lock;
- no part outlives its supervisor, even one that is killed with SIGKILL;
- nothing secret is on a command line; what is secret lies in files only their owner can read;
- the databases listen on no network, only on sockets in a folder that nobody else may enter.
"""
