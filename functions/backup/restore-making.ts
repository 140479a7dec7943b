import { type MakingOver, madeOver } from "../../core/backup/remap.ts"
import type { ArchiveRow, TableName } from "../../core/backup/rows.ts"
import { columnsAt } from "../../core/backup/rows.ts"
import { exact, Selection } from "../../core/backup/selection.ts"
import { ARCHIVED } from "../../core/backup/tables.ts"
import { Refusal } from "../../core/errors.ts"
import type { JsonObject } from "../../core/json.ts"
import type { Judged } from "./judge-archive.ts"
import type { RestoreNew, RestorePlatform } from "./restore-parts.ts"
import { newDataKeys } from "./sealed-rows.ts"

/** How the rows of a new tenant come from those of an archive. */
export interface Making {
  /** `null`: the table has no rows in the new tenant but those of {@link extra}. */
  columns(table: TableName, schemaVersion: number): readonly string[] | null
  /** A row as it is to be written; `null`: it is left out. */
  row(row: ArchiveRow): string | null | Promise<string>
  /** Rows that no row of the archive becomes. */
  extra(table: TableName): readonly JsonObject[]
  /** The last `seq` of the tenant's pointers, by environment. */
  revisions: Record<string, number>
  /** What whoever restores should know, in sentences. */
  findings: string[]
}

const isCopied = (table: string): boolean =>
  ARCHIVED.some(({ name, inClones }) => name === table && inClones === "copied")

const seqs = (last: Iterable<readonly [string, { seq: number }]>): Record<string, number> =>
  Object.fromEntries([...last].map(([environment, { seq }]) => [environment, seq]))

/** Throws Refusal RESTORE_UNSUITABLE where the tenant was not there at `asOf`. */
export const makingOf = (platform: RestorePlatform, input: RestoreNew, judged: Judged): Promise<Making> =>
  input.target === input.source ? verbatim(platform, judged) : another(platform, input, judged)

const verbatim = async (platform: RestorePlatform, { judge, sealed }: Judged): Promise<Making> => ({
  columns: (table, schemaVersion) => [...columnsAt(table, schemaVersion).keys()],
  row: (row) => (row.table === "data_keys" ? sealed.rewrapped(row) : row.text),
  extra: () => [],
  revisions: seqs(
    [...judge.moves].flatMap(([environment, moves]) =>
      moves.slice(-1).map((last) => [environment, last] as const),
    ),
  ),
  findings: unknownEnvironments(platform, judge.environments),
})

const another = async (
  { keyRing, settings, clock }: RestorePlatform,
  { source, target, name, asOf, dryRun, isDrill }: RestoreNew,
  { judge, sealed, realms }: Judged,
): Promise<Making> => {
  const selection = new Selection(judge, asOf === undefined ? null : exact(asOf))
  const last = selection.last()
  if (asOf !== undefined && last.size === 0)
    throw new Refusal("RESTORE_UNSUITABLE", `"${source}" was not there at ${asOf}.`)
  const { keys, rows } = await newDataKeys(keyRing, target, realms, dryRun ?? false)
  const making: MakingOver = {
    source,
    target,
    name,
    selection,
    now: clock.now().toISOString(),
    isHidden: isDrill ?? false,
  }
  const open = [...judge.changes.keys()].filter((changeId) => !selection.hasChange(changeId))
  return {
    columns: (table, schemaVersion) => (isCopied(table) ? [...columnsAt(table, schemaVersion).keys()] : null),
    row: (row) => {
      const made = madeOver(row, making)
      if (made === null) return null
      return JSON.stringify(row.table === "secret_values" ? sealed.resealed(row, made, keys) : made)
    },
    extra: (table) => (table === "data_keys" ? rows : []),
    revisions: seqs(last),
    findings: [
      ...unknownEnvironments({ settings }, judge.environments),
      ...(open.length === 0 ? [] : [`${open.length} changes that were not over are left out.`]),
    ],
  }
}

const unknownEnvironments = (
  { settings }: Pick<RestorePlatform, "settings">,
  environments: ReadonlySet<string>,
): string[] =>
  [...environments]
    .filter((environment) => !settings.environments.some((known) => known === environment))
    .map(
      (environment) =>
        `This deployment has no environment "${environment}": what is in it is kept and not read.`,
    )
