-- insert: t
insert into t values (1, 2), (3, default)

-- insert: t
insert into t (a, "B") values ($1, $2) returning id, a as x, *

-- insert: s.t, u
insert into s.t as x (a) select a from u where b

-- insert: t
insert into t default values

-- insert: t
insert into t (a, b) overriding system value values (1, 2)

-- insert: t, u
insert into t overriding user value table u

-- insert: t
insert into t (a[1], b.c, d[1:2]) values (1, 2, '{}')

-- insert: t
insert into t (a) values (1) on conflict do nothing

-- insert: t
insert into t (a) values (1) on conflict (a, lower(b) collate "C" text_ops) where c do update set a = excluded.a, (b, c) = (excluded.b, t.c), (d, e) = (select 1, 2), f = default, g[1] = 2, h.i = 3 where t.z > excluded.z returning *

-- insert: t
insert into t (a) values (1) on conflict on constraint t_pkey do update set a = 2

-- insert: t, u
with x as (select * from u) insert into t select * from x

-- insert: t, u, v
with x as (insert into t select * from u returning *) insert into v select * from x returning old.a, new.*

-- insert: t
insert into t values (1) returning with (old as o, new as n) o.a, n.a, o, n

-- insert: t
insert into t values (1), ((select 2)), (f(3)) order by 1 limit 2

-- update: t
update t set a = 1

-- update: s.t
update only s.t x set a = a + 1, b = default, (c, d) = (1, default), (e, f) = row(x.g, 2), arr[1] = 2, arr[2:3] = '{1,2}', comp.field = 5 where x.id = $1 returning x.*, old.a, new.a

-- update: t, u
update t set (a, b) = (select c, d from u where u.id = t.id)

-- update: t, u, v
update t set a = u.a from u join v on u.id = v.id where t.id = u.id

-- update: t, u
with x as (select * from u) update t set a = x.a from x where t.id = x.id returning t.*

-- update: t
update t set a = 1 where current of cur

-- delete: t
delete from t

-- delete: t
delete from only t as x where x.a in (1, 2) returning *

-- delete: t, u, v
delete from t using u, v where t.id = u.id and u.x = v.x

-- delete: t, u
with x as (select id from u) delete from t where id in (select id from x)

-- delete: t
delete from t where current of "Cur"

-- delete: t, u
with gone as (delete from u returning *) delete from t using gone where t.id = gone.id

-- merge: t, s
merge into t using s on t.id = s.id when matched and s.gone then delete when matched then update set a = s.a, (b, c) = (s.b, s.c) when not matched and s.x then insert (id, a) values (s.id, s.a) when not matched then do nothing

-- merge: t, s
merge into only t as x using (select * from s) as y on x.id = y.id when not matched by source then delete when not matched by target then insert default values when matched then do nothing returning merge_action(), x.*, old.a, new.a

-- merge: t, s, u
with w as (select * from u) merge into t using (s join w using (id)) on t.id = s.id when not matched then insert overriding system value values (1, 2)

-- select: t, archive
with moved as (delete from t where a returning *), ins as (insert into archive select * from moved returning 1) select count(*) from ins

-- select: t
with u as (update t set a = 1 returning *) select * from u

-- select: t, s
with m as (merge into t using s on t.id = s.id when matched then delete returning *) table m
