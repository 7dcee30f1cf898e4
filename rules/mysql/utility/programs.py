"""Stored programs' bodies. They are read to their end, since only the grammar tells where in a text of several
statements a body stops; what they do is not part of the facts: such code is granted by rule alone."""

from __future__ import annotations

from rules.mysql.utility.forms import MARIADB, form, rule

rule("label", '<identifier> ":"')
rule("statements", '<inner> ";" {<inner> ";"}')
rule("handled", "SQLSTATE [VALUE] <string> | SQLEXCEPTION | SQLWARNING | NOT FOUND | <number> | <identifier>")
rule(
    "declaration",
    """DECLARE (<identifier> CONDITION FOR (SQLSTATE [VALUE] <string> | <number>) | (CONTINUE | EXIT | UNDO) HANDLER
    FOR <handled> ... <inner> | <identifier> CURSOR [<column_names>] FOR <query> | <identifier> ... <type>
    {<type_charset>} [DEFAULT <computed>])""",
)
rule("block", "BEGIN [NOT ATOMIC] [<statements>] END [<identifier>]")
rule("if_block", "IF <computed> THEN <statements> {ELSEIF <computed> THEN <statements>} [ELSE <statements>] END IF")
rule("when_then", "WHEN <computed> THEN <statements>")
rule("case_block", "CASE (<when_then> | <computed> <when_then>) {<when_then>} [ELSE <statements>] END CASE")
rule("loop_block", "LOOP <statements> END LOOP [<identifier>]")
rule("while_block", "WHILE <computed> DO <statements> END WHILE [<identifier>]")
rule("repeat_block", "REPEAT <statements> UNTIL <computed> END REPEAT [<identifier>]")
rule("flow", "LEAVE <identifier> | ITERATE <identifier> | RETURN <computed>")
rule("cursor_step", "OPEN <identifier> | CLOSE <identifier> | FETCH [[NEXT] FROM] <identifier> INTO <identifier> ...")
rule("labelled", "<label> (<block> | <loop_block> | <while_block> | <repeat_block>)")
rule("compound", "<labelled> | <block> | <if_block> | <case_block> | <loop_block> | <while_block> | <repeat_block>")
rule("inner", "<declaration> | <compound> | <flow> | <cursor_step> | <statement>")

form("do", "BEGIN NOT ATOMIC", "BEGIN NOT ATOMIC [<statements>] END", MARIADB)
form(
    "do",
    "IF",
    "IF <computed> THEN <statements> {ELSEIF <computed> THEN <statements>} [ELSE <statements>] END IF",
    MARIADB,
)
form("do", "CASE", "CASE (<when_then> | <computed> <when_then>) {<when_then>} [ELSE <statements>] END CASE", MARIADB)
form("do", "LOOP", "LOOP <statements> END LOOP", MARIADB)
form("do", "WHILE", "WHILE <computed> DO <statements> END WHILE", MARIADB)
form("do", "REPEAT", "REPEAT <statements> UNTIL <computed> END REPEAT", MARIADB)
