"""Who someone is and what they may do.

Owns users, password hashes, sessions with their refresh tokens, and the journal `identity`
(subjects `user:<id>`: `user.changed.v1` at registration, `session.ended.v1`).

Invariants:

- one user per mail address, however it is written (`user.address_key`, unique in the database);
- a password is never stored, logged or journalled: only its argon2id hash is stored, and hashing
  happens in a bounded pool of threads, off the event loop (`hashing`);
- a refresh token is never stored either, only its digest, and it works once; who presents it
  again ends the session, unless it is the owner who lost the first answer (`session.judge`);
- a session that ended stays ended. Every change that others must know is journalled in its own
  transaction.

Access tokens are Ed25519 JWTs that other services verify by themselves. What was taken back before
it expired (a session that ended, permissions that changed) every service and both edges hear from
`WatchRevocations` within a second, and keep in memory for as long as such a token could be shown.

Called by the edge for users, and by followers of the journal (trading opens the accounts of whom
it finds there). Calls trading once per registration, and does not depend on the answer.

Read: `user`, `password`, `permission`, `session`, `device`, `revocation` (pure rules), `users`,
`sessions` (tables), `hashing`, `issuing`, `registration`, `sign_in`, `signing_out`, `passwords`,
`revoking` (flow), `rpc`, `wire`, `neighbours` (faces), `app`.
"""
