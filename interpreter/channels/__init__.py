"""Messages to channels.

| file | what |
| --- | --- |
| `message`, `line` | what is said, and where it goes |
| `request` | what a service is asked, and what its answer means |
| `slack`, `msteams`, … `cloudevents` | one service each: the form of a message there, pure |
| `registry` | which kind of channel is which service |
| `posting` | one request over HTTP |
| `delivery` | queues, pauses, tries |
| `local` | where there is no cluster |
"""
