-- select:
SELECT 1

-- select:
SELECT

-- select: t
TABLE t

-- select: s.t
TABLE ONLY s.t

-- select:
VALUES (1, 'a'), (2, NULL) ORDER BY 1 LIMIT 1 OFFSET 1

-- select: t
select * from t

-- select: db.s.t
select a.* from db.s.t as a

-- select: Mixed Case
select * from "Mixed Case"

-- select: mixed
select * from MIXED

-- select: données
select * from "données"

-- select: email
select * from U&"\0065mail"

-- select: dat"a
select * from "dat""a"

-- select: a, b
select * from a, b where a.id = b.id

-- select: a, b, c
select * from a join b on a.id = b.id left join c using (id, k)

-- select: a, b
select * from a natural join b

-- select: a, b
select * from a natural full outer join b

-- select: a, b
select * from a cross join b

-- select: a, b, c
select * from (a join b using (id)) as j right join c on j.id = c.id

-- select: a, b
select * from a join b using (id) as j

-- select: t
select distinct a, b from t

-- select: t
select distinct on (a, lower(b)) a, b, c from t order by a, lower(b), c desc nulls last

-- select: t
select all a from t

-- select: t
select a, count(*) from t group by a having count(*) > 1 order by 2 desc

-- select: t
select a, b, count(*) from t group by rollup (a, b)

-- select: t
select a, b, grouping(a, b), sum(c) from t group by cube (a, b), grouping sets ((a), (b), (a, (b)), ())

-- select: t
select a from t group by distinct grouping sets ((a), (a))

-- select: t
select a from t group by all (a)

-- select: t
select sum(a) over w, rank() over (w order by b), lag(a, 1) over (partition by c order by d rows between 1 preceding and current row exclude ties) from t window w as (partition by b order by c range unbounded preceding)

-- select: t
select a, sum(b) filter (where c > 0) from t group by a

-- select: t
select percentile_cont(0.5) within group (order by a desc) from t

-- select: t
select array_agg(distinct a order by a desc) from t

-- select: t
select string_agg(a, ',' order by b using <) from t

-- select: t, u
select * from t where exists (select 1 from u where u.id = t.id)

-- select: t, u
select * from t where id in (select id from u) and x not in (select y from u)

-- select: t, u
select * from t where id = any (select id from u) or id <> all (select id from u)

-- select: t, u
select * from t where (a, b) = (select c, d from u limit 1)

-- select: t, u
select * from t where (a, b) in (select c, d from u)

-- select: t, u
select a, (select max(b) from u where u.id = t.id) as m, array(select b from u) from t

-- select: t, u
select * from t, lateral (select * from u where u.id = t.id limit 3) x

-- select: t
select * from t left join lateral jsonb_array_elements(t.data) with ordinality as e(value, n) on true

-- select:
select * from generate_series(1, 10) as g(i)

-- select:
select * from rows from (generate_series(1, 3), json_to_record('{}') as (a int, b text)) with ordinality as x(a, b, c, n)

-- select:
select * from json_to_recordset('[]') as x(a int, b text collate "C")

-- select:
select * from unnest(array[1,2], array['a','b']) as u(a, b)

-- select:
select * from current_date

-- select: t
select * from t tablesample bernoulli (10) repeatable (42)

-- select: t
select * from t as x tablesample system ($1)

-- select: t
select * from t tablesample system (100.0 / f(3)) repeatable (1 + 2)

-- select: t, u
select * from u, lateral (select count(*) from t tablesample bernoulli (u.a)) s

-- select: base
with x as (select * from base) select * from x

-- select: a, b
with x(p, q) as materialized (select a, b from a), y as not materialized (select * from b) select * from x, y

-- select: tree
with recursive r(id, parent) as (select id, parent from tree where parent is null union all select t.id, t.parent from tree t join r on t.parent = r.id) select * from r

-- select: tree
with recursive r as (select id, parent from tree union all select t.id, t.parent from tree t, r where t.parent = r.id) search depth first by id set ord select * from r order by ord

-- select: tree
with recursive r as (select id, parent from tree union select t.id, t.parent from tree t, r where t.parent = r.id) search breadth first by id, parent set ord cycle id set is_cycle to true default false using path select * from r

-- select: tree
with recursive r as (select id from tree union select t.id from tree t, r) cycle id set seen using path select * from r

-- select: t, u
select a from t union select b from u

-- select: t, u, v
(select a from t order by a limit 1) union all (select b from u) except all select c from v order by 1 limit 5 offset 2

-- select: t, u, v
select a from t intersect select b from u union (values (1)) except (table v)

-- select: t, u
with x as (select * from t) (with y as (select * from u) select * from x, y) union select 1, 2

-- select: t
select * from t order by a using >, b asc nulls first fetch first 3 rows with ties

-- select: t
select * from t offset 2 rows fetch next row only

-- select: t
select * from t limit all offset $1

-- select: t
select * from t limit (select 3)

-- select: t, u
select * from t, u where t.id = u.id for update of t nowait for share of u skip locked

-- select: t
select * from t for no key update

-- select: t
select * from t for key share

-- select: t
select (select (select a from t))

-- select: a, b, c
select * from a join (b join c on b.x = c.x) on a.x = b.x

-- select: a, b
select * from only a, b *

-- select: information_schema.columns
select column_name, data_type from information_schema.columns where table_schema not in ('pg_catalog', 'information_schema')

-- select: pg_catalog.pg_class, pg_catalog.pg_namespace
select n.nspname, c.relname from pg_catalog.pg_class c left join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r','p','') and n.nspname !~ '^pg_toast' and pg_catalog.pg_table_is_visible(c.oid) order by 1, 2

-- select: pg_catalog.pg_class
SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relname OPERATOR(pg_catalog.~) '^(t)$' COLLATE pg_catalog.default AND pg_catalog.pg_table_is_visible(c.oid)

-- select: pg_type
SELECT t.oid, typarray FROM pg_type t WHERE t.oid = to_regtype($1)

-- select: customers, orders
select c.country, date_trunc('month', o.created_at)::date as month, sum(o.total)::numeric(12, 2) as revenue, count(distinct o.customer_id) from customers c join orders o on o.customer_id = c.id where o.created_at >= now() - interval '1 year' group by 1, 2 having sum(o.total) > 1000 order by revenue desc nulls last limit 50

-- select: orders
select *, row_number() over (partition by customer_id order by created_at desc) as rn from orders qualified

-- select: employees
with recursive chain as (select id, manager_id, 1 as depth from employees where id = $1 union all select e.id, e.manager_id, c.depth + 1 from employees e join chain c on e.id = c.manager_id where c.depth < 10) select * from chain

-- select: t
select t from t

-- select: t
select (t).*, (t).a, t.*::text, t is not null from t

-- select: t
select row(t.*, 1), row_to_json(t) from t

-- select: t
select "Weird ""Name" as "Al""ias", a "b" from t

-- select: t
select a value, b name, c type from t

-- select: t
select /* a /* nested */ comment */ a -- tail
from t -- end

-- select: t
(((select * from t)))

-- select: t, u
(select * from t) union (select * from u) order by 1

-- select: public.t, x
with t as (select 1) select * from t, public.t as p, x

-- create: newt, t
select a, b into newt from t where c

-- create: newt, t
select a into temporary table newt from t

-- create: newt, t, u
select a into newt from t union select b from u

-- create: newt, t
select * into unlogged newt from t order by 1

-- select: t
select $1::int, $2 from t where a = $3

-- select:
select 'it''s', E'a\nb\'c', $$dollar$$, $tag$nested $$ here$tag$, B'101', X'1F', N'n', U&'\0061', 'con' 
 'cat'

-- select:
select 1, 1.5, .5, 1e10, 0x1F, 0b101, 0o17, 1_000_000, -1, +1, true, false, null
