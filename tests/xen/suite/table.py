"""The table of scenarios; each module adds its own."""

import collections

Scenario = collections.namedtuple("Scenario", "scene name function arguments options check")
SCENARIOS = []


def scenario(scene, name, function, *arguments, check=False, **options):
    """`function(scene, *arguments, **options)` is to succeed in `scene`; `check`: also in ./check."""
    SCENARIOS.append(Scenario(scene, f"{scene}/{name}", function, arguments, options, check))
