"""Exports of receipts, and their verification offline.

`export` writes the receipts of a book, as the platform shows them to everybody, into a file that
ends with a signed head of their chain. `verify` decides every order in such a file again, from the
evidence in its receipt and by the published rules, and checks the chain and the signature. It asks
nobody, and shares no code with the platform.

Read in this order: `canonical` (what is hashed and signed), `rules` (what a receipt must say),
`file` (how an export is written down), `verify`, `export`.
"""
