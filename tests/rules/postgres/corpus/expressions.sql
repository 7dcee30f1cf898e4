-- select: t
select a + b - c * d / e % f ^ g, -a, +b, @ c, |/ d, ||/ e, ~ f, a & b | c # d << 1 >> 2 from t

-- select: t
select a = b, a <> b, a != b, a < b, a <= b, a > b, a >= b from t

-- select: t
select a || b, data -> 'k', data ->> 'k', data #> '{a,b}', data #>> '{a,b}', data @> '{}', data <@ '{}', data ? 'k', data ?| array['a'], data ?& array['a'], data @? '$.a', data @@ '$.a' from t

-- select: t
select a operator(pg_catalog.+) b, operator(pg_catalog.-) a from t

-- select: t
select a and b or not c from t

-- select: t
select a is null, a is not null, a isnull, a notnull from t

-- select: t
select a is true, a is not true, a is false, a is not false, a is unknown, a is not unknown from t

-- select: t
select a is distinct from b, a is not distinct from b, nullif(a, b) from t

-- select: t
select a in (1, 2), a not in (1, 2), (a, b) in ((1, 2), (3, 4)) from t

-- select: t
select a = any (array[1, 2]), a <> all ($1), a like any (array['x%']), a < some (array[1]) from t

-- select: t
select a like 'x%', a not like 'x' escape '\', a ilike 'x', a not ilike 'x' escape '!', a similar to 'x', a not similar to 'x' escape '!' from t

-- select: t
select a ~ 'x', a ~* 'x', a !~ 'x', a !~* 'x', a ~~ 'x', a ^@ 'x' from t

-- select: t
select a between 1 and 2, a not between 1 and 2, a between symmetric 2 and 1, a not between symmetric 2 and 1 from t

-- select: t
select case when a then 1 when b then 2 else 3 end, case a when 1 then 'x' end from t

-- select: t
select coalesce(a, b, 1), greatest(a, b), least(a, b, c) from t

-- select: t
select array[a, b], array[[1, 2], [3, 4]], array[]::int[], row(a, b), (a, b), row() from t

-- select: t
select a[1], a[1:2], a[:2], a[1:], a[:], a[1][2], (f(a)).b, (f(a)).*, (a).b.c, ($1).d, (array[1,2])[1] from t

-- select: t
select a::int, cast(a as numeric(10, 2)), a::varchar(10)[], int '1', a::hr.mood, a::"Type", date '2020-01-01', interval '1' year, interval '1 day' day to second(3), timestamp(3) with time zone 'now', float8 '1', a::bit varying(3), a::time with time zone, a::int[3][], a::int array from t

-- select: t
select 'customers'::regclass, 'now()'::regproc, 1::oid::regtype from t

-- select: t
select a collate "C", a collate pg_catalog."de_DE" from t

-- select:
select current_date, current_time, current_time(2), current_timestamp, current_timestamp(3), localtime, localtime(1), localtimestamp, localtimestamp(1), current_role, current_user, user, session_user, current_catalog, current_schema, system_user

-- select: t
select f(), f(a, b), s.f(a), f(distinct a), f(all a), f(variadic a), f(1, variadic array[a]), f(x => 1, y := a), count(*), count(a) from t

-- select: t
select extract(year from a), extract('month' from a), overlay(a placing b from 1 for 2), position(a in b), substring(a from 1 for 2), substring(a from 'x'), substring(a similar 'x' escape '#'), trim(both 'x' from a), trim(leading from a), trim(trailing 'x' from a), trim(a), normalize(a, nfc), a is normalized, a is not nfd normalized, collation for (a), a at time zone 'UTC', a at local, treat(a as int) from t

-- select: t
select (a, b) overlaps (c, d), xmlexists('//x' passing by ref a) from t

-- select: t
select xmlconcat(a, b), xmlelement(name foo, xmlattributes(a as x, b), c, 'd'), xmlforest(a, b as c), xmlparse(document a), xmlparse(content b preserve whitespace), xmlpi(name php, a), xmlroot(a, version '1.0', standalone yes), xmlserialize(content a as text), xmlserialize(document a as varchar(10) indent), a is document, a is not document from t

-- select: t
select x.* from t, xmltable(xmlnamespaces('http://x' as x, default 'http://y'), '/rows/row' passing t.data columns id int path '@id', n for ordinality, name text path 'name' default 'none' not null) as x

-- select: t
select json_object('a': a, 'b' value b absent on null with unique keys returning jsonb), json_object(a, b), json_array(a, b null on null), json_array(), json_array(select a from t), json_objectagg(a: b), json_objectagg(k value v absent on null with unique), json_arrayagg(a order by b null on null returning jsonb), json_arrayagg(a) filter (where b), json_arrayagg(a) over (partition by b) from t

-- select: t
select json(a), json('{}' with unique keys), json_scalar(a), json_serialize(a returning bytea), a is json, a is not json, a is json object, a is json array with unique keys, a is json scalar from t

-- select: t
select json_exists(a, '$.x ? (@ > $y)' passing b as y error on error), json_value(a, '$.x' returning int default 0 on empty default -1 on error), json_query(a, 'lax $.x' returning jsonb with conditional wrapper keep quotes empty array on empty null on error) from t

-- select: t
select j.* from t, json_table(t.data, '$[*]' as root passing t.x as x columns (id for ordinality, a int path '$.a' default f(1) on empty, b bool exists path '$.b', c jsonb format json path '$.c' with wrapper omit quotes, nested path '$.d[*]' as d columns (e text, nested '$.f' columns (g int))) error on error) as j

-- select: t
select grouping(a) from t group by a

-- select: t
select a from t where current_timestamp - b > interval '1 hour' and not (c or d)

-- select: t
select sum(a) over (order by b groups between 1 preceding and 2 following), first_value(a) over w from t window w as (order by c range between interval '1 day' preceding and current row)

-- select: t
select mode() within group (order by a), rank(1, 2) within group (order by a, b desc) filter (where c) from t

-- select: t
select a ->> 0 ->> 'b' is null, not a = b, - - a, a - -b, (a), ((a)) from t

-- select: t
select * from t where a = 'x' and b = $1 or (c, d) < (1, 2) and e in ('a')

-- select: t
select "a".b, t."B", public.t.c from t

-- select: t
select exists(select), not exists(select from t)

-- select: t
select a = array(select 1), a <> any(array(select 1)), (select 1) + 1 from t

-- select: t

-- select: t
select (select row(1, 2)).f1 from t
