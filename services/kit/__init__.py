"""What every service stands on. No business nouns live here, and it imports no service.

Read in this order:

- values to begin with: `clock`, `ids`, `values`;
- a process: `settings`, `logs`, `metrics`, and its life in `process` and `tasks`;
- its database: `database` (pool, transactions, outages), `schema` and `migrate` (tables, roles),
  `leader` (one live writer, fenced by an epoch), `jobs` (recurring work), `pages` (lists);
- its contract: `contract` (read from the descriptors), `reason`, `errors` and `status` (saying no),
  `tokens`, `principal` and `callers` (who calls), `origin` (from where), `revocations` with its
  `revocation_feed` (what was taken back), `access` and `validation`, all of which `interceptor`
  puts around every call; `introspection` (what operators are told of a server); `wire` translates
  common types, `channels` calls other services, over `tls` where wished;
- what two people have to agree on: `approval`, `approvals` (in `approval_wire`'s shapes);
- what it tells others: `journal`, served by `journal_face` (in `journal_wire`'s shapes), followed
  with `follower`, and relayed to Redis by `relay`;
- what stays on record: `audit` (who did what) and `refusals` (who was not allowed to).
"""
