-- transaction:
BEGIN

-- transaction:
begin transaction isolation level serializable, read only, not deferrable

-- transaction:
start transaction read write

-- transaction:
COMMIT AND CHAIN

-- transaction:
end work

-- transaction:
rollback

-- transaction:
abort and no chain

-- transaction:
savepoint "A b"

-- transaction:
release savepoint x

-- transaction:
rollback to x

-- two_phase:
prepare transaction 'gid'

-- two_phase:
commit prepared 'gid'

-- two_phase:
rollback prepared 'gid'

-- transaction:
set transaction isolation level repeatable read

-- transaction:
set transaction snapshot '0000-1'

-- transaction:
set constraints all deferred

-- transaction:
set constraints s.a, b immediate

-- session:
set session characteristics as transaction read only

-- session:
set search_path to a, "B", 'c'

-- session:
SET LOCAL Work_Mem = '1MB'

-- session:
set session x.y = 3.5

-- session:
set time zone 'UTC'

-- session:
set time zone interval '-08:00' hour to minute

-- session:
set time zone local

-- session:
set names 'utf8'

-- session:
set xml option document

-- session:
set schema 'hr'

-- session:
set a to default

-- session:
set standard_conforming_strings = on

-- session:
reset a

-- session:
reset all

-- session:
reset time zone

-- session:
reset transaction isolation level

-- admin:
set role dba

-- admin:
set local role none

-- admin:
reset role

-- admin:
set session authorization 'dba'

-- admin:
set session authorization default

-- admin:
reset session authorization

-- show:
show all

-- show:
show search_path

-- show:
show transaction isolation level

-- show:
show time zone

-- session:
discard all

-- session:
discard temp

-- session:
discard plans

-- session:
discard sequences

-- explain: t
explain select * from t

-- explain: t
explain analyze verbose select * from t

-- explain: t
explain (analyze, buffers, format json) update t set a = 1

-- explain: t
explain (analyze false) delete from t

-- explain: newt, t
explain analyze create table newt as select * from t

-- explain: t
explain declare c cursor for select * from t

-- explain:
explain execute p(1)

-- explain: mv
explain refresh materialized view mv

-- explain: t, s
explain merge into t using s on true when matched then delete

-- select: t
prepare p (int, text) as select * from t where a = $1

-- insert: t
prepare p as insert into t values ($1)

-- update: t
prepare p as with x as (select 1) update t set a = 1

-- prepared:
execute p

-- prepared:
execute p (1, now(), 'x'::text)

-- prepared:
deallocate p

-- prepared:
deallocate prepare all

-- select: t
declare c binary insensitive no scroll cursor with hold for select * from t

-- select: t
declare c scroll cursor without hold for (values (1)) union select a from t

-- cursor:
fetch next from c

-- cursor:
fetch all in c

-- cursor:
fetch backward 5 from c

-- cursor:
fetch absolute -1 c

-- cursor:
move forward all in c

-- cursor:
close c

-- cursor:
close all

-- copy_out: t
copy t to stdout

-- copy_out: s.t
copy s.t (a, "B") to stdout with (format csv, header, delimiter ';', null '', quote '"', force_quote *)

-- copy_out: t
copy (select * from t) to stdout (format binary)

-- copy_out: t
copy (delete from t returning *) to stdout

-- copy_in: t
copy t from stdin

-- copy_in: t
copy t (a, b) from stdin with csv header delimiter ',' quote '"' force not null a where a > lower('x')

-- copy_in: t
copy binary t from stdin

-- file_io: t
copy t from '/etc/passwd'

-- file_io: t
copy t to '/tmp/x'

-- file_io: t
copy t from program 'id'

-- file_io: t
copy (select * from t) to program 'cat'

-- listen:
listen ch

-- listen:
unlisten *

-- listen:
unlisten ch

-- notify:
notify ch, 'payload'

-- lock: a, s.b
lock table a, only s.b in share mode nowait

-- lock: t
lock t

-- truncate: a, b
truncate table only a, b restart identity cascade

-- truncate: t
truncate t

-- do:
do $$ begin perform 1; end $$

-- do:
do language plpgsql 'begin end'

-- call:
call p(1, now(), x => 2)

-- call: t
call s.p((select max(a) from t))

-- file_io:
load 'lib'
