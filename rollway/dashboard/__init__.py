"""The page: rollouts at a glance, one rollout, and what people decide about it, in a browser.

Pages are rendered here, whole, by Jinja templates; a browser without JavaScript can do everything. What a page shows is
made in two halves: `gathering` reads objects, and pure functions (`glance`, `steps`, `policy_text`, `about`) make of
them what the templates print. Nothing is kept but what is watched.

One `Watch` follows the rollouts of the cluster for all viewers together, from when the first one comes until a while
after the last one has gone. A browser holds one stream of server-sent events (`stream`), which says only *that* what
the page shows has changed; the script then asks for the page again, and puts in place those parts that differ. So
there is one way of rendering, and a viewer who is slow costs nothing: there is no queue, only the fact that something
is new.

The web application around all this, with who people are and what they may, is `interpreter.web`.
"""
