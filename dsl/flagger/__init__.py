"""Flagger's objects as policies: another way into the compiler.

A Canary is read (`canary`), written as `.rollout` text (`text`), and that text is compiled (`importer`). So what
`rollway import flagger` prints and what the controller runs for a Canary are the same thing by construction. There is
no network, no clock and no cluster here.

What is wrong is a `Problem` with the path of its field, never an exception.
"""
