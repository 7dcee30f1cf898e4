-- grant: t, s.u
grant select (a, b), update on table t, s.u to x, public, current_user with grant option

-- grant:
grant all privileges on all tables in schema s to x

-- grant:
grant usage on schema s to x granted by y

-- grant:
grant execute on function f(int) to x

-- admin:
grant connect on database d to x

-- admin:
grant set on parameter work_mem to x

-- admin:
grant usage on foreign server s to x

-- grant:
grant usage on type ty to x

-- grant: s
grant usage on sequence s to x

-- admin:
grant select on large object 5 to x

-- grant: t
revoke grant option for select on t from x cascade

-- admin:
grant a, b to c with admin option, inherit false

-- admin:
revoke admin option for a from b

-- grant:
alter default privileges for role a in schema s grant select on tables to b

-- grant: t
create policy p on t as restrictive for select to public using (owner = current_user and f(a)) with check (true)

-- grant: t, u
create policy p on t using (exists (select 1 from u where u.id = t.id))

-- grant: t
alter policy p on t to x using (g(b))

-- grant:
alter function f(int) owner to x

-- grant:
alter schema s owner to x

-- admin:
alter database d owner to x

-- admin:
security label for p on table t is 'x'

-- maintenance:
vacuum

-- maintenance: t, s.u
vacuum (full, analyze, verbose) t (a, b), s.u

-- maintenance: t
vacuum full freeze t

-- maintenance:
analyze

-- maintenance: t
analyze verbose t (a)

-- maintenance: t
cluster verbose t using i

-- maintenance:
cluster

-- maintenance: t
reindex (concurrently) table t

-- maintenance: i
reindex index concurrently i

-- maintenance:
reindex database

-- maintenance:
reindex schema s

-- maintenance: mv
refresh materialized view concurrently mv with no data

-- maintenance:
checkpoint

-- admin:
create role r with login password 'secret' valid until 'infinity' in role a

-- admin:
create user u superuser

-- admin:
create group g

-- admin:
alter role r with nologin

-- admin:
alter role r set search_path = x

-- admin:
alter role all in database d reset all

-- admin:
alter role r rename to s

-- admin:
alter group g add user u

-- admin:
drop role if exists a, b

-- admin:
drop owned by a cascade

-- admin:
reassign owned by a to b

-- admin:
create database d owner x template y encoding 'utf8'

-- admin:
alter database d set work_mem = 1

-- admin:
alter database d connection limit 5

-- admin:
alter database d set tablespace ts

-- admin:
alter database d rename to e

-- admin:
alter database d refresh collation version

-- admin:
drop database if exists d with (force)

-- admin:
create tablespace ts owner x location '/x' with (seq_page_cost = 1)

-- admin:
alter tablespace ts set (seq_page_cost = 1)

-- admin:
alter table all in tablespace a set tablespace b

-- admin:
drop tablespace ts

-- admin:
alter system set work_mem = '1GB'

-- admin:
alter system reset all

-- admin:
create extension if not exists e with schema s version '1' cascade

-- admin:
alter extension e update to '2'

-- admin:
alter extension e add table t

-- admin:
alter extension e set schema s

-- admin:
drop extension e

-- admin:
create foreign data wrapper w handler h validator v options (a 'b')

-- admin:
alter foreign data wrapper w options (set a 'b')

-- admin:
create server s type 't' version '1' foreign data wrapper w options (host 'x')

-- admin:
alter server s options (add a 'b')

-- admin:
drop server s cascade

-- admin: f
create foreign table f (a int options (x 'y')) server s options (a 'b')

-- alter: f
alter foreign table f options (set a 'b')

-- admin:
create user mapping for current_user server s options (password 'x')

-- admin:
alter user mapping for public server s options (drop password)

-- admin:
drop user mapping if exists for x server s

-- admin: b, c
import foreign schema a limit to (b, c) from server s into d options (x 'y')

-- admin:
create access method am type index handler h

-- admin:
create event trigger e on ddl_command_start when tag in ('DROP TABLE') execute function f()

-- admin:
alter event trigger e disable

-- admin:
create language l handler h inline i validator v

-- admin:
create trusted language l

-- admin:
drop language l

-- admin:
create cast (int as text) with function f(int) as assignment

-- admin:
create cast (int as text) without function

-- admin:
drop cast (int as text)

-- admin:
create transform for ty language l (from sql with function f(internal), to sql with function g(internal))

-- admin: t
create publication p for table t (a, b) where (a > 1), tables in schema s with (publish = 'insert')

-- admin:
create publication p for all tables

-- admin: t
alter publication p add table t

-- admin:
alter publication p rename to q

-- admin:
drop publication p

-- admin:
create subscription s connection 'host=x' publication p with (enabled = false)

-- admin:
alter subscription s disable

-- admin:
alter subscription s refresh publication

-- admin:
drop subscription s
