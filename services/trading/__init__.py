"""Trading: accounts, orders and every movement of money.

**Owns** the books. A book (`demo`, `real`, later `tournament`) is one database with accounts, a
double-entry ledger, open orders, order history, terms, statistics and a journal; it is the only
place where its money moves. Books share this code and nothing else.

**Promises**
- An order that exists has been paid for: debit, order and journal are one commit, made before
  the caller is answered.
- All that moves money or changes an order passes through one live writer, which commits what
  arrived together in one transaction. A writer that lost its leadership can commit nothing.
- Every refusal has its own reason and moves nothing. A `request_id` is answered once and for ever.
- Entries balance by construction, are never changed, and an account's balance is their sum. Every
  commit seals its entries with a hash over all before them; the newest is signed every minute.
- Available = posted - held, never below zero; a hold is posted, voided or expires, once.
- An order closes once; the amounts follow from the book's own order and the outcome.
- Orders are held to what users have set to protect themselves, in the transaction that would pass
  a limit; orders placed together cannot pass one together.
- What staff correct, one person proposed and another approved; it is a transfer like any other.

**Called by** traders (accounts, orders, terms) through the edge, by settlement (BookService), by
identity (OpenAccounts, ApplyProtection, CountOrderOrigins, PersonalDataService), by payments and
tournaments (LedgerService), by staff (AdjustmentService) and operators (AuditService).
**Calls** quotes for the live market and for fixings, and follows identity's journal.

Read in this order: `order`, `terms`, `payout`, `protection`, `acceptance`, `posting`, `filters`
(the rules); `tables`, `book`, `ledger`, `profits`, `protections`, `blocking`, `origins`, `export`,
`terms_table`, `personal_data` (the tables, as they are read); `market`, `pending`, `statement`,
`commit`, `writer`, `recording`, `sealing`, `placing`, `settling`, `moving`, `holding`, `closing`,
`adjusting`, `annulments`, `protecting`, `setting_terms`, `payouts`, `on_record` (the flow);
`audit`, `audit_reading`, `audit_walk`, `audit_events`, `audit_quotes`, `audit_queries`,
`audit_findings`, `audit_report`, `auditor`, `audit_apart`, `auditing`, `audit_command`, `sealed`,
`heads`, `cohorts` (whether it all holds); `desk`, `rpc`, `report_rpc`, `limit_rpc`, `service_rpc`,
`ledger_rpc`, `origin_rpc`, `personal_data_rpc`, `adjustment_rpc`, `admin_rpc`, `audit_rpc`, `wire`,
`pages_wire`, `closing_wire`, `protection_wire`, `told_wire`, `neighbours` (the faces); `app` (how
it is put together).
"""
