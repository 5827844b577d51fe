"""The admission webhook: what the API server asks before it takes an object of ours.

A policy that does not compile, breaks a guardrail or asks for what its data plane cannot do is refused where it is
written, by `kubectl apply` or the pipeline that runs it, and not found out in the night when a revision comes. The
interpreter does not rely on it: it compiles what it reads, and shows what is wrong, with or without.

* `review`        the API server's question and our answer (`admission.k8s.io/v1`). Pure.
* `judging`       what is wrong with an object, and what is worth a warning.
* `certificates`  an authority of our own, and the server's certificate. Pure, but for chance and time handed in.
* `keeper`        where they are kept (a Secret), and when they are made anew; what the API server is told to trust.
* `server`        HTTPS.
"""
