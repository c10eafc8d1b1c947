"""A Markdown file whose sections are written by several programs, each of them its own."""

import re
from pathlib import Path


def put(file: Path, section: str) -> None:
    """Writes a section in the place of the one with the same heading, its first line, or else at the end."""
    heading = section.partition("\n")[0]
    found = re.split(r"^(?=#+ )", file.read_text(), flags=re.MULTILINE) if file.exists() else []
    headings = [old.partition("\n")[0] for old in found]
    if heading in headings:
        found[headings.index(heading)] = f"{section.strip()}\n\n"
    else:
        found.append(f"\n{section}")
    file.write_text("".join(found).strip() + "\n")
