"""The table of docs/security.md: what was tried against the page, and what came of it."""

_THREATS = {
    18: ("Another name for this machine (DNS rebinding)", "0 routes reached"),
    19: ("Requests that another website makes", "0 routes reached, 0 bytes stored"),
    20: ("Strangers, when the page is open to others", "no start without a token; 401 everywhere"),
    21: ("Paths that lead out of the folders", "0 files read or changed"),
    22: ("Addresses that the page is to fetch", "0 requests, 0 names looked up"),
    23: ("Markup in names, labels, texts and files", "0 live tags; files are saved, never shown"),
    24: ("A second browser, or one that comes back", "the same runs in 3 s"),
    25: ("Memory and disk that grow", "5 MB for 100 sessions; uploads within their cap"),
    26: ("Words for a shell", "0 carried out"),
}


def table(found: dict[int, list[str]]) -> str:
    """The page in Markdown.

    Raises:
        KeyError: nothing was found about one of the threats.
    """
    told = {row: "; ".join(trials).replace("|", "\\|") for row, trials in found.items()}
    rows = [f"| {row} | {name} | {told[row]} | {wanted} |" for row, (name, wanted) in _THREATS.items()]
    return "\n".join(
        [
            "# What reaches the page",
            "",
            "Written by `make test-security`, which tries each threat on a real server (`python app.py`), partly in "
            "Chromium. It is written only when every one of its tests has passed.",
            "",
            "| row | threat | tried and found | wanted |",
            "|--:|---|---|---|",
            *rows,
            "",
        ]
    )
