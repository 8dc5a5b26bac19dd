#!/usr/bin/env python3
"""words.py FILE…: finds sentences that a tired reader has to read twice, in Markdown and in the comments of Rust.

The spelling checker lists single words to avoid (_typos.toml), and Harper knows the grammar (.ci/harper.sh). This finds
the patterns that neither of them can express.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

PATTERNS = [
    (
        re.compile(r"(?:^|[.!?:] )(?:What(?:ever)?|Who(?:ever)?|Whose)\b(?![^.]*\?)"),
        "begin with the noun: name the thing or the person",
    ),
    (
        re.compile(r"(?<![Tt]here )\b(?:is|are|was|were) no (?!longer\b|more\b|less\b|later\b|one\b|such\b)\w+"),
        "write `is not a`",
    ),
]


def main(files: list[str]) -> int:
    count = 0
    for file in files:
        text = Path(file).read_text(encoding="utf-8")
        paragraphs = comments(text) if file.endswith(".rs") else markdown(text)
        for line, paragraph in paragraphs:
            for pattern, advice in PATTERNS:
                for match in pattern.finditer(paragraph):
                    words = paragraph[match.start() :].lstrip(".!?: ")[:60]
                    print(f"{file}:{line}: {advice}: {words}…")
                    count += 1
    return int(count > 0)


def markdown(text: str) -> Iterator[tuple[int, str]]:
    """The paragraphs, items and cells of a page, with the lines at which they begin."""
    start, lines, in_code = 1, [], False
    for number, line in enumerate([*text.splitlines(), ""], 1):
        is_fence = line.lstrip().startswith("```")
        begins = re.match(r"\s*(?:[-*+]|\d+\.) |\s*[|>]", line)
        ends = is_fence or in_code or not line.strip() or line.startswith(("#", "<"))
        if (begins or ends) and lines:
            yield start, plain(" ".join(lines))
            lines = []
        in_code ^= is_fence
        if ends:
            continue
        if line.lstrip().startswith("|"):
            yield from ((number, plain(cell)) for cell in line.split("|"))
            continue
        if not lines:
            start = number
        lines.append(re.sub(r"^\s*(?:[-*+]|\d+\.|>) ", "", line).strip())


def comments(text: str) -> Iterator[tuple[int, str]]:
    """The paragraphs of the comments of a file of Rust."""
    blocks: list[tuple[int, list[str]]] = []
    last = -1
    for number, line in enumerate(text.splitlines(), 1):
        comment = re.match(r"\s*//[/!]? ?(.*)", line)
        if not comment:
            continue
        if number != last + 1:
            blocks.append((number, []))
        blocks[-1][1].append(comment[1])
        last = number
    for first, lines in blocks:
        for line, paragraph in markdown("\n".join(lines)):
            yield first + line - 1, paragraph


def plain(text: str) -> str:
    """The text without code, emphasis and the addresses of links."""
    text = re.sub(r"`[^`]*`", "code", text)
    text = re.sub(r"\]\([^)]*\)|[*_\[\]]", "", text)
    return text.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
