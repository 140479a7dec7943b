import { encodeCursor } from "../../functions/http/cursor.ts"

/** Every kind of name that something of a tenant's goes by. */
export interface Names {
  slug: string
  external: string
  /** The digits of changes and of tokens, without the tenant before them. */
  changes: readonly string[]
  tokens: readonly string[]
  channel: string
  delivery: string
  /** The digits of a backup and of the job that made it, without the tenant before them, and the name of one of its parts. */
  backup: string
  job: string
  part: string
  release: string
  contentHash: string
  view: string
  subject: string
  /** A key that only this tenant has. */
  key: string
  idempotencyKey: string
}

export const changeOf = (names: Names, index: number): string =>
  `${names.slug}:chg_${names.changes[index % names.changes.length]}`
export const tokenOf = (names: Names, index: number): string =>
  `${names.slug}:tok_${names.tokens[index % names.tokens.length]}`
export const backupOf = (names: Names): string => `${names.slug}:bkp_${names.backup}`
export const jobOf = (names: Names): string => `${names.slug}:job_${names.job}`
export const configOf = (names: Names, environment: string, key: string): string =>
  `${names.slug}:${environment}:${key}`

/** The text with its last letter or digit another one: as long, and next to it in every order. */
const neighbour = (text: string): string => {
  const last = text.at(-1)!
  const code = last.charCodeAt(0)
  const other =
    /[0-9a-f]/.test(last) && /^[0-9a-f-]+$/.test(text) ? (Number.parseInt(last, 16) ^ 1).toString(16) : null
  return (
    text.slice(0, -1) + (other ?? String.fromCharCode(last === "z" || last === "9" ? code - 1 : code + 1))
  )
}

/** Names of the same shape that nothing has. */
export const missingFor = (names: Names): Names => ({
  slug: neighbour(names.slug),
  external: neighbour(names.external),
  changes: names.changes.map(neighbour),
  tokens: names.tokens.map(neighbour),
  channel: neighbour(names.channel),
  delivery: neighbour(names.delivery),
  backup: neighbour(names.backup),
  job: neighbour(names.job),
  part: neighbour(names.part),
  release: neighbour(names.release),
  contentHash: neighbour(names.contentHash),
  view: neighbour(names.view),
  subject: neighbour(names.subject),
  key: neighbour(names.key),
  idempotencyKey: neighbour(names.idempotencyKey),
})

const uuidOf = (digits: string): string => digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")

/** What the cursors of lists stand at. The others stand at numbers, which are nobody's. */
const positionsOf = (names: Names): Readonly<Record<string, string>> => ({
  changes: changeOf(names, names.changes.length - 1),
  tokens: tokenOf(names, 0),
  deliveries: names.delivery,
  backups: uuidOf(names.backup),
  jobs: uuidOf(names.job),
  configs: names.key,
  flags: names.key,
  tenants: names.slug,
})

/** The cursor of each list that stands at something of that tenant's. */
export const cursorOf = (list: string, names: Names): string =>
  encodeCursor(list, [positionsOf(names)[list] ?? 3])

/** All of a name's spellings that an answer may repeat, longest first. */
export const spellings = (names: Names): string[] => {
  return [
    ...names.changes,
    ...names.tokens,
    names.channel,
    names.delivery,
    names.backup,
    uuidOf(names.backup),
    names.job,
    uuidOf(names.job),
    names.part,
    names.release,
    names.contentHash,
    names.view,
    names.external,
    encodeURIComponent(names.external),
    names.subject,
    encodeURIComponent(names.subject),
    names.key,
    names.idempotencyKey,
    ...Object.keys(positionsOf(names)).map((list) => cursorOf(list, names)),
    spelled(names.slug),
    names.slug,
    names.slug.toUpperCase(),
  ]
}

/** As somebody writes it who hopes that it is compared before it is decoded. */
export const spelled = (slug: string): string => `%${slug.charCodeAt(0).toString(16)}${slug.slice(1)}`
