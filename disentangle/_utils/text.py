"""Text for people: durations."""


def duration(seconds: float) -> str:
    """Format a duration in seconds, minutes, hours or days, whichever fits."""
    minutes = int(seconds) // 60
    if minutes < 1:
        return f"{seconds:.0f} s"
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes / 60
    return f"{hours:.1f} h" if hours < 100 else f"{hours / 24:,.0f} days"
