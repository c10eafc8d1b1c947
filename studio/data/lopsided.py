"""Whether some classes have so few rows beside others that a model may pass them over, and what helps."""

from collections.abc import Mapping

from studio.advice import Advice

TIMES = 10  # the rows of the smallest class, from which on the largest one counts as very much larger


def lopsided(rows: Mapping[str, int]) -> Advice | None:
    """Advice for training rows with one label each, counted by class; None where the sizes are no trouble.

    Of several labels per row nothing is said: nearly each of them is rarer than its absence, and the threshold from
    which on one is given is chosen on the validation rows.
    """
    present = {label: count for label, count in rows.items() if count}
    if not present:
        return None
    most, least = max(present, key=present.get), min(present, key=present.get)
    if present[most] < TIMES * present[least]:
        return None
    return Advice(
        "lopsided",
        f"{most!r} has {present[most] / present[least]:.0f} times as many training rows as {least!r} "
        f"({present[most]:,} against {present[least]:,})",
        f"A model may hardly ever answer {least!r} then, and still be right most of the time. Train once as it is and "
        f"once with --class_weights balanced, which lets every class count the same; Compare shows what that does to "
        f"the recall of {least!r}. More rows of it help most.",
    )
