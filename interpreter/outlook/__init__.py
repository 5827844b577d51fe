"""What a policy's checks promise at the traffic that one expects: `rollway plan --rps … --errors …`.

| module | what it knows |
| --- | --- |
| `chances` | how often each check ends a healthy release, and how soon it sees a bad one |
| `advice` | which checks are hopeless, blind, late or holding, and what to write instead |
| `traffic` | the options, understood |
| `asking` | the primary's traffic, asked from a Prometheus |
| `telling` | the table, and the JSON |

The rollouts themselves are drawn by `interpreter.simulator.chances`.
"""
