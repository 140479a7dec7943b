import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { narrowingIn } from "../support/expanding.ts"

const FOLDER = join(import.meta.dirname, "../../db/migrations")
/** Nothing was deployed while these were written. */
const BEFORE_ANY_DEPLOYMENT = "0014_backups_and_jobs.sql"

const migrations = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".sql"))
  .toSorted()

test("what deployed code may use is taken away by no migration that does not say since when nobody uses it", () => {
  expect(migrations).toContain(BEFORE_ANY_DEPLOYMENT)
  const narrowing = migrations
    .filter((name) => name > BEFORE_ANY_DEPLOYMENT)
    .flatMap((name) =>
      narrowingIn(readFileSync(join(FOLDER, name), "utf8")).map((statement) => `${name}: ${statement}`),
    )
  expect(narrowing).toEqual([])
})

describe("what takes something away", () => {
  test.each([
    ["a table", "drop table hotswap.tenants"],
    ["a column", "alter table hotswap.tenants drop column name"],
    ["a name", "alter table hotswap.tenants rename column name to title"],
    ["values that fit no more", "alter table hotswap.tenants alter column name set data type varchar(10)"],
    ["the choice to say nothing", "alter table hotswap.tenants alter column name set not null"],
    [
      "rows that say nothing of a new column",
      "alter table hotswap.tenants add column seats integer default 1, add column plan text not null",
    ],
    ["a function", "select 1;\n--> statement-breakpoint\nDROP FUNCTION hotswap.commit(text)"],
    ["a right", "revoke select on hotswap.tenants from hotswap_read"],
  ])("is found: %s", (_, sql) => {
    expect(narrowingIn(sql)).toHaveLength(1)
    const contract = "-- contract: nothing since 0.4.0 reads tenants.plan\n"
    expect(narrowingIn(contract + sql)).toEqual([])
    expect(narrowingIn(`-- contract:\n${sql}`)).toHaveLength(1)
  })

  test("is not what only adds, or only speaks of it", () => {
    const adding = `
      -- drop table hotswap.tenants: not yet
      create table hotswap.plans (plan_id text not null primary key);
      --> statement-breakpoint
      alter table hotswap.tenants add column plan text, add column seats integer default 1 not null;
      --> statement-breakpoint
      create or replace function hotswap.of(t text) returns void language plpgsql as $body$
        begin drop table if exists pg_temp.x; raise notice 'rename; revoke'; end $body$;
      --> statement-breakpoint
      grant select on hotswap.plans to hotswap_read`
    expect(narrowingIn(adding)).toEqual([])
  })

  test("is found where it stands in the migrations from before anything was deployed", () => {
    const found = migrations.filter(
      (name) => narrowingIn(readFileSync(join(FOLDER, name), "utf8")).length > 0,
    )
    expect(found.length).toBeGreaterThan(0)
  })
})
