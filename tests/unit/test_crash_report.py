from pathlib import Path

import orjson

from tests.faults.report import main

POINT = {"wire": "postgres", "label": "COMMIT", "way": "sent"}


def report(folder: Path, path: str, *, points: int) -> None:
    broken = [{"point": POINT, "mended_s": 0.5}] * points
    facts = {"path": path, "program": "p", "commit": "c", "found": [POINT], "broken": broken}
    (folder / f"{path}.json").write_bytes(orjson.dumps(facts))


def test_a_path_that_was_not_run_keeps_what_the_page_says_of_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    report(first, "history", points=2)
    report(first, "push", points=1)
    main(first, page)
    report(second, "push", points=3)

    main(second, page)

    text = page.read_text()
    assert ": 5 points, none left anything wrong." in text
    assert "| history | p | 1 | 2 | 0.5 s | 0.5 s | c |" in text
    assert "| push | p | 1 | 3 | 0.5 s | 0.5 s | c |" in text
    assert text.count("| postgres: `COMMIT` | 2 |  |") == 1
    assert text.count("| postgres: `COMMIT` | 3 |  |") == 1
