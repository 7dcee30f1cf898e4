"""Accounts, roles and rights. MySQL 9 manual, 15.7.1; MariaDB knowledge base, "Account Management"."""

from __future__ import annotations

from typing import Final

from rules.mysql.utility.forms import MARIADB, MYSQL, admin, form, rule
from rules.mysql.utility.reading import Reading
from rules.mysql.utility.terminals import terminal, word

rule("secret", 'RANDOM PASSWORD | PASSWORD <string> | PASSWORD "(" <string> ")" | <string>')
rule("plugin", "<word_or_string> [(BY | AS | USING) <secret>]")
rule("identified", "IDENTIFIED BY <secret> | IDENTIFIED (WITH | VIA) <plugin> {OR <plugin>}")
rule("replacing", "[REPLACE <string>] [RETAIN CURRENT PASSWORD]")
rule("initial", "INITIAL AUTHENTICATION <identified>")
rule("factor", "<number> FACTOR")
rule("factors", "(ADD | MODIFY) <factor> <identified> | DROP <factor>")
rule(
    "registration",
    "<factor> (INITIATE REGISTRATION | FINISH REGISTRATION SET CHALLENGE_RESPONSE AS <string> | UNREGISTER)",
)
rule(
    "authentication",
    """<identified> {AND <identified>} [<initial>] <replacing> | DISCARD OLD PASSWORD | <registration> | <factors>
    {<factors>}""",
)
rule("user", "<account> [<authentication>]")
rule("tls_option", "SSL | X509 | CIPHER <string> | ISSUER <string> | SUBJECT <string>")
rule("require", "REQUIRE (NONE | <tls_option> {[AND] <tls_option>})")
rule(
    "resource",
    """(MAX_QUERIES_PER_HOUR | MAX_UPDATES_PER_HOUR | MAX_CONNECTIONS_PER_HOUR | MAX_USER_CONNECTIONS
    | MAX_STATEMENT_TIME) <literal>""",
)
rule("resources", "WITH <resource> {<resource>}")
rule("days", "INTERVAL <number> DAY")
rule(
    "password_option",
    """PASSWORD EXPIRE [DEFAULT | NEVER | <days>] | PASSWORD HISTORY (DEFAULT | <number>)
    | PASSWORD REUSE INTERVAL (DEFAULT | <number> DAY) | PASSWORD REQUIRE CURRENT [DEFAULT | OPTIONAL]
    | FAILED_LOGIN_ATTEMPTS <number> | PASSWORD_LOCK_TIME (<number> | UNBOUNDED) | ACCOUNT (LOCK | UNLOCK)""",
)
rule("remark", "COMMENT <string> | ATTRIBUTE <string>")
rule("user_tail", "[<require>] [<resources>] {<password_option>} [<remark>]")
rule("roles_or", "NONE | ALL [EXCEPT <account> ...] | DEFAULT | <account> ...")

admin("CREATE USER", "CREATE USER [IF NOT EXISTS] <user> ... [DEFAULT ROLE <account> ...] <user_tail>")
admin("CREATE USER", "CREATE OR REPLACE USER <user> ... <user_tail>", MARIADB)
admin("ALTER USER", "ALTER USER [IF EXISTS] <account> DEFAULT ROLE <roles_or>", MYSQL)
admin("ALTER USER", "ALTER USER [IF EXISTS] <user> ... <user_tail>")
admin("DROP USER", "DROP USER [IF EXISTS] <account> ... [FORCE]")
admin("RENAME USER", "RENAME USER (<account> TO <account>) ...")
admin("CREATE ROLE", "CREATE ROLE [IF NOT EXISTS] <account> ... [WITH ADMIN <account>]")
admin("CREATE ROLE", "CREATE OR REPLACE ROLE <account> ... [WITH ADMIN <account>]", MARIADB)
admin("DROP ROLE", "DROP ROLE [IF EXISTS] <account> ...")
admin("SET ROLE", "SET ROLE <roles_or>")
admin("SET DEFAULT ROLE", "SET DEFAULT ROLE <roles_or> [(TO | FOR) <account> ...]")
rule("new_password", '(PASSWORD | OLD_PASSWORD) "(" <string> ")" | <string>')
admin("SET PASSWORD", 'SET PASSWORD [FOR <account>] "=" <new_password> <replacing>')
admin("SET PASSWORD", "SET PASSWORD [FOR <account>] TO RANDOM <replacing>", MYSQL)

# ---------------------------------------------------------------- rights

_AFTER_RIGHTS: Final = frozenset({"on", "to", "from"})


@terminal
def right_word(reading: Reading, key: str) -> bool:
    """A word of a privilege's name."""
    return word(reading, key) if reading.word() not in _AFTER_RIGHTS else reading.fails()


rule("right", '<right_word> {<right_word>} ["(" <identifier> ... ")"]')
rule("rights", "<right> ...")
rule("object", "TABLE | FUNCTION | PROCEDURE | LIBRARY | PACKAGE BODY | PACKAGE")
rule("level", '"*" "." "*" | "*" | <identifier> "." "*"')
rule("grantees", "<user> ... [<require>]")
rule("grant_options", "WITH <grant_option> {<grant_option>}")
rule("grant_option", "GRANT OPTION | ADMIN OPTION | <resource>")
rule("grant_as", "AS <account> [WITH ROLE <roles_or>]")

admin("GRANT PROXY", "GRANT PROXY ON <account> TO <user> ... [WITH GRANT OPTION]")
admin("GRANT", "GRANT <rights> ON [<object>] <level> TO <grantees> [<grant_options>] [<grant_as>]")
form(
    "grant",
    "GRANT",
    """GRANT <rights> ON (FUNCTION | PROCEDURE | LIBRARY | PACKAGE BODY | PACKAGE) <routine> TO <grantees>
    [<grant_options>] [<grant_as>]""",
)
form("grant", "GRANT", "GRANT <rights> ON [TABLE] <table:OTHER> TO <grantees> [<grant_options>] [<grant_as>]")
admin("GRANT ROLE", "GRANT <account> ... TO <account> ... [WITH ADMIN OPTION]")
rule("unknown_user", "IGNORE UNKNOWN USER")
admin("REVOKE", 'REVOKE [IF EXISTS] ALL [PRIVILEGES] "," GRANT OPTION FROM <account> ... [<unknown_user>]')
admin("REVOKE PROXY", "REVOKE [IF EXISTS] PROXY ON <account> FROM <account> ... [<unknown_user>]")
admin("REVOKE", "REVOKE [IF EXISTS] <rights> ON [<object>] <level> FROM <account> ... [<unknown_user>]")
form(
    "grant",
    "REVOKE",
    """REVOKE [IF EXISTS] <rights> ON (FUNCTION | PROCEDURE | LIBRARY | PACKAGE BODY | PACKAGE) <routine> FROM
    <account> ... [<unknown_user>]""",
)
form("grant", "REVOKE", "REVOKE [IF EXISTS] <rights> ON [TABLE] <table:OTHER> FROM <account> ... [<unknown_user>]")
admin("REVOKE ROLE", "REVOKE [IF EXISTS] [ADMIN OPTION FOR] <account> ... FROM <account> ... [<unknown_user>]")
