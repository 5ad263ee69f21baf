"""The table of scenarios; each module adds its own."""

import collections

# The rung of ./check that runs it: each one leaves out what those after it have.
CHECK, LONG, FULL = RUNGS = ("check", "long", "full")
Scenario = collections.namedtuple("Scenario", "scene name function arguments options rung")
SCENARIOS = []


def scenario(scene, name, function, *arguments, rung=LONG, **options):
    """`function(scene, *arguments, **options)` is to succeed in `scene`."""
    SCENARIOS.append(Scenario(scene, f"{scene}/{name}", function, arguments, options, rung))
