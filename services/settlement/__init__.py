"""Settlement: decides how orders close, and proves it.

**Owns** its decisions, the fixings they rest on, and the receipts: one hash chain
per book, whose head is signed every minute.

**Promises**
- An outcome is a pure function of the order and the fixing. Nothing else decides.
- A decision is stored before its book hears of it, and is never made twice: a crash anywhere
  repeats the same one.
- Every closed order gets one receipt, made from what its book answered. A receipt and a decision
  can be added and read, never changed; anyone can recompute the chain from the receipts alone.
- Quotes or trading being away only delays. An hour's outage changes nothing about outcomes, for
  a fixing is judged from the record of its moment and not from the moment somebody asks.
- Staff void a price that stays pending, two of them: for all orders of its point, in every book.
- One worker per book is live, others stand by; one that lost its lead can write nothing here, and
  what it still tells the book is what was decided before.

**Called by** anyone who wants a receipt, or all of them. **Calls** quotes (the watermark and
fixings) and trading (due orders, closing them).

Read in this order: `fixing`, `outcome`, `receipt`, `checkpoint`, `verification` (the rules);
`fixings`, `decisions`, `voids`, `receipts`, `checkpoints` (the tables); `market_time`, `pace`,
`worker`, `books` (the flow); `neighbours`, `rpc`, `void_rpc`, `wire`, `book_wire` (the faces);
`app` (how it is put together).
"""
