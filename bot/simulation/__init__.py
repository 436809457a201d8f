"""The whole town against the real desk on a virtual clock: one seed, one course of events, and a ledger of promises."""
