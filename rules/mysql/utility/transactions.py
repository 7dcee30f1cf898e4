"""Transactions, savepoints, XA, locks, and MariaDB's backup stages. MySQL 9 manual, 15.3."""

from __future__ import annotations

from rules.mysql.utility.forms import MARIADB, MYSQL, Form, Notes, admin, form, plain, rule
from rules.tree import Setting, Statement

rule("chain", "AND CHAIN <note:chain> | AND NO CHAIN")
rule("release", "RELEASE <note:release> | NO RELEASE")
rule("access_mode", "READ ONLY <setting:transaction_read_only=1> | READ WRITE <setting:transaction_read_only=0>")
rule("characteristic", "WITH CONSISTENT SNAPSHOT | <access_mode>")

form("transaction", "START TRANSACTION", "START TRANSACTION [<characteristic> ...]")
form("transaction", "BEGIN", "BEGIN [WORK]")
form("transaction", "COMMIT", "COMMIT [WORK] [<chain>] [<release>]")
form("transaction", "ROLLBACK", "ROLLBACK [WORK] [<chain>] [<release>]")
form("transaction", "ROLLBACK TO SAVEPOINT", "ROLLBACK [WORK] TO [SAVEPOINT] <identifier>")
form("transaction", "SAVEPOINT", "SAVEPOINT <identifier>")
form("transaction", "RELEASE SAVEPOINT", "RELEASE SAVEPOINT <identifier>")

# ---------------------------------------------------------------- SET TRANSACTION

rule(
    "isolation",
    """ISOLATION LEVEL (READ UNCOMMITTED <setting:transaction_isolation=READ-UNCOMMITTED>
    | READ COMMITTED <setting:transaction_isolation=READ-COMMITTED>
    | REPEATABLE READ <setting:transaction_isolation=REPEATABLE-READ>
    | SERIALIZABLE <setting:transaction_isolation=SERIALIZABLE>)""",
)
rule("mode", "<isolation> | <access_mode>")


def _for_session(found: Notes, made: Form) -> Statement:
    """Without a scope the modes hold for the next transaction only."""
    changed = tuple(Setting(setting.name, setting.value) for setting in found.settings())
    return Statement("session", settings=changed, detail=made.detail)


def _for_all(found: Notes, made: Form) -> Statement:
    changed = tuple(Setting(f"global.{setting.name}", setting.value) for setting in found.settings())
    return Statement("admin", settings=changed, detail=made.detail)


form("transaction", "SET TRANSACTION", "SET TRANSACTION <mode> ...")
form("session", "SET SESSION TRANSACTION", "SET (SESSION | LOCAL) TRANSACTION <mode> ...", make=_for_session)
form("admin", "SET GLOBAL TRANSACTION", "SET GLOBAL TRANSACTION <mode> ...", make=_for_all)

# ---------------------------------------------------------------- XA

rule("xid", '<bytes> ["," <bytes> ["," <number>]]')

form("two_phase", "XA START", "XA (START | BEGIN) <xid> [JOIN | RESUME]")
form("two_phase", "XA END", "XA END <xid> [SUSPEND [FOR MIGRATE]]")
form("two_phase", "XA PREPARE", "XA PREPARE <xid>")
form("two_phase", "XA COMMIT", "XA COMMIT <xid> [ONE PHASE]")
form("two_phase", "XA ROLLBACK", "XA ROLLBACK <xid>")
form("two_phase", "XA RECOVER", 'XA RECOVER [CONVERT XID | FORMAT "=" <word_or_string>]')

# ---------------------------------------------------------------- locks

rule("lock_mode", "READ [LOCAL] | [LOW_PRIORITY | CONCURRENT] WRITE [CONCURRENT]")
rule("locked", "<table:LOCK> [[AS] <identifier>] <lock_mode>")
rule("wait", "WAIT <number> | NOWAIT")

form("lock", "LOCK TABLES", "LOCK (TABLES | TABLE) <locked> ... [<wait>]", make=plain)
form("transaction", "UNLOCK TABLES", "UNLOCK (TABLES | TABLE)")
admin("LOCK INSTANCE", "LOCK INSTANCE FOR BACKUP", MYSQL)
admin("UNLOCK INSTANCE", "UNLOCK INSTANCE", MYSQL)
admin("BACKUP STAGE", "BACKUP STAGE <word>", MARIADB)
form("lock", "BACKUP LOCK", "BACKUP LOCK <table:LOCK>", MARIADB)
admin("BACKUP UNLOCK", "BACKUP UNLOCK", MARIADB)
