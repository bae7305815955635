"""HTTP and JSON for everything in the contract that carries `google.api.http`.

A request climbs through: `http` (request id, security headers) → `routes` (which RPC) → `session`
(whose call) → `limits` (how often) → `maintenance` (whether now) → `transcoder` (JSON to message) →
the service → `transcoder` (message to JSON), and falls out as a `problem` wherever it is refused.
Beside that stand the documents (`openapi`, `docs`) and the built apps (`static`).
"""
