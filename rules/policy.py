"""A rulebook and a catalog, ready to decide texts.

One Policy for each (rulebook, catalog) pair; a reload or a catalog refresh makes a new one, so nothing cached is ever
stale. A PolicyContext is what a session holds: the cache hangs on it, and a hit is one dictionary lookup.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from rules.book.model import Masking, Rulebook
from rules.cache import Cache, Memory
from rules.catalog import Catalog, Relation
from rules.decide import decide, in_characters, problem_refusal, refuse
from rules.decision import Decision, Mask, MaskKind, Refusal, Rewrite, Verdict
from rules.facts import ColumnId, Facts, OutputColumn
from rules.family import descendants
from rules.granting import DEFAULT, may_reach, names_matter
from rules.hiding import output_mask
from rules.naming import MYSQL_BRANDS, POSTGRES
from rules.own_world import OwnWorld, own_catalog
from rules.roles import RoleView
from rules.set_config import with_set_config
from rules.tree import Statement, Unparsable

LONGEST_TEXT: Final = 1 << 20
#: MySQL's drivers write BLOBs into the text; what costs time is its tokens, which have their own bound
LONGEST_MYSQL_TEXT: Final = 32 << 20
MOST_CONTEXTS: Final = 1024
FIRST_USER_OID: Final = 16384  # FirstNormalObjectId: below are the system's own relations
UNKNOWN_ORIGIN: Final = "dbgate:unknown-origin"


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """How texts become facts. `view_columns`: a view's columns with the base columns behind each, None when the
    view is not understood. `rewrite(text, statement, facts, view, search_path)`: what row filters make of an allowed
    statement of the text. `shown_by_views`: whether what views show may come from the relation itself, as the server
    sees it. `wrong_bytes`: the error handler for what is not UTF-8, by which `read` may get lone surrogates (PEP 383);
    `longest_text`: in bytes; `in_parts`: what to do with more."""

    read: Callable[[str], tuple[Statement, ...] | Unparsable]
    facts: Callable[[Statement, Catalog, tuple[str, ...]], Facts]
    readable: Callable[[str, str], bool]
    view_columns: Callable[[Catalog, Relation], Mapping[str, OutputColumn] | None]
    rewrite: Callable[[bytes, Statement, Facts, RoleView, tuple[str, ...]], Rewrite | Refusal | None]
    shown_by_views: Callable[[Relation, RoleView], bool] = lambda relation, view: False
    wrong_bytes: str = "strict"
    longest_text: int = LONGEST_TEXT
    in_parts: str = "send it in parts, or load data with COPY"


def front_end(catalog: Catalog) -> FrontEnd:
    """The one of the catalog's dialect. Raises ValueError for a dialect that is not known."""
    if catalog.dialect == POSTGRES:
        return postgres_front_end()
    if catalog.dialect in MYSQL_BRANDS:
        return mysql_front_end(catalog)
    raise ValueError(f'no front end reads the dialect "{catalog.dialect}"')


def mysql_front_end(catalog: Catalog) -> FrontEnd:
    """That of the catalog's brand and version. Imported when first needed, since the parser is heavy."""
    from rules import lineage
    from rules.mysql import front_end, system_schemas

    def rewrite(*arguments: Any) -> Rewrite | Refusal | None:
        from rules.mysql import filters  # few rulebooks have filters

        return filters.rewrite(*arguments)

    return FrontEnd(
        lambda text: front_end.read(text, catalog), lineage.facts, system_schemas.readable, _view_columns, rewrite,
        wrong_bytes="surrogateescape", longest_text=LONGEST_MYSQL_TEXT, in_parts="send it in parts",
    )  # fmt: skip


def postgres_front_end() -> FrontEnd:
    """PostgreSQL's. Imported when first needed, since the parsers are heavy."""
    from rules import filters, lineage
    from rules.postgres import read, system_catalogs

    return FrontEnd(
        read, lineage.facts, system_catalogs.readable, _view_columns, filters.rewrite, filters.shown_by_views
    )


def _view_columns(catalog: Catalog, view: Relation) -> Mapping[str, OutputColumn] | None:
    from rules.lineage.relations import shape
    from rules.lineage.values import Refused

    try:
        return {i.name: OutputColumn(i.name, i.sources, i.direct) for i in shape(catalog, view).items}
    except Refused:
        return None


class Policy:
    """`mask_key`: the secret of the hash mask. Raises ValueError when a rule masks with hash and there is no key.
    `shared`: the policy that all sessions go by; itself, unless this one knows a session's own world. `memory`: what
    the decisions that are kept may take."""

    def __init__(
        self, rulebook: Rulebook, catalog: Catalog, mask_key: bytes | None = None, reader: FrontEnd | None = None,
        memory: Memory | None = None,
    ) -> None:  # fmt: skip
        self.shared = self
        self.rulebook = rulebook
        self.catalog = catalog
        self.mask_key = mask_key
        self.front_end = reader or front_end(catalog)
        self.memory = memory or Memory()
        self._contexts: dict[tuple[str, str, str, tuple[str, ...]], PolicyContext] = {}
        self._views: dict[str, RoleView] = {}
        if not mask_key and (needing := hash_rules(rulebook)):
            raise ValueError(f"the hash mask of rule {', '.join(needing)} needs a mask key: set one in the settings")

    @property
    def digest(self) -> str:
        return self.rulebook.digest

    def seen_with(self, world: OwnWorld) -> Policy:
        """This policy for the one session that sees the database so."""
        own = Policy(self.rulebook, own_catalog(self.catalog, world), self.mask_key, self.front_end, self.memory)
        own.shared = self
        return own

    def context(self, role: str, database: str, user: str, search_path: tuple[str, ...]) -> PolicyContext:
        """The context of such sessions; the same object for the same arguments while it is in use."""
        key = (role, database, user, search_path)
        found = self._contexts.get(key)
        if found is None:
            if len(self._contexts) >= MOST_CONTEXTS:
                self._contexts.clear()
            found = self._contexts[key] = PolicyContext(self, self.view(role), database, user, search_path)
        return found

    def view(self, role: str) -> RoleView:
        found = self._views.get(role)
        if found is None:
            found = RoleView(self.rulebook, role, self.catalog, self.front_end.readable)
            if len(self._views) < MOST_CONTEXTS:
                self._views[role] = found
        return found


def hash_rules(rulebook: Rulebook) -> tuple[str, ...]:
    """The ids of the rules that need a mask key."""
    return tuple(r.id for r in rulebook.rules if isinstance(r.verb, Masking) and r.verb.mask.kind is MaskKind.HASH)


class PolicyContext:
    """Decides texts for one role and search path. `limits`: what the role may use up, None for no end.

    `failures` counts texts that made a parser or the decision raise; `last_failure` is the exception, for the
    caller's log. Each was refused."""

    def __init__(
        self, policy: Policy, view: RoleView, database: str, user: str, search_path: tuple[str, ...],
        cache: Cache | None = None, longest_text: int | None = None,
    ) -> None:  # fmt: skip
        self.policy = policy
        self.view = view
        self.database = database
        self.user = user
        self.search_path = search_path
        self.role = view.role
        self.digest = policy.digest
        self.catalog = policy.catalog
        self.names_matter = names_matter(view)
        self.has_masks = bool(view.masks)
        self.limits = view.limits
        self.observed_limits = view.observed_limits
        self.longest_text = policy.front_end.longest_text if longest_text is None else longest_text
        self.failures = 0
        self.last_failure: Exception | None = None
        self._cache = cache or Cache(memory=policy.memory)
        self._denials: dict[tuple[int, int], str | None] = {}
        self._origins: dict[tuple[int, int], Mask | None] = {}

    # ------------------------------------------------------------ texts

    def decide(self, text: bytes) -> tuple[Decision, ...]:
        """One decision for each statement of the text; one of kind `unknown` for a text refused as a whole; none for
        an empty text. Never raises."""
        hit = self._cache.young.get(text)
        return hit if hit is not None else self._missed(text)

    def _missed(self, text: bytes) -> tuple[Decision, ...]:
        decisions = self._cache.old.get(text)
        if decisions is None:
            decisions, lasting = self.decide_anew(text)
            if not lasting:
                return decisions
        self._cache.put(text, decisions)
        return decisions

    def knows(self, text: bytes) -> bool:
        """Would `decide` answer from the cache?"""
        return text in self._cache.young or text in self._cache.old

    def remember(self, text: bytes, decisions: tuple[Decision, ...]) -> None:
        """Takes lasting decisions that the same policy has made in another process."""
        self._cache.put(text, decisions)

    def decide_anew(self, text: bytes) -> tuple[tuple[Decision, ...], bool]:
        """As `decide` without the cache: the decisions, and whether they may be cached."""
        if len(text) > self.longest_text:
            return (refused(too_long(self.longest_text, self.policy.front_end.in_parts)),), False
        try:
            return self._fresh(text.decode("utf-8", self.policy.front_end.wrong_bytes), text), True
        except UnicodeDecodeError as fault:
            return (refused(not_utf8(fault.start)),), False
        except Exception as fault:
            # A parser's RecursionError, MemoryError or bug: whatever it is, the text was not understood.
            self.failures += 1
            self.last_failure = fault
            return (refused(internal(fault)),), False

    def _fresh(self, text: str, raw: bytes) -> tuple[Decision, ...]:
        found = self.policy.front_end.read(text)
        if isinstance(found, Unparsable):
            return (placed(refused(found), text),)
        return tuple(placed(self.decision(raw, each, self.facts(each)), text) for each in found)

    def decision(self, text: bytes, statement: Statement, facts: Facts) -> Decision:
        """What happens to one statement of the text, row filters included."""
        made = decide(facts, self.view)
        if not self.view.filters or made.verdict is not Verdict.ALLOW:
            return made
        found = self.policy.front_end.rewrite(text, statement, facts, self.view, self.search_path)
        if isinstance(found, Refusal):
            return refuse(facts, self.view, found)
        return made if found is None else replace(made, rewrite=found, rules=(*made.rules, *found.rules))

    def facts(self, statement: Statement) -> Facts:
        """What the statement does, in this context. What DECLARE and PREPARE carry has output columns already, since
        the FETCH or EXECUTE that returns the rows is decided by their masks."""
        if statement.defines is not None and statement.kind != "explain":
            statement = replace(statement, returns_body=True)
        return with_set_config(statement, self.policy.front_end.facts(statement, self.catalog, self.search_path))

    # ------------------------------------------------------------ the witness

    def origin_mask(self, table_oid: int, attribute_number: int) -> Mask | None:
        """The mask of a column that the server names as an output column's origin (RowDescription). OID 0 is a
        computed column: None. A table that the catalog does not know is redacted for a role with masks."""
        if not table_oid or not self.has_masks:
            return None
        key = (table_oid, attribute_number)
        if key not in self._origins:
            self._origins[key] = self._origin_mask(table_oid, attribute_number)
        return self._origins[key]

    def origin_mask_by_name(self, schema: str, table: str, column: str) -> Mask | None:
        """The mask of a column that a MySQL server names as an output column's origin (db, org_table, org_name), as it
        spells them. None where it names nothing that is in the catalog: of derived and common tables the servers tell
        the alias, or the stored table with the name that its column has in the query, so that an unknown origin is no
        sign of anything, and a known one of a column that may be meant."""
        found = self._place(schema, table, column) if self.has_masks and schema and table and column else None
        return None if found is None else self.origin_mask(*found)

    def origin_denied_by_name(self, schema: str, table: str, column: str) -> str | None:
        """As `origin_denied`, by the names that a MySQL server gives."""
        if not (schema and table and column) or self.view.may_do_everything:
            return None
        found = self._place(schema, table, column)
        return None if found is None else self.origin_denied(*found)

    def _place(self, schema: str, table: str, column: str) -> tuple[int, int] | None:
        """The relation's OID and the column's number; None where the catalog does not know them. MySQL's."""
        if self.catalog.lower_case_table_names or self.view.is_system(schema):
            schema, table = schema.lower(), table.lower()
        relation = self.catalog.by_name.get((schema, table))
        found = None if relation is None else relation.column(column.lower())
        return None if relation is None or found is None else (relation.oid, found.number)

    def _origin_mask(self, table_oid: int, attribute_number: int) -> Mask | None:
        origin = self._origin(table_oid, attribute_number)
        if origin is None:
            return None if table_oid < FIRST_USER_OID else Mask(MaskKind.REDACT, rule=UNKNOWN_ORIGIN)
        return output_mask(origin, self.view)

    def origin_denied(self, table_oid: int, attribute_number: int) -> str | None:
        """The id of a rule by which the role may not read the column that the server names as an origin;
        `dbgate:default` for a table that no rule allows it in any way. A table unknown to the catalog: None."""
        if not table_oid or self.view.may_do_everything:
            return None
        key = (table_oid, attribute_number)
        if key not in self._denials:
            self._denials[key] = self._origin_denied(table_oid, attribute_number)
        return self._denials[key]

    def _origin_denied(self, table_oid: int, attribute_number: int) -> str | None:
        origin = self._origin(table_oid, attribute_number)
        relation = self.catalog.by_oid.get(table_oid)
        if origin is None or relation is None:
            return None
        denying = (self.view.denied_column(column) for column in origin.sources)
        denied = min((rule.id for rule in denying if rule is not None), default=None)
        reached = may_reach(relation.qualified, self.view) or (
            bool(self.view.filters) and self.policy.front_end.shown_by_views(relation, self.view)
        )
        return denied or (None if reached else DEFAULT)

    def _origin(self, table_oid: int, attribute_number: int) -> OutputColumn | None:
        """The column with those of the same table's children and, for a view, those behind it; None when the catalog
        does not know it. System columns (ctid, xmin) have negative numbers and carry no column's value."""
        relation = self.catalog.by_oid.get(table_oid)
        if relation is None:
            return None
        if attribute_number < 0:
            return OutputColumn("")
        column = next((c.name for c in relation.columns if c.number == attribute_number), None)
        if column is None:
            return None
        if relation.kind in "vm":
            return self._view_origin(relation, column)
        family = (relation, *descendants(self.catalog, relation))  # a parent's rows include its children's
        return OutputColumn(column, frozenset(ColumnId(*member.qualified, column) for member in family), True)

    def _view_origin(self, view: Relation, column: str) -> OutputColumn | None:
        known = self.policy.front_end.view_columns(self.catalog, view)
        found = None if known is None else known.get(column)
        if found is None:
            return None
        return OutputColumn(column, found.sources | {ColumnId(*view.qualified, column)}, found.direct)


# ---------------------------------------------------------------- texts refused as a whole


def refused(problem: Unparsable) -> Decision:
    refusal = problem_refusal(problem)
    return Decision(Verdict.REFUSE, "unknown", refusal=refusal, rules=(refusal.rule,), hides=True)


def placed(decision: Decision, text: str) -> Decision:
    """The decision with its refusal's position counted in characters of the text."""
    refusal = decision.refusal
    moved = refusal if refusal is None else in_characters(refusal, text)
    return decision if moved is refusal else replace(decision, refusal=moved)


def too_long(limit: int, in_parts: str) -> Unparsable:
    return Unparsable("length", f"the text is longer than {limit} bytes", in_parts)


def not_utf8(at: int) -> Unparsable:
    return Unparsable("encoding", f"the text is not valid UTF-8 at byte {at}", "set client_encoding to UTF8", at)


def internal(fault: Exception) -> Unparsable:
    reason = f"the gate could not analyse this text ({type(fault).__name__})"
    return Unparsable("internal", reason, "write it simpler: less nesting, smaller lists")
