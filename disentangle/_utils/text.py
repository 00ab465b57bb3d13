"""Text for people: durations and counts."""


def count(number: int, noun: str) -> str:
    """Format a number of things, as in "1 thread" and "2 threads"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: float) -> str:
    """Format a duration in seconds, minutes, hours or days, whichever fits."""
    minutes = int(seconds) // 60
    if minutes < 1:
        return f"{seconds:.0f} s"
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes / 60
    return f"{hours:.1f} h" if hours < 100 else f"{hours / 24:,.0f} days"
