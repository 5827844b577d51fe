"""The languages inside the language: Jinja templates, PromQL, and RE2, each held to what may stand in a policy."""
