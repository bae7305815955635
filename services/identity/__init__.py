"""Who someone is and what they may do.

Owns users, password hashes, second factors, passkeys, sessions with their refresh tokens, API keys,
roles, bans, letters, and the journal `identity` (subjects `user:<id>`: `user.changed.v1`,
`session.ended.v1`, `api.key.ended.v1`; `proposals`).

Invariants:

- one user per mail address, however it is written (`user.address_key`, unique in the database);
- a password is never stored, logged or journalled: only its argon2id hash is stored, and hashing
  happens in a bounded pool of threads, off the event loop (`hashing`);
- a refresh token is never stored either, only its digest, and it works once; who presents it
  again ends the session, unless it is the owner who lost the first answer (`session.judge`);
- letters are queued with what they tell and sent afterwards, in the language of the user (the texts
  of all of them lie in `words/`); their links hold secrets of which only digests are stored, and
  asking for one does the same whether or not anybody has the address;
- whoever signs in where the user never was, or changes what opens the account, has a letter written
  to its owner (`notices`), in which nothing stands that a client wrote;
- tries of a credential are counted by where they come from and whom they concern (`throttle`), so
  that guessers run dry and nobody is locked out by them;
- a code of a second factor works once, a recovery code too; the secrets behind codes are sealed
  (`vault`), keys and recovery codes are stored as digests, and each is shown once;
- where it is demanded, as in production, permissions of staff count only for who has a second
  factor (`second_factors.SecondFactors.counted`);
- a second factor that was lost is taken away by two of staff, and leaves the password
  (`lost_factors`);
- an API key acts within its scopes, accounts, networks and time, never with staff's permissions;
- nobody alone gives a permission that moves money or gives permissions (`permission.POWERFUL`);
  what is taken from a user or a role stops counting everywhere within a second;
- personal data (address, country, birth date) never enters the journal, which forgets nothing;
- a session that ended stays ended. Every change that others must know is journalled in its own
  transaction.

Documents of users (KYC) arrive in parts, are opened in a process of its own that keeps only a clean
copy (`inspection`), and lie in a folder or bucket, sealed with a key of the user's own (`sealing`,
`user_keys`), itself sealed in the vault. Every look at one is on record before it is answered.

What users set to protect themselves (limits, breaks, self-exclusion: `protection`) is kept in
every version; what makes somebody safer counts at once, the rest a day later. Limits on time are
kept here, by how long access tokens last (`presence`); those on losses and stakes by trading.

At which devices and addresses users sign in is followed a moment later (`tracing`): it links users
into clusters, unless too many share the place to mean anything, and raises flags for staff. Nothing
follows from either by itself. Where orders come from it asks trading, minute by minute (`pacing`).

Users refer others by a code (`referral`). The referrer is set in the registration's own transaction
and never again, and not where both seem to belong together; rewards are none of identity's.

Access tokens are Ed25519 JWTs that other services verify by themselves. What was taken back before
it expired (a session that ended, permissions that changed) every service and both edges hear from
`WatchRevocations` within a second, and keep in memory for as long as such a token could be shown.

It also keeps the audit trail of the whole platform: every service puts what people did on record
in its own journal (`kit.audit`), identity follows those journals and chains each record once
(`trail`, `auditing`). What people do to their own credentials, and whose are refused, `on_record`
tells. The service's role can add to the trail and read it; `python -m services.identity
check-audit-trail` derives every hash again. A record names people by id and places by network,
because it can never be erased.

Staff switch the whole platform to maintenance here (`maintenance`); the edges ask and heed it.
What they write down about users (`notes`) stays in this database; on record is only that they did.

Everything that is kept about a person is handed to that person as an archive (`personal_data`),
with trading's part of it; what of the audit trail, `disclosure` says.

Called by the edge for users, and by followers of the journal (trading opens the accounts of whom
it finds there). Calls trading once per registration, and does not depend on the answer;
and whenever a user's protection changes, who is answered only when the books know it.

Read: `user`, `password`, `permission`, `session`, `device`, `jurisdiction`, `letter`, `throttle`,
`revocation`, `api_key`, `protection`, `presence`, `sitting`, `kyc`, `sealing`, `trail`,
`disclosure`, `trace`, `flag`, `order_velocity`, `referral` (pure rules), `users`, `sessions`,
`roles`, `letters`, `mail_tokens`, `throttles`, `api_keys`, `protections`, `presences`, `sittings`,
`documents`, `trail_table`, `traces`, `user_clusters`, `flags`, `referrals`, `device_traders`,
`erasures`, `notes` (tables), `ground`, `hashing`, `strength`, `breached`, `geography`, `vault`,
`user_keys`, `document_store`, `issuing`, `mailers`, `wording`, `post`, `notices`, `registration`,
`standing`, `second_factors`, `sign_in`, `signing_out`, `passwords`, `passkeys`, `key_access`,
`staffing`, `lost_factors`, `bans`, `protecting`, `reality_checks`, `inspection`, `inspector`,
`uploading`, `reviewing`, `flagging`, `archive`, `personal_data`, `forgetting`, `erasing`,
`tracing`, `pacing`, `suspicion`, `referring`, `revoking`, `maintenance`, `on_record`, `auditing`,
`jobs` (flow), `rpc`, `profile_rpc`, `key_rpc`, `passkey_rpc`, `protection_rpc`, `kyc_rpc`,
`privacy_rpc`, `erasure_rpc`, `fraud_rpc`, `referral_rpc`, `note_rpc`, `staff_rpc`,
`factor_reset_rpc`, `maintenance_rpc`, `audit_rpc`, `wire`, `protection_wire`, `fraud_wire`,
`neighbours` (faces), `admin`, `audit_command` (commands), `parts`, `records`, `app`.
"""
