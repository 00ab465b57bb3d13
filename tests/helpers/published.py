"""The published studies, whose records the repository holds."""

STUDIES = {
    "beta-sweep": 34,
    "cpu-budget": 2,
    "discrete": 36,
    "protocols": 15,
    "quick": 12,
    "shift": 54,
}
"""Study -> its number of runs."""
RUNS = sum(STUDIES.values())
