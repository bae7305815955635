"""Exports of receipts, and their verification offline.

`export` writes the receipts of a book, as the platform shows them to everybody, into a file that
ends with a signed head of their chain; for whoever may audit the book also its whole ledger.
`verify` decides every order in such a file again, from the evidence in its receipt and by the
published rules, holds every entry to the one before and to the receipt of its order, and checks
the chains and the signatures. It asks nobody, and shares no code with the platform.

Read in this order: `canonical`, `seals` (what is hashed and signed), `rules`, `known`, `ledger`
(what a receipt and the entries must say, and agree with), `file` (how an export is written down),
`verify`, `export`.
"""
