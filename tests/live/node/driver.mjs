// What node's `pg` does with one database: runs every scenario and prints their results as one JSON object.
// The address comes from libpq's environment variables; PGSSLROOTCERT switches TLS on.
import fs from "node:fs";
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import pg from "pg";
import Cursor from "pg-cursor";
import QueryStream from "pg-query-stream";
import { from as copyFrom, to as copyTo } from "pg-copy-streams";

const root = process.env.PGSSLROOTCERT;
const ssl = root ? { ca: fs.readFileSync(root, "utf8"), servername: "localhost" } : false;
delete process.env.PGSSLMODE;
delete process.env.PGSSLROOTCERT;

const failure = async (promise) => promise.then(() => "no error", (e) => ({ code: e.code, detail: e.detail, hint: e.hint, message: e.message }));

const scenarios = {
  async simple(client) {
    const results = await client.query("SELECT 1 AS a; SELECT 'x' AS b");
    return results.map((r) => r.rows);
  },
  async parameters(client) {
    const { rows } = await client.query("SELECT $1::int AS a, $2::text AS b, $3::jsonb AS c, $4::int[] AS d, $5::timestamptz AS e",
      [5, "grün 🐘", { k: [1] }, [1, 2], new Date(0)]);
    return rows;
  },
  async prepared(client) {
    const found = [];
    for (let id = 1; id <= 4; id++) {
      found.push((await client.query({ name: "by-id", text: "SELECT sku FROM products WHERE id = $1", values: [id] })).rows[0].sku);
    }
    return found;
  },
  async binary(client) {
    const { rows } = await client.query({ text: "SELECT id, active, name FROM customers WHERE id = $1", values: [3], binary: true });
    return rows;
  },
  async rowMode(client) {
    return (await client.query({ text: "SELECT 1, 2, 3", rowMode: "array" })).rows;
  },
  async pipelined(client) {
    const all = Array.from({ length: 30 }, (_, n) => client.query("SELECT $1::int AS n", [n]));
    return (await Promise.all(all)).map((r) => r.rows[0].n);
  },
  async errors(client) {
    const errors = [
      await failure(client.query("SELECT 1/0")),
      await failure(client.query("INSERT INTO notes (id) VALUES ($1)", [1])),
      await failure(client.query({ name: "bad", text: "SELECT missing FROM notes" })),
    ];
    return [...errors, (await client.query("SELECT 1 AS one")).rows];
  },
  async pipelinedErrors(client) {
    const all = [client.query("SELECT 1 AS n"), failure(client.query("SELECT 1/0")), client.query("SELECT $1::int AS n", [3])];
    const [first, second, third] = await Promise.all(all);
    return [first.rows, second.code, third.rows];
  },
  async transaction(client) {
    await client.query("BEGIN");
    await client.query("INSERT INTO notes (body) VALUES ($1)", ["lost"]);
    const failed = await failure(client.query("SELECT 1/0"));
    const after = await failure(client.query("SELECT 1"));
    await client.query("ROLLBACK");
    return [failed.code, after.code, (await client.query("SELECT count(*)::int AS n FROM notes WHERE body = 'lost'")).rows];
  },
  async cursor(client) {
    const cursor = client.query(new Cursor("SELECT id FROM customers WHERE id > $1 ORDER BY id", [5]));
    const first = await cursor.read(4);
    const second = await cursor.read(100);
    await cursor.close();
    return [first.map((r) => r.id), second.length];
  },
  async abandonedCursor(client) {
    const cursor = client.query(new Cursor("SELECT generate_series(1, 1000) AS n"));
    await cursor.read(10);
    await cursor.close();
    return (await client.query("SELECT 1 AS one")).rows;
  },
  async stream(client) {
    let sum = 0;
    for await (const row of client.query(new QueryStream("SELECT generate_series(1, 5000) AS n", [], { batchSize: 100 }))) sum += row.n;
    return sum;
  },
  async copy(client) {
    await client.query("BEGIN");
    await pipeline(Readable.from(["8101\tone\n", "8102\ttwo\n"]), client.query(copyFrom("COPY notes (id, body) FROM STDIN")));
    let text = "";
    for await (const chunk of client.query(copyTo("COPY (SELECT id, body FROM notes WHERE id > 8100 ORDER BY id) TO STDOUT"))) text += chunk;
    await client.query("ROLLBACK");
    return text;
  },
  async notify(client) {
    const heard = new Promise((resolve) => client.once("notification", (n) => resolve([n.channel, n.payload])));
    await client.query("LISTEN node");
    await client.query("NOTIFY node, 'word'");
    return heard;
  },
  async notice(client) {
    const heard = new Promise((resolve) => client.once("notice", (n) => resolve(n.message)));
    await client.query("DO $$ BEGIN RAISE NOTICE 'seen'; END $$");
    return heard;
  },
  async large(client) {
    const { rows } = await client.query("SELECT n, repeat('x', 100) AS x FROM generate_series(1, 20000) n");
    return [rows.length, rows.at(-1).n];
  },
  async pool() {
    const pool = new pg.Pool({ ssl, max: 4 });
    const found = await Promise.all(Array.from({ length: 40 }, (_, n) => pool.query("SELECT $1::int AS n", [n])));
    await pool.end();
    return found.map((r) => r.rows[0].n);
  },
  async masked(client) {
    const { rows } = await client.query("SELECT id, email, phone, ssn FROM customers WHERE id = $1", [1]);
    const prepared = [];
    for (const id of [1, 2]) prepared.push((await client.query({ name: "m", text: "SELECT email FROM customers WHERE id = $1", values: [id] })).rows[0].email);
    return [rows, prepared];
  },
  async refused(client) {
    const simple = await failure(client.query("SELECT secret FROM api_keys"));
    const extended = await failure(client.query("SELECT secret FROM api_keys WHERE id = $1", [1]));
    const all = [client.query("SELECT 1 AS n"), failure(client.query("SELECT $1, secret FROM api_keys", ["x"])), client.query("SELECT 3 AS n")];
    const [first, second, third] = await Promise.all(all);
    return [simple, extended, [first.rows, second.code, third.rows]];
  },
};

const found = {};
for (const name of process.argv.slice(2).length ? process.argv.slice(2) : Object.keys(scenarios)) {
  const client = new pg.Client({ ssl });
  await client.connect();
  try {
    found[name] = await scenarios[name](client);
  } catch (error) {
    found[name] = `failed: ${error.stack}`;
  }
  await client.end();
}
process.stdout.write(JSON.stringify(found));
