// One JSON object to stdout: each named scenario's result. Usage: node driver.mjs mysql2|mariadb NAME...
// The address comes from MYSQL_HOST, MYSQL_PORT, MYSQL_DATABASE, MYSQL_USER, MYSQL_PASSWORD, MYSQL_CA.
import { readFileSync } from 'node:fs';

const env = process.env;
const ssl = env.MYSQL_CA ? { ca: readFileSync(env.MYSQL_CA), rejectUnauthorized: true } : undefined;
const address = {
  host: env.MYSQL_HOST, port: Number(env.MYSQL_PORT), database: env.MYSQL_DATABASE, user: env.MYSQL_USER,
  password: env.MYSQL_PASSWORD, ssl,
};

const told = (error) => ({ errno: error.errno, sqlState: error.sqlState, text: error.sqlMessage ?? error.message });
const failing = async (work) => { try { return { unexpected: await work() }; } catch (error) { return told(error); } };
const plain = (value) => JSON.parse(JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}n` : v)));

// ---------------------------------------------------------------- mysql2

const mysql2 = {
  async simple(db) {
    return [(await db.query('SELECT 1 AS a, ? AS b', ['it\'s'])).at(0), (await db.query('SELECT NULL AS n')).at(0)];
  },
  async types(db) {
    return [(await db.query('SELECT * FROM customers ORDER BY id'))[0],
            (await db.execute('SELECT * FROM customers ORDER BY id'))[0]];
  },
  async fields(db) {
    const fields = (await db.query('SELECT id, name AS called, balance, note FROM customers c'))[1];
    return fields.map((f) => [f.name, f.orgName, f.table, f.orgTable, f.columnType, f.flags, f.decimals, f.characterSet]);
  },
  async prepared(db) {
    const found = [];
    for (let number = 1; number <= 4; number++) {
      found.push((await db.execute('SELECT n, ? AS word FROM numbers WHERE n = ?', [`w${number}`, number]))[0]);
    }
    const statement = await db.prepare('SELECT n FROM numbers WHERE n BETWEEN ? AND ? ORDER BY n');
    found.push((await statement.execute([3, 5]))[0]);
    await statement.close();
    return found;
  },
  async parameters(db) {
    const values = [1.5, -7, 'zażółć', null, true, new Date(Date.UTC(2024, 1, 29, 12, 34, 56, 789)), Buffer.from([0, 255]), '9007199254740993'];
    return [(await db.execute(`SELECT ${values.map((_, n) => `? AS p${n}`).join(', ')}`, values))[0],
            (await db.query(`SELECT ${values.map((_, n) => `? AS p${n}`).join(', ')}`, values))[0]];
  },
  async named(db, connect) {
    const other = await connect({ namedPlaceholders: true });
    const found = (await other.execute('SELECT n FROM numbers WHERE n > :low AND n < :high', { low: 3, high: 6 }))[0];
    await other.end();
    return found;
  },
  async rowsAsArray(db) { return (await db.query({ sql: 'SELECT n, n * 2 FROM numbers WHERE n < 3 ORDER BY n', rowsAsArray: true }))[0]; },
  async nested(db) { return (await db.query({ sql: 'SELECT o.id, c.id FROM orders o JOIN customers c ON c.id = o.customer ORDER BY o.id', nestTables: true }))[0]; },
  async multi(db, connect) {
    const other = await connect({ multipleStatements: true });
    const [sets, fields] = await other.query('SELECT 1 AS a; SELECT 2 AS b; UPDATE numbers SET n = n WHERE n = 1');
    const failed = await failing(() => other.query('SELECT 1; SELECT nothing FROM numbers; SELECT 3'));
    const after = (await other.query('SELECT 4 AS d'))[0];
    await other.end();
    return [sets, fields.map((each) => each?.map((field) => field.name)), failed, after];
  },
  async typeCast(db) {
    return (await db.query({ sql: 'SELECT id, name, balance FROM customers ORDER BY id',
      typeCast: (field, next) => (field.type === 'NEWDECIMAL' ? `<${field.string()}>` : next()) }))[0];
  },
  async bigNumbers(db, connect) {
    const other = await connect({ supportBigNumbers: true, bigNumberStrings: true, decimalNumbers: true });
    const found = [(await other.query('SELECT big, balance FROM customers ORDER BY id'))[0], (await other.execute('SELECT big, balance FROM customers ORDER BY id'))[0]];
    await other.end();
    return found;
  },
  async dates(db, connect) {
    const other = await connect({ dateStrings: true, timezone: 'Z' });
    const text = 'SELECT made, day, stamp FROM customers ORDER BY id';
    const found = [(await other.query(text))[0], (await other.execute(text))[0]];
    await other.end();
    return found;
  },
  async stream(db) {
    const rows = db.connection.query('SELECT n FROM numbers ORDER BY n').stream({ highWaterMark: 5 });
    let sum = 0;
    for await (const row of rows) sum += row.n;
    return sum;
  },
  async streamPrepared(db) {
    const rows = db.connection.execute('SELECT n FROM numbers WHERE n > ?', [500]).stream();
    let sum = 0;
    for await (const row of rows) sum += row.n;
    return sum;
  },
  async queued(db) {
    return (await Promise.all(Array.from({ length: 30 }, (_, n) => db.query('SELECT ? AS n', [n])))).map(([rows]) => rows[0].n);
  },
  async errors(db) {
    const found = [];
    for (const text of ['SELEC 1', 'SELECT nothing FROM numbers', 'INSERT INTO numbers VALUES (1)', 'SELECT * FROM no_such_table']) {
      found.push(await failing(() => db.query(text)), await failing(() => db.execute(text)));
    }
    return found;
  },
  async writes(db) {
    const [made] = await db.execute('INSERT INTO orders (customer, what) VALUES (?, ?)', [1, 'node']);
    const [many] = await db.query('INSERT INTO orders (customer, what) VALUES ?', [[[1, 'x'], [2, 'y']]]);
    const [changed] = await db.execute('UPDATE orders SET what = ? WHERE id >= ?', ['z', made.insertId]);
    const [gone] = await db.execute('DELETE FROM orders WHERE id >= ?', [made.insertId]);
    return [made.affectedRows, many.affectedRows, many.info, changed.info, changed.changedRows, gone.affectedRows];
  },
  async transaction(db) {
    await db.beginTransaction();
    await db.execute('INSERT INTO orders (id, customer, what) VALUES (?, ?, ?)', [9001, 1, 'gone']);
    const within = (await db.execute('SELECT count(*) AS n FROM orders WHERE id = 9001'))[0];
    await db.rollback();
    return [within, (await db.execute('SELECT count(*) AS n FROM orders WHERE id = 9001'))[0]];
  },
  async call(db) { return [(await db.query('CALL twice(?)', [21]))[0][0], (await db.execute('CALL twice(?)', [4]))[0][0]]; },
  async large(db) {
    const long = 'x'.repeat(200000);
    const [rows] = await db.execute('SELECT ? AS word', [long]);
    const [text] = await db.query('SELECT ? AS word', [long]);
    return [rows[0].word === long, text[0].word === long];
  },
  async pool(_, connect, driver) {
    const pool = driver.createPool({ ...options, connectionLimit: 3 });
    const found = await Promise.all(Array.from({ length: 12 }, (_, n) => pool.execute('SELECT ? AS n', [n])));
    await pool.end();
    return found.map(([rows]) => Number(rows[0].n));
  },
  async state(db) {
    await db.changeUser({ database: address.database });
    const first = (await db.query('SELECT DATABASE() IS NOT NULL AS chosen'))[0];
    await db.connection.promise().reset?.();
    await db.ping();
    return first;
  },
  async timeout(db) {
    return [(await failing(() => db.query({ sql: 'SELECT sleep(0.01)', timeout: 5000 }))).unexpected !== undefined];
  },
};

// ---------------------------------------------------------------- mariadb

const mariadb = {
  async simple(db) { return [await db.query('SELECT 1 AS a, ? AS b', ['it\'s']), await db.query('SELECT NULL AS n')]; },
  async types(db) { return [await db.query('SELECT * FROM customers ORDER BY id'), await db.execute('SELECT * FROM customers ORDER BY id')]; },
  async fields(db) {
    const found = await db.query('SELECT id, name AS called, balance, note FROM customers c');
    return found.meta.map((f) => [f.name(), f.orgName(), f.table(), f.orgTable(), f.type, f.flags, f.scale, f.collation?.name, f.dataTypeFormat]);
  },
  async prepared(db) {
    const found = [];
    for (let number = 1; number <= 4; number++) found.push(await db.execute('SELECT n, ? AS word FROM numbers WHERE n = ?', [`w${number}`, number]));
    const statement = await db.prepare('SELECT n FROM numbers WHERE n BETWEEN ? AND ? ORDER BY n');
    found.push(await statement.execute([3, 5]), await statement.execute([6, 7]));
    await statement.close();
    return found;
  },
  async parameters(db) {
    const values = [1.5, -7, 'zażółć', null, true, new Date(Date.UTC(2024, 1, 29, 12, 34, 56, 789)), Buffer.from([0, 255]), 9007199254740993n];
    const text = `SELECT ${values.map((_, n) => `? AS p${n}`).join(', ')}`;
    return [await db.execute(text, values), await db.query(text, values)];
  },
  async named(db) { return db.query({ namedPlaceholders: true, sql: 'SELECT n FROM numbers WHERE n > :low AND n < :high' }, { low: 3, high: 6 }); },
  async rowsAsArray(db) { return db.query({ rowsAsArray: true, sql: 'SELECT n, n * 2 FROM numbers WHERE n < 3 ORDER BY n' }); },
  async nested(db) { return db.query({ nestTables: true, sql: 'SELECT o.id, c.id FROM orders o JOIN customers c ON c.id = o.customer ORDER BY o.id' }); },
  async multi(db, connect) {
    const other = await connect({ multipleStatements: true });
    const sets = await other.query('SELECT 1 AS a; SELECT 2 AS b; UPDATE numbers SET n = n WHERE n = 1');
    const failed = await failing(() => other.query('SELECT 1; SELECT nothing FROM numbers; SELECT 3'));
    const after = await other.query('SELECT 4 AS d');
    await other.end();
    return [sets, failed, after];
  },
  async typeCast(db) {
    return db.query({ sql: 'SELECT id, name, balance FROM customers ORDER BY id',
      typeCast: (column, next) => (column.type === 'DECIMAL' ? `<${column.string()}>` : next()) });
  },
  async bigNumbers(db, connect) {
    const other = await connect({ supportBigNumbers: true, bigNumberStrings: true, decimalAsNumber: true });
    const found = [await other.query('SELECT big, balance FROM customers ORDER BY id'), await other.execute('SELECT big, balance FROM customers ORDER BY id')];
    await other.end();
    return found;
  },
  async dates(db, connect) {
    const other = await connect({ dateStrings: true, timezone: 'Z' });
    const text = 'SELECT made, day, stamp FROM customers ORDER BY id';
    const found = [await other.query(text), await other.execute(text)];
    await other.end();
    return found;
  },
  async stream(db) {
    let sum = 0;
    for await (const row of db.queryStream('SELECT n FROM numbers ORDER BY n')) sum += row.n;
    return sum;
  },
  async queued(db) {
    return (await Promise.all(Array.from({ length: 30 }, (_, n) => db.query('SELECT ? AS n', [n])))).map((rows) => Number(rows[0].n));
  },
  async batch(db) {
    const made = await db.batch('INSERT INTO orders (id, customer, what) VALUES (?, ?, ?)', [[9101, 1, 'a'], [9102, 2, 'b'], [9103, 1, null]]);
    const found = await db.query('SELECT * FROM orders WHERE id > 9100 ORDER BY id');
    const gone = await db.query('DELETE FROM orders WHERE id > 9100');
    return [made.affectedRows, found, gone.affectedRows];
  },
  async errors(db) {
    const found = [];
    for (const text of ['SELEC 1', 'SELECT nothing FROM numbers', 'INSERT INTO numbers VALUES (1)', 'SELECT * FROM no_such_table']) {
      found.push(await failing(() => db.query(text)), await failing(() => db.execute(text)));
    }
    return found;
  },
  async writes(db) {
    const made = await db.execute('INSERT INTO orders (customer, what) VALUES (?, ?)', [1, 'node']);
    const changed = await db.execute('UPDATE orders SET what = ? WHERE id >= ?', ['z', made.insertId]);
    const gone = await db.execute('DELETE FROM orders WHERE id >= ?', [made.insertId]);
    return [made.affectedRows, changed.affectedRows, gone.affectedRows, made.warningStatus];
  },
  async transaction(db) {
    await db.beginTransaction();
    await db.execute('INSERT INTO orders (id, customer, what) VALUES (?, ?, ?)', [9001, 1, 'gone']);
    const within = await db.execute('SELECT count(*) AS n FROM orders WHERE id = 9001');
    await db.rollback();
    return [within, await db.execute('SELECT count(*) AS n FROM orders WHERE id = 9001')];
  },
  async call(db) { return [(await db.query('CALL twice(?)', [21]))[0], (await db.execute('CALL twice(?)', [4]))[0]]; },
  async large(db) {
    const long = 'x'.repeat(200000);
    return [(await db.execute('SELECT ? AS word', [long]))[0].word === long, (await db.query('SELECT ? AS word', [long]))[0].word === long];
  },
  async pool(_, connect, driver) {
    const pool = driver.createPool({ ...options, connectionLimit: 3 });
    const found = await Promise.all(Array.from({ length: 12 }, (_, n) => pool.execute('SELECT ? AS n', [n])));
    await pool.end();
    return found.map((rows) => Number(rows[0].n));
  },
  async state(db) {
    await db.changeUser({ user: address.user, password: address.password, database: address.database });
    const first = await db.query('SELECT DATABASE() IS NOT NULL AS chosen');
    await db.reset();
    await db.ping();
    return [first, db.info.database === address.database];
  },
  async timeout(db) { return failing(() => db.query({ sql: 'SELECT count(*) FROM numbers a JOIN numbers b JOIN numbers c JOIN numbers d', timeout: 200 })); },
  async metadata(db) { return [db.serverVersion(), db.info.isMariaDB(), db.info.hasMinVersion(9)]; },
};

// ---------------------------------------------------------------- masks and refusals

const rows = async (found) => { const made = await found; return Array.isArray(made) && Array.isArray(made[0]) ? made[0] : made; };
const common = {
  async masked(db) {
    const text = 'SELECT id, email, ssn FROM customers WHERE id > ? ORDER BY id';
    return [await rows(db.query(text, [0])), await rows(db.execute(text, [0])), await rows(db.execute(text, [0]))];
  },
  async refused(db) {
    const text = 'SELECT word FROM secrets';
    return [await failing(() => db.query(text)), await failing(() => db.execute(text)), await rows(db.query('SELECT 7 AS n'))];
  },
};

const drivers = { mysql2, mariadb };
const [which, ...names] = process.argv.slice(2);
const driver = (await import(which === 'mysql2' ? 'mysql2/promise' : 'mariadb')).default;
const options = which === 'mysql2' ? address : { ...address, allowPublicKeyRetrieval: true };
const connect = (more = {}) => driver.createConnection({ ...options, ...more });

const results = {};
for (const name of names.length ? names : Object.keys(drivers[which])) {
  const db = await connect();
  db.on('error', () => {});
  try {
    results[name] = plain(await (common[name] ?? drivers[which][name])(db, connect, driver));
    await db.end();
  } catch (error) {
    results[name] = `failed: ${error.stack ?? error}`;
    db.destroy();
  }
}
process.stdout.write(JSON.stringify(results));
