"""The table of scenarios; each module adds its own."""

import collections

Scenario = collections.namedtuple("Scenario", "scene name function arguments options check soak")
SCENARIOS = []


def scenario(scene, name, function, *arguments, check=False, soak=False, **options):
    """`function(scene, *arguments, **options)` is to succeed in `scene`; `check`: also in ./check;
    `soak`: takes too long for any but who names it.
    """
    SCENARIOS.append(Scenario(scene, f"{scene}/{name}", function, arguments, options, check, soak))
