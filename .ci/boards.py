#!/usr/bin/env python3
"""boards.py DRAWN TODAY: compares the boards behind the pictures with those of a rehearsal of today.

Both are folders of Markdown files. The comparison leaves out the differences between any two rehearsals: the server, times,
durations and ids, and the order of two stages that run side by side.
"""

import difflib
import re
import sys
from pathlib import Path

MASKS = [
    (r"http://127\.0\.0\.1:\d+|https://github\.com", "SERVER"),
    (r"(?<=/runs/)\d+|(?<=\brun )\d+|(?<=/job/)\d+|(?<=#issuecomment-)\d+", "ID"),
    (r"\b(?=[0-9a-f]*\d)(?:[0-9a-f]{40}|[0-9a-f]{7})\b", "COMMIT"),
    (r"\b(?:\d{4}-\d\d-\d\d )?\d\d:\d\d\b", "TIME"),
    (r"\b\d+\s(?:s|min|h|d)\b(?:\s\d+\s(?:min|h)\b)?", "DURATION"),
]
STAGES = re.compile(r"✅\s\w+(?: ✅\s\w+)+")
ATTEMPT = re.compile(r"- \*\*[^*]+\*\* `")


def main(drawn: Path, today: Path) -> int:
    names = sorted({path.name for folder in (drawn, today) for path in folder.glob("*.md")})
    changed = [name for name in names if differs(drawn / name, today / name)]
    if changed or not names:
        print(f"error: {drawn} does not show the boards of today: {', '.join(changed) or 'it has none'}")
        print("help: .ci/pictures.sh rehearses a release, and draws the pictures again")
        return 1
    print(f"The pictures show the boards of today: {', '.join(names)}")
    return 0


def differs(drawn: Path, today: Path) -> bool:
    lines = list(difflib.unified_diff(masked(drawn), masked(today), str(drawn), str(today), lineterm=""))
    print("\n".join(lines), end="\n" if lines else "")
    return bool(lines)


def masked(path: Path) -> list[str]:
    """The lines of a board without these differences; none of a file that is missing."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    for pattern, name in MASKS:
        text = re.sub(pattern, name, text)
    text = STAGES.sub(lambda stages: " ".join(sorted(stages[0].split(" "))), text)
    lines = text.splitlines()
    attempts = iter(sorted(filter(ATTEMPT.match, lines)))
    return [next(attempts) if ATTEMPT.match(line) else line for line in lines]


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
