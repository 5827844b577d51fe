"""The tester: an HTTP server that webhooks call to run load and acceptance tests, and to ask gates.

Its wire format is that of Flagger's loadtester. `payload` is what is asked, `kinds` turns that into a `Plan` (a command
line and how to judge it), `tasks` runs plans, `gates` keeps gates, `application` answers over HTTP.
"""
