"""What an analysis means, in words: how good, how sure, where wrong, why, what next."""

from typing import Any

from studio.evaluation import multilabel

_FEW = 30  # rows of a class; its figures move by 0.1 and more by chance
_WORTH = 0.75  # of the calibration error; a temperature that leaves more of it is not spoken of
_COARSE = 0.05  # calibration error that chance explains; beyond it, the rows tell little
_UNEVEN = 0.1  # between two classes' F1


def tell(found: dict[str, Any]) -> dict[str, list[str]]:
    """Sentences under the headings "How good?", "How sure is that?", "Where is it wrong?", "Why?", "What next?"."""
    return {
        "How good?": _how_good(found),
        "How sure is that?": _how_sure(found),
        "Where is it wrong?": _where(found),
        "Why?": _why(found) or ["No kind of rows, no label and no pair of labels stands out."],
        "What next?": _next(found),
    }


def of_views(metrics: dict[str, Any]) -> str:
    """What metrics.json says of the mean answers to several views of each picture."""
    several, test = metrics["several_views"], metrics["splits"]["test"]
    return (
        f"The mean answer to {several['views']} views of each picture has an accuracy of {several['accuracy']:.3f} and "
        f"a macro F1 of {several['f1_macro']:.3f}; looking once, as a served model does and as all other figures say, "
        f"it is {test['accuracy']:.3f} and {test['f1_macro']:.3f}."
    )


def is_better_than_nothing(found: dict[str, Any]) -> bool:
    """Whether the model beats always giving the same answer, beyond chance."""
    return found["intervals"]["accuracy"][0] > found["majority_accuracy"]


def is_off(found: dict[str, Any]) -> bool:
    """Whether its probabilities are further off than chance explains, and by enough to matter."""
    calibration = found["calibration"]
    return calibration["error"] > max(0.02, calibration["chance_error"])


def _how_good(found: dict[str, Any]) -> list[str]:
    several, share, majority = "threshold" in found, found["scores"]["accuracy"], found["majority_accuracy"]
    right = "gets all labels right on" if several else "is right on"
    same = "set of labels" if several else "class"
    other = found.get("shift")
    which = f"rows of {other['origin']}" if other else "test rows that it was neither trained nor chosen on"
    told = [f"The model {right} {share:.1%} of {found['rows']:,} {which}."]
    if other:
        told.append(other["sentence"])
    if is_better_than_nothing(found):
        told.append(f"Always answering the commonest {same} would be right on {majority:.1%}.")
    else:
        told.append(
            f"That is not shown to be better than always answering the commonest {same}, which would be right on "
            f"{majority:.1%}."
        )
    title = multilabel.SCORES["f1_macro"]
    told.append(f"With every class counting alike ({title}) it scores {found['scores']['f1_macro']:.3f}.")
    return told


def _how_sure(found: dict[str, Any]) -> list[str]:
    low, high = found["intervals"]["accuracy"]
    told = [
        f"Other test rows of the same kind would give an accuracy between {low:.1%} and {high:.1%}, 19 times of 20."
        if low < high
        else "The test rows are too few to show an error: the interval has no width, which does not mean certainty."
    ]
    if "shift" not in found:
        told.append(
            "Rows from elsewhere can give less: python -m studio evaluate RUN --dataset_name DATA tries others."
        )
    rare = [label for label, row in found["per_class"].items() if 0 < row["support"] < _FEW]
    if rare:
        told.append(f"Fewer than {_FEW} test rows, hence rough figures: {_listed(rare)}.")
    return [*told, _trust(found)]


def _trust(found: dict[str, Any]) -> str:
    """Whether the probabilities mean what they say."""
    calibration = found["calibration"]
    off = f"by {calibration['error']:.1%} on average, where chance explains up to {calibration['chance_error']:.1%}"
    if is_off(found):
        too_sure = calibration["confidence"] > calibration["accuracy"]
        way = "off" if "threshold" in found else "too sure" if too_sure else "not sure enough"
        return f"Its probabilities are {way}: {off}."
    if calibration["chance_error"] > _COARSE:
        return f"These are too few rows to tell whether its probabilities can be trusted: they are off {off}."
    return f"Its probabilities can be taken at their word: they are off {off}."


def _where(found: dict[str, Any]) -> list[str]:
    told = []
    rows = {label: row for label, row in found["per_class"].items() if row["support"]}
    if rows:
        worst, best = (pick(rows, key=lambda label: rows[label]["f1"]) for pick in (min, max))
        told.append(
            f"“{worst}” does worst (F1 {rows[worst]['f1']:.3f}: {rows[worst]['recall']:.0%} of its rows are found, "
            f"{rows[worst]['precision']:.0%} of the answers “{worst}” are right), “{best}” best "
            f"(F1 {rows[best]['f1']:.3f})."
        )
    for pair in found["confused_pairs"][:2]:
        told.append(
            f"{_of(pair['rows'], pair['share'])} “{pair['label']}” "
            f"{'are' if pair['rows'] > 1 else 'is'} taken for “{pair['prediction']}”."
        )
    if found["errors"]:
        told.append(f"The surest error was made at a probability of {found['errors'][0]['score']:.1%}; they are below.")
    else:
        told.append("No test row is answered wrongly.")
    return told


def _why(found: dict[str, Any]) -> list[str]:
    told = [
        f"It does worse where {_trait(one)}: {one['accuracy']:.1%} against {one['rest']:.1%} on the other rows "
        f"({one['rows']:,} rows, {_p(one['p'])} with all {len(found['slices'])} slices allowed for)."
        for one in found["slices"]
        if one["worse"]
    ]
    if found["slices"] and not told:
        told.append(f"None of the {len(found['slices'])} slices below does worse than the rest beyond chance.")
    rows = {label: row for label, row in found["per_class"].items() if row["support"]}
    commonest = max(rows, key=lambda label: rows[label]["support"])
    rarest = min(rows, key=lambda label: rows[label]["support"])
    weak = rows[rarest]["f1"] < rows[commonest]["f1"] - _UNEVEN
    if weak and rows[rarest]["support"] * 2 < rows[commonest]["support"]:
        told.append(
            f"“{rarest}” is rarer than other classes ({rows[rarest]['support']:,} of {found['rows']:,} test rows); if "
            "it is so among the training rows, the model has seen little of it."
        )
    errors = sum(found["confidence"]["wrong"])
    pair = next(iter(found["confused_pairs"]), None)
    if pair and errors and pair["rows"] * 3 > errors and len(found["labels"]) > 2:
        told.append(
            f"{pair['rows'] / errors:.0%} of all errors are “{pair['label']}” taken for “{pair['prediction']}”: look "
            "at some, for the line between the two may be unclear in the labels themselves."
        )
    return told


def _next(found: dict[str, Any]) -> list[str]:
    told = []
    if found.get("shift", {}).get("worse"):
        told.append("Train with rows of this kind as well, and keep some of them to test on.")
    if "shift" not in found and not is_better_than_nothing(found):
        told.append("Train longer, on more rows, or with another learning rate: so far it is no better than a guess.")
    if found["errors"]:
        told.append("Look at the surest errors first: wrong labels are often among them.")
    worse = [one for one in found["slices"] if one["worse"]]
    if worse:
        told.append(f"Bring more training rows where {_trait(min(worse, key=lambda one: one['accuracy']))}.")
    calibration = found["calibration"]
    if is_off(found) and calibration["error_at_temperature"] < _WORTH * calibration["error"]:
        told.append(
            f"Divide the logits by {calibration['temperature']:.2f} (the temperature that suits the validation rows) "
            f"before you read probabilities: they are then off by {calibration['error_at_temperature']:.1%} instead of "
            f"{calibration['error']:.1%} here, and no answer changes."
            if "threshold" not in found
            else f"A temperature of {calibration['temperature']:.2f} would bring the probabilities from "
            f"{calibration['error']:.1%} off to {calibration['error_at_temperature']:.1%}."
        )
    low, high = found["intervals"]["accuracy"]
    if high - low > 0.1:
        told.append("More test rows would make these figures surer.")
    held_back = found["thresholds"]["held_back"]
    if held_back and (taken := _worth_taking(found, held_back)):
        told.append(taken)
    return told or ["Nothing stands out: compare other models, or take it."]


def _worth_taking(found: dict[str, Any], curve: dict[str, list]) -> str | None:
    """The first threshold at which errors are halved, if half of the rows or more are still answered."""
    wanted = 1 - (1 - found["scores"]["accuracy"]) / 2
    for threshold, answered, accuracy in zip(*(curve[k] for k in ("threshold", "answered", "accuracy")), strict=True):
        if accuracy is not None and accuracy >= wanted and answered >= 0.5 and answered < 1:
            return (
                f"Where a person can look at the rest, take answers from a probability of {threshold:.2f} on: that is "
                f"{answered:.0%} of the rows, and {accuracy:.1%} of them are right."
            )
    return None


def _trait(one: dict[str, Any]) -> str:
    if one["trait"] == "characters":
        return f"the text has {one['value']} characters"
    if one["trait"] == "shorter_side":
        return f"the shorter side of the picture has {one['value']} pixels"
    return f"{one['trait'].replace('_', ' ')} is {one['value']}"


def _of(rows: int, share: float) -> str:
    return f"{rows:,} {'rows' if rows > 1 else 'row'} ({share:.0%}) of"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _p(p: float) -> str:
    return "p below 0.001" if p < 0.001 else f"p {p:.2g}"
