from __future__ import annotations

import pytest

from rules.mysql.splitting import statement_texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1; SELECT ';é' ;\n", ["SELECT 1", "SELECT ';é'"]),
        ("CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END; SELECT 3",
         ["CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END", "SELECT 3"]),
        ("SELECT FROM WHERE; SELECT `;`, 'é' FROM t;", ["SELECT FROM WHERE", "SELECT `;`, 'é' FROM t"]),
        ("SELECT 1; SELECT 'open", ["SELECT 1; SELECT 'open"]),
        (" -- nothing\n", []),
    ],
)  # fmt: skip
@pytest.mark.parametrize("brand", ["mysql", "mariadb"])
def test_each_statement_is_a_text(text: str, expected: list[str], brand: str) -> None:
    assert statement_texts(text, brand, 101119) == expected
