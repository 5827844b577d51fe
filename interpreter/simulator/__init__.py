"""A rollout in virtual time, against a world that is made up from what a person stated and healthy for the rest.

How it works. `scenario` says what happens when. `expressions` reads conditions as arithmetic over a few numbers of the
world (`knobs`: an error rate, a request rate, a median latency, a plain value). `witness` picks healthy values for the
knobs that nobody stated, `inversion` finds the knob that makes a stated, derived metric true. `world` answers the
machine's questions from all that and carries out its effects, `simulation` moves the clock, `timeline` tells the story.
"""
