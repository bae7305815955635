"""The edge: what a browser or a program meets. Thin, generated from the contract, and stateless.

Two runtimes in one package, which keep nothing and may run in any number:

- `rest` turns HTTP and JSON into the RPCs that `proto/` annotates, and answers in problem documents
  when they refuse; it serves the reference, OpenAPI and the built apps;
- `stream` delivers journals and ticks over WebSockets.

The edge decides nothing. Who may call is judged by the service that owns the call, from the
caller's own token, which passes through here unchanged; the edge only bounds how much is asked
(size, time, rate) and keeps a browser's tokens where scripts cannot read them.

Read `contract` (what the services offer), then `rest/app` or `stream/app`.
"""
