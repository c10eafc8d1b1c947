"""Takes pictures of the page over a run root, for the README.

python -m tests.bench.screenshots RUN_ROOT docs
"""

import sys
from pathlib import Path

from tests.bench.served import opened

_SCREENS = ("Data", "Train", "Runs", "Evaluate", "Compare", "Try")


def main(root: Path, target: Path) -> None:
    with opened(root) as (page, url):
        page.goto(url)
        for screen in _SCREENS:
            page.get_by_role("tab", name=screen, exact=True).click()
            page.wait_for_timeout(4000)
            page.screenshot(path=target / f"page-{screen.lower()}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
