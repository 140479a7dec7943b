import { entryHash } from "../../../core/audit/chain.ts"
import { sha256Hex } from "../../../core/hash.ts"
import { canonical } from "../../../core/json.ts"
import type { OpenArchive } from "../../../functions/platform/archive/archives.ts"

type Lines = Record<string, string[]>
/** JSON of a row, as whoever alters it handles it. */
// biome-ignore lint/suspicious/noExplicitAny: rows of any table
type Row = any

/** An archive that is whole and sealed, and holds these rows. */
export const archiveOf = (archive: OpenArchive, lines: Lines, more: object = {}): OpenArchive => ({
  ...archive,
  manifest: {
    ...archive.manifest,
    tables: Object.entries(lines).map(([name, rows]) => ({ name, rows: rows.length, sha256: "", parts: [] })),
    ...more,
  },
  check: async () => {},
  async *rows(table) {
    yield* lines[table] ?? []
  },
})

export interface Hostile {
  name: string
  /** Where it is found. */
  table: string
  alter: (lines: Lines) => Lines
}

/** The rows of a table altered: those that `which` takes, or the last. */
const altering =
  (table: string, alter: (row: Row, rows: Row[]) => Row, which?: (row: Row) => boolean) =>
  (lines: Lines): Lines => {
    const rows: Row[] = lines[table]!.map((line) => JSON.parse(line))
    const at = which ? rows.findIndex(which) : rows.length - 1
    if (at < 0) throw new Error(`nothing to alter in ${table}`)
    rows[at] = alter(rows[at], rows)
    return { ...lines, [table]: rows.flat().map((row) => JSON.stringify(row)) }
  }
const dropping = (table: string, which: (row: Row) => boolean) => (lines: Lines) => ({
  ...lines,
  [table]: lines[table]!.filter((line) => !which(JSON.parse(line))),
})
const replacing = (table: string, from: string | RegExp, to: string) => (lines: Lines) => ({
  ...lines,
  [table]: [...lines[table]!.slice(0, -1), lines[table]!.at(-1)!.replace(from, to)],
})

/** Another tenant's name in every place that says whose a row is. */
const elsewhere = (id: string): string => id.replace(/^[^:]+:/, "victim:")
/** A configuration that nobody approved, under the hash that it has. */
const chunk = (members: object) => {
  const text = canonical(members as Row)
  return { chunk_id: sha256Hex(text), text }
}

/** What a well-sealed archive could hold to do harm, each with the table where it has to be found. */
export const HOSTILE: readonly Hostile[] = [
  ...["tenants", "heads", "chunks", "changes", "pointers", "secret_values", "audit_entries", "channels"].map(
    (table) => ({
      name: `a row of another tenant in ${table}`,
      table,
      alter: altering(table, (row) => ({ ...row, tenant_id: "victim" })),
    }),
  ),
  { name: "an unknown column", table: "heads", alter: altering("heads", (row) => ({ ...row, extra: 1 })) },
  { name: "a column less", table: "heads", alter: altering("heads", ({ rev: _, ...row }) => row) },
  { name: "text for a number", table: "heads", alter: altering("heads", (row) => ({ ...row, rev: "1" })) },
  { name: "no JSON", table: "tenants", alter: replacing("tenants", /\}$/, "") },
  { name: "a column twice", table: "tenants", alter: replacing("tenants", /^\{/, '{"tenant_id":"victim",') },
  { name: "a number that is none", table: "heads", alter: replacing("heads", /"rev":\d+/, '"rev":1e400') },
  {
    name: "a row that is nested without end",
    table: "tenants",
    alter: replacing("tenants", /"features":\{/, `"features":{"a":${"[".repeat(5_000)}${"]".repeat(5_000)},`),
  },
  { name: "two tenants", table: "tenants", alter: altering("tenants", (row) => [row, row]) },
  { name: "no tenant", table: "tenants", alter: dropping("tenants", () => true) },
  {
    name: "a deleted tenant",
    table: "tenants",
    alter: altering("tenants", (row) => ({ ...row, status: "deleted" })),
  },
  {
    name: "a tier that is none",
    table: "tenants",
    alter: altering("tenants", (row) => ({ ...row, tier: "Gold" })),
  },
  {
    name: "a policy nobody approved",
    table: "heads",
    alter: altering(
      "heads",
      (row) => ({ ...row, policy: null }),
      ({ policy }) => policy,
    ),
  },
  {
    name: "another text under a chunk's name",
    table: "chunks",
    alter: altering(
      "chunks",
      (row) => ({ ...row, text: row.text.replace('"version":1', '"version":2') }),
      ({ text }) => text.includes('"version":1'),
    ),
  },
  {
    name: "a chunk with its own hash that no release names rightly",
    table: "releases",
    alter: altering("chunks", (row) => ({ ...row, ...chunk({ a: { value: 1, version: 1 } }) })),
  },
  {
    name: "a chunk of what is no config",
    table: "chunks",
    alter: altering("chunks", (row, rows) => [
      row,
      { ...rows[0], ...chunk({ "../x": { value: 1, version: 1 } }) },
    ]),
  },
  {
    name: "a chunk in another spelling",
    table: "chunks",
    alter: altering("chunks", (row) => {
      const text = JSON.stringify(JSON.parse(row.text), null, 1)
      return { ...row, text, chunk_id: sha256Hex(text) }
    }),
  },
  {
    name: "a release that is another than its name says",
    table: "releases",
    alter: altering("releases", (row) => ({
      ...row,
      manifest: { ...row.manifest, keys: row.manifest.keys + 1 },
    })),
  },
  { name: "a release whose chunks are missing", table: "releases", alter: dropping("chunks", () => true) },
  {
    name: "a pointer to a release that is not there",
    table: "pointers",
    alter: altering("pointers", (row) => ({ ...row, stable: "a".repeat(64) })),
  },
  {
    name: "a pointer's history with a gap",
    table: "pointers",
    alter: dropping("pointers", ({ seq }) => seq === 2),
  },
  {
    name: "a pointer's history that goes back",
    table: "pointers",
    alter: altering("pointers", (row) => ({ ...row, at: "2019-01-01T00:00:00+00:00" })),
  },
  {
    name: "a pointer moved by another tenant's change",
    table: "pointers",
    alter: altering("pointers", (row) => ({ ...row, stable_change_id: elsewhere(row.stable_change_id) })),
  },
  {
    name: "a pointer of an environment without a head",
    table: "pointers",
    alter: altering("pointers", (row) => ({ ...row, environment: "Elsewhere" })),
  },
  {
    name: "a change under another's name",
    table: "changes",
    alter: altering("changes", (row) => ({ ...row, change_id: elsewhere(row.change_id) })),
  },
  {
    name: "a change that replaces another tenant's",
    table: "changes",
    alter: altering("changes", (row) => ({
      ...row,
      content: { ...row.content, replaces: elsewhere(row.change_id) },
    })),
  },
  {
    name: "a change by another tenant's token",
    table: "changes",
    alter: altering("changes", (row) => ({
      ...row,
      content: {
        ...row.content,
        author: { ...row.content.author, tokenId: elsewhere(row.content.author.tokenId) },
      },
    })),
  },
  {
    name: "a change with other edits than were approved",
    table: "changes",
    alter: altering("changes", (row) => ({
      ...row,
      content: { ...row.content, edits: row.content.edits.map((edit: Row) => ({ ...edit, value: "mine" })) },
    })),
  },
  {
    name: "a change whose keys hide under other hashes",
    table: "changes",
    alter: altering("changes", (row) => ({
      ...row,
      key_hashes: row.key_hashes.map((hash: number) => hash ^ 1),
    })),
  },
  ...[-1, 2_147_483_647].map((looks) => ({
    name: `a change that was looked at ${looks} times`,
    table: "changes",
    alter: altering("changes", (row) => ({ ...row, looks })),
  })),
  ...["approvals", "comments"].map((list) => ({
    name: `a change whose ${list} are no list of any`,
    table: "changes",
    alter: altering("changes", (row) => ({ ...row, [list]: [null] })),
  })),
  {
    name: "a change with an edit that is none",
    table: "changes",
    alter: altering("changes", (row) => ({ ...row, content: { ...row.content, edits: [null] } })),
  },
  {
    name: "a change whose state is two",
    table: "changes",
    alter: altering(
      "changes",
      (row) => ({ ...row, state: "live" }),
      ({ state }) => state === "rejected",
    ),
  },
  {
    name: "a missing version",
    table: "config_versions",
    alter: dropping("config_versions", ({ version }) => version === 1),
  },
  {
    name: "a version of another value",
    table: "config_versions",
    alter: altering("config_versions", (row) => ({ ...row, edit: { ...row.edit, value: "mine" } })),
  },
  {
    name: "a version of a change that is not there",
    table: "config_versions",
    alter: altering("config_versions", (row) => ({ ...row, change_id: elsewhere(row.change_id) })),
  },
  {
    name: "a sealed value that is missing",
    table: "config_versions",
    alter: dropping("secret_values", () => true),
  },
  {
    name: "a sealed value moved to another key",
    table: "secret_values",
    alter: altering("secret_values", (row) => ({ ...row, key: "other" })),
  },
  {
    name: "a sealed value that was altered",
    table: "secret_values",
    alter: altering("secret_values", (row) => ({
      ...row,
      sealed: `${row.sealed.slice(0, -2)}${row.sealed.endsWith("00") ? "01" : "00"}`,
    })),
  },
  {
    name: "a data key that is missing",
    table: "secret_values",
    alter: dropping("data_keys", ({ realm }) => realm === "Staging"),
  },
  {
    name: "a data key of another realm",
    table: "data_keys",
    alter: altering(
      "data_keys",
      (row) => ({ ...row, realm: "Other" }),
      ({ realm }) => realm === "Staging",
    ),
  },
  {
    name: "a data key that was destroyed",
    table: "data_keys",
    alter: altering("data_keys", (row) => ({ ...row, wrapped: null })),
  },
  {
    name: "a channel's secret of another channel",
    table: "channels",
    alter: altering("channels", (row) => ({ ...row, channel_id: "00000000-0000-7000-8000-000000000000" })),
  },
  {
    name: "an audit entry that is missing",
    table: "audit_entries",
    alter: dropping("audit_entries", ({ seq }) => seq === 9),
  },
  {
    name: "an audit entry that was altered",
    table: "audit_entries",
    alter: altering("audit_entries", (row) => ({ ...row, body: row.body.replace("}", ' "x":1}') })),
  },
  {
    name: "the end of the audit cut off",
    table: "audit_heads",
    alter: altering("audit_heads", (row) => ({ ...row, seq: row.seq - 1 })),
  },
  {
    name: "an audit entry altered with its hash, and the head with it",
    table: "audit_checkpoints",
    alter: (lines) => {
      const rows: Row[] = lines.audit_entries!.map((line) => JSON.parse(line))
      const last = rows.at(-1)
      last.body = '{"action":"mine"}'
      const at = last.at.replace(/(\.\d+)?\+00:00$/, (_: string, part = ".") => `${part.padEnd(7, "0")}Z`)
      last.hash = `\\x${entryHash(last.prev.slice(2), `{"at":"${at}","body":${last.body},"seq":${last.seq}}`)}`
      const head = { ...JSON.parse(lines.audit_heads![0]!), hash: last.hash }
      return {
        ...lines,
        audit_entries: rows.map((row) => JSON.stringify(row)),
        audit_heads: [JSON.stringify(head)],
      }
    },
  },
  {
    name: "a beginning of the audit that nothing says was dropped",
    table: "audit_entries",
    alter: dropping("audit_drops", () => true),
  },
  {
    name: "a drop that goes further than its note",
    table: "audit_drops",
    alter: altering("audit_drops", (row) => ({ ...row, through: row.through + 1 })),
  },
  {
    name: "a pseudonym of somebody else",
    table: "audit_people",
    alter: altering("audit_people", (row) => ({ ...row, subject: "somebody.else" })),
  },
  { name: "a table that there is not", table: "tokens", alter: (lines) => ({ ...lines, tokens: ["{}"] }) },
]
