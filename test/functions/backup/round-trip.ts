import { expect } from "vitest"
import { CHANGE_IDS } from "../../../core/backup/named-ids.ts"
import { DIFFERENT } from "../../../core/backup/remap.ts"
import { ARCHIVED } from "../../../core/backup/tables.ts"
import type { TenantId } from "../../../core/ids.ts"
import {
  bareTenant,
  linesOf,
  type NewTenantWorld,
  newTenantWorld,
  populate,
  SOURCE,
} from "./new-tenant-world.ts"

type Row = Record<string, unknown>

/** The row without what may be different. */
const without = (value: unknown, path: readonly string[]): unknown => {
  const [name, ...rest] = path
  if (name === "*") return (value as unknown[]).map((item) => without(item, rest))
  if (typeof value !== "object" || value === null || !(name! in value)) return value
  const { [name!]: inner, ...others } = value as Row
  return rest.length === 0 ? others : { ...others, [name!]: without(inner, rest) }
}

const comparable = (table: string, line: string): unknown => {
  const places = [...Object.keys(DIFFERENT["*"]!), ...Object.keys(DIFFERENT[table] ?? {})]
  return places.reduce<unknown>((row, place) => without(row, place.split(".")), JSON.parse(line))
}

/** Export, restore in an empty database, export: the same bytes. */
const verbatim = async ({ here, elsewhere }: NewTenantWorld, isFull: boolean) => {
  const first = await here.archive(SOURCE)
  const lines = await linesOf(first)
  if (isFull) for (const { name } of ARCHIVED) expect(lines[name], `something in ${name}`).not.toHaveLength(0)
  const { backupId } = first.manifest
  const there = await elsewhere()
  const result = await there.restore({ backupId, target: SOURCE })
  expect(result).toMatchObject({ tenantId: SOURCE, verbatim: true, leftOut: {} })
  const second = await there.archive(SOURCE)
  expect(await linesOf(second)).toEqual(lines)
  expect(second.manifest.tables.map(({ name, rows, sha256 }) => ({ name, rows, sha256 }))).toEqual(
    first.manifest.tables.map(({ name, rows, sha256 }) => ({ name, rows, sha256 })),
  )
  expect(second.manifest.revisions).toEqual(first.manifest.revisions)
  return { lines, backupId }
}

const OPEN = ["awaiting_approval", "scheduled", "rolling_out"]

/** Under another id: equal but for what is listed, and the old id nowhere. */
const another = async ({ here }: NewTenantWorld, lines: Record<string, string[]>, backupId: string) => {
  const target = "copy-of-it" as TenantId
  const result = await here.restore({ backupId, target, name: "Copy", how: "clone" })
  const copy = await linesOf(await here.archive(target))
  expect(JSON.stringify(copy)).not.toContain(SOURCE)
  const gone = new Set(
    lines
      .changes!.map((line) => JSON.parse(line))
      .flatMap(({ change_id: id, state }) => (OPEN.includes(state) ? [id] : [])),
  )
  for (const { name, inClones } of ARCHIVED.filter((table) => table.inClones === "copied")) {
    expect(inClones).toBe("copied")
    const kept = lines[name]!.filter((line) => {
      const row = JSON.parse(line) as Row
      return name === "pointers" || !(CHANGE_IDS[name] ?? []).some((place) => gone.has(row[place]))
    })
    const expected = kept.map((line) => comparable(name, line))
    const made = copy[name]!.map((line) => comparable(name, line))
    // Of these what nothing names any more is left out; of pointers, the candidates of what is left out.
    if (name === "chunks" || name === "releases") expect(expected).toEqual(expect.arrayContaining(made))
    else if (name === "pointers") expect(made.map(stableOf)).toEqual(expected.map(stableOf))
    else expect(made, name).toEqual(expected)
  }
  expect(
    copy.pointers!.map((line) => JSON.parse(line)).filter(({ candidate_change_id: id }) => gone.has(id)),
  ).toEqual([])
  return result
}

const stableOf = (row: unknown): unknown => {
  const { environment, seq, at, tier, stable, cause } = row as Row
  return { environment, seq, at, tier, stable, cause }
}

/** The whole way with a tenant of so many configs and, unless there are none, something in every table. */
export const roundTrip = async (configs: number): Promise<Record<string, unknown>> => {
  const world = await newTenantWorld()
  try {
    await bareTenant(world.world, SOURCE)
    if (configs > 0) await populate(world.world, SOURCE, configs)
    const startedAt = performance.now()
    const { lines, backupId } = await verbatim(world, configs > 0)
    const verbatimMs = Math.round(performance.now() - startedAt)
    const result = await another(world, lines, backupId)
    return {
      configs,
      verbatimMs,
      anotherMs: Math.round(performance.now() - startedAt) - verbatimMs,
      ...result,
    }
  } finally {
    await world.close()
  }
}
