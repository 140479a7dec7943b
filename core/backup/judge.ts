import { isPseudonym } from "../audit/people.ts"
import {
  CHANGE_STATES,
  type ChangeContent,
  type ChangeState,
  type Edit,
  type Instant,
} from "../change/change.ts"
import { contentHashOf, editChecksum } from "../change/content-hash.ts"
import { parsePolicy } from "../change/policy-document.ts"
import { readDeployments, secretsOf } from "../deployment/deployments.ts"
import type { Environment } from "../environment.ts"
import { Refusal } from "../errors.ts"
import { isTenant, PLATFORM, parseChangeId, parseTokenId, type ScopeId, TIERS, type Tier } from "../ids.ts"
import { canonical, type Json, type JsonObject } from "../json.ts"
import { murmur3 } from "../release/bucket.ts"
import { markedVersion } from "../secret/marker.ts"
import { CHANNELS, DEPLOYMENTS } from "../secret/place.ts"
import { AuditJudge } from "./judge-audit.ts"
import { isKey, ReleaseJudge } from "./judge-releases.ts"
import { changeIdsIn, tokenIdsIn } from "./named-ids.ts"
import { type ArchiveRow, invalid, type TableName, timeOf } from "./rows.ts"

/** What is remembered of a change. */
export interface ChangeFacts {
  environment: string
  state: ChangeState["state"]
  createdAt: Instant
  /** When it came to be in the state it is in; `null`: it is open. */
  endedAt: Instant | null
}

/** What is remembered of a row of a pointer's history. */
export interface MoveFacts {
  seq: number
  at: Instant
  tier: Tier
  stable: string
  stableChangeId: string | null
  candidate: string | null
  candidateChangeId: string | null
  changeId: string | null
  cause: string
}

const CAUSES: readonly string[] = ["start", "advance", "live", "rolled_back", "recompiled", "tier", "created"]
const ENVIRONMENT = /^[A-Za-z][A-Za-z0-9-]{0,31}$/
/** Once a second for 30 years. */
const LOOKS_MAX = 1_000_000_000
const SEALED = /^hs1\.(\d{1,9})\.[A-Za-z0-9_-]+$/

const key = (...parts: readonly (string | number)[]): string => parts.join("\n")

/**
 * Judges an archive's rows one after another, in the order of the tables: whether a tenant may be made of them. That they
 * are as they were sealed says nothing of who sealed them. Throws Refusal ARCHIVE_INVALID at the first that may not be.
 * What it remembers are names and hashes, no values.
 */
export class ArchiveJudge {
  readonly source: ScopeId
  readonly releases = new ReleaseJudge()
  readonly changes = new Map<string, ChangeFacts>()
  /** By environment, oldest first. */
  readonly moves = new Map<string, MoveFacts[]>()
  readonly environments = new Set<string>()
  readonly #policies = new Map<string, { row: ArchiveRow; text: string }>()
  readonly #versions = new Map<string, number>()
  /** Sealed values that are named and have not been seen, with who names them. */
  readonly #wanted = new Map<string, ArchiveRow>()
  readonly #dataKeys = new Set<string>()
  readonly #audit = new AuditJudge()
  #tenants = 0

  constructor(source: ScopeId) {
    this.source = source
  }

  accept(row: ArchiveRow): void {
    if (row.values.tenant_id !== this.source)
      throw invalid(row.table, row.nth, `it belongs to ${JSON.stringify(row.values.tenant_id)}`)
    JUDGES[row.table]?.(this, row)
  }

  /** After the last row. `audit`: its tables were among them. */
  finish({ audit }: { audit: boolean }): void {
    if (this.#tenants !== 1) throw invalid("tenants", null, `there are ${this.#tenants} rows instead of one`)
    for (const [environment, { row, text }] of this.#policies) this.#checkPolicy(environment, row, text)
    const [wanted] = this.#wanted.values()
    if (wanted) throw invalid(wanted.table, wanted.nth, "it names a sealed value that is not there")
    if (audit) this.#audit.finish()
  }

  tenant(row: ArchiveRow): void {
    const { table, nth, values } = row
    this.#tenants++
    this.#checkTier(row)
    if (values.status !== "active" && values.status !== "suspended")
      throw invalid(table, nth, `its status is ${JSON.stringify(values.status)}`)
    for (const [name, marker] of secretsOf(readDeployments(values.deployments!)))
      this.#wanted.set(key(DEPLOYMENTS, name, markedVersion(marker)!), row)
  }

  head(row: ArchiveRow): void {
    const environment = row.values.environment as string
    if (!ENVIRONMENT.test(environment)) throw invalid(row.table, row.nth, "its environment has no name")
    this.environments.add(environment)
    this.#policies.set(environment, { row, text: canonical(row.values.policy!) })
  }

  change(row: ArchiveRow): void {
    const { values } = row
    const refuse = (what: string) => invalid(row.table, row.nth, what)
    const content = values.content as unknown as ChangeContent
    const status = values.status as unknown as ChangeState & { at?: Instant }
    this.#inEnvironment(row)
    if (
      !isObject(values.content!) ||
      !isObject(values.status!) ||
      !areObjects(content.edits as unknown as Json)
    )
      throw refuse("its content or status is none")
    if (![values.approvals, values.comments].every((list) => areObjects(list!)))
      throw refuse("its approvals or comments are none")
    // All tenants' changes stand in one row by it: one below the others' is always first, one above its type stops the clock.
    const looks = values.looks as number
    if (looks < 0 || looks > LOOKS_MAX) throw refuse(`it was looked at ${looks} times`)
    const { changeId, scope, environment } = content
    if (changeId !== values.change_id || scope !== this.source || environment !== values.environment)
      throw refuse("its content is of another change")
    if (status.state !== values.state || !CHANGE_STATES.includes(status.state))
      throw refuse(`its state is ${JSON.stringify(values.state)}`)
    this.#checkIds(row)
    const keys = content.edits.map((edit) => edit.key)
    if (!keys.every((name) => typeof name === "string" && isKey(name)))
      throw refuse("it edits what is no key")
    if (canonical(values.key_hashes!) !== canonical(keys.map((name) => murmur3(name))))
      throw refuse("the hashes of its keys are others'")
    const isErased = content.edits.some(({ owner }) => owner !== undefined && isPseudonym(owner))
    if (!isErased && contentHashOf(content) !== content.contentHash)
      throw refuse("it is not what its contentHash says")
    if (status.state === "live" && !this.releases.has(status.previousStable))
      throw refuse("it follows a release that is not there")
    for (const edit of content.edits) this.#want(row, environment, edit)
    const endedAt = status.at ?? null
    this.changes.set(changeId, { environment, state: status.state, createdAt: content.createdAt, endedAt })
  }

  version(row: ArchiveRow): void {
    const {
      environment,
      key: name,
      version,
      change_id: changeId,
      checksum,
    } = row.values as Record<string, string>
    const edit = row.values.edit as unknown as Edit
    const refuse = (what: string) => invalid(row.table, row.nth, what)
    this.#inEnvironment(row)
    const place = key(environment!, name!)
    const last = this.#versions.get(place) ?? 0
    if (Number(version) !== last + 1) throw refuse(`version ${version} of "${name}" follows version ${last}`)
    if (this.changes.get(changeId!)?.environment !== environment) throw refuse("its change is not there")
    if (!isObject(row.values.edit!) || edit.key !== name || !isKey(name!))
      throw refuse("it is of another key")
    const isErased = edit.owner !== undefined && isPseudonym(edit.owner)
    if (!isErased && editChecksum(edit) !== checksum) throw refuse("it is not what its checksum says")
    this.#versions.set(place, last + 1)
    this.#want(row, environment!, edit)
  }

  move(row: ArchiveRow): void {
    const { values } = row
    const refuse = (what: string) => invalid(row.table, row.nth, what)
    this.#inEnvironment(row)
    const environment = values.environment as string
    const history = this.moves.get(environment) ?? []
    this.moves.set(environment, history)
    const last = history.at(-1)
    const at = timeOf(values.at)
    if (values.seq !== (last?.seq ?? 0) + 1 || (last && at <= last.at))
      throw refuse(`${environment}/${values.seq} does not follow ${environment}/${last?.seq ?? 0}`)
    for (const release of [values.stable, values.candidate_release])
      if (release !== null && !this.releases.isKept(release as string))
        throw refuse(`it names release "${release}", which is not there`)
    for (const id of [values.stable_change_id, values.candidate_change_id, values.change_id])
      if (id !== null && !this.changes.has(id as string))
        throw refuse(`it names change "${id}", which is not there`)
    if (!CAUSES.includes(values.cause as string)) throw refuse("its cause is none")
    this.#checkTier(row)
    history.push({
      seq: values.seq as number,
      at,
      tier: values.tier as Tier,
      stable: values.stable as string,
      stableChangeId: values.stable_change_id as string | null,
      candidate: values.candidate_release as string | null,
      candidateChangeId: values.candidate_change_id as string | null,
      changeId: values.change_id as string | null,
      cause: values.cause as string,
    })
  }

  dataKey({ table, nth, values }: ArchiveRow): void {
    if (values.wrapped === null) throw invalid(table, nth, "the data key was destroyed")
    this.#dataKeys.add(key(values.realm as string, values.generation as number))
  }

  secret(row: ArchiveRow): void {
    const { environment, key: name, version, generation } = row.values as Record<string, string>
    if (environment !== DEPLOYMENTS) this.#inEnvironment(row)
    if (!isKey(name!)) throw invalid(row.table, row.nth, "it is of no key")
    if (!this.#dataKeys.has(key(environment!, generation!)))
      throw invalid(row.table, row.nth, `data key ${generation} of ${environment} is not there`)
    this.#wanted.delete(key(environment!, name!, version!))
  }

  channel({ table, nth, values }: ArchiveRow): void {
    if (values.secret === null) return
    const generation = SEALED.exec(values.secret as string)?.[1]
    if (generation !== undefined && !this.#dataKeys.has(key(CHANNELS, Number(generation))))
      throw invalid(table, nth, `data key ${generation} of ${CHANNELS} is not there`)
  }

  get audit(): AuditJudge {
    return this.#audit
  }

  #inEnvironment({ table, nth, values }: ArchiveRow): void {
    const environment = values.environment as string
    if (!this.environments.has(environment))
      throw invalid(table, nth, `the environment ${JSON.stringify(environment)} has no head`)
  }

  /** Tenants have one; the platform and the tiers have none. */
  #checkTier({ table, nth, values }: ArchiveRow): void {
    const isRight = isTenant(this.source) ? TIERS.includes(values.tier as Tier) : values.tier === null
    if (!isRight) throw invalid(table, nth, `its tier is ${JSON.stringify(values.tier)}`)
  }

  /** Ids say whose they are: one of another tenant would be looked for there. */
  #checkIds({ table, nth, values }: ArchiveRow): void {
    for (const id of changeIdsIn(values))
      if (parseChangeId(id)?.scope !== this.source)
        throw invalid(table, nth, `it names change ${JSON.stringify(id)}`)
    for (const id of tokenIdsIn(values)) {
      const scope = parseTokenId(id)?.scope
      const isKnown = scope === this.source || scope === PLATFORM
      if (!isKnown && id.includes(":tok_")) throw invalid(table, nth, `it names token ${JSON.stringify(id)}`)
    }
  }

  #want(row: ArchiveRow, environment: string, { key: name, value }: Edit): void {
    const version = markedVersion(value)
    if (version !== null) this.#wanted.set(key(environment, name, version), row)
  }

  #checkPolicy(environment: string, row: ArchiveRow, text: string): void {
    const stable = this.moves.get(environment)?.at(-1)?.stable
    const policy = stable === undefined ? null : this.releases.policyOf(stable)
    if (canonical(policy as unknown as Json) !== text)
      throw invalid(row.table, row.nth, "its policy is not that of the stable release")
    if (policy === null) return
    try {
      parsePolicy(policy.document as unknown as Json, {
        scope: this.source,
        environment: environment as Environment,
      })
    } catch (error) {
      if (error instanceof Refusal) throw invalid(row.table, row.nth, error.message.replace(/\.$/, ""))
      throw error
    }
  }
}

const isObject = (value: Json): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)
const areObjects = (value: Json): boolean => Array.isArray(value) && value.every(isObject)

const JUDGES: Partial<Record<TableName, (judge: ArchiveJudge, row: ArchiveRow) => void>> = {
  tenants: (judge, row) => judge.tenant(row),
  heads: (judge, row) => judge.head(row),
  chunks: (judge, row) => judge.releases.chunk(row),
  releases: (judge, row) => judge.releases.release(row),
  changes: (judge, row) => judge.change(row),
  config_versions: (judge, row) => judge.version(row),
  pointers: (judge, row) => judge.move(row),
  data_keys: (judge, row) => judge.dataKey(row),
  secret_values: (judge, row) => judge.secret(row),
  channels: (judge, row) => judge.channel(row),
  audit_keys: (judge, row) => judge.audit.key(row),
  audit_people: (judge, row) => judge.audit.person(row),
  audit_entries: (judge, row) => judge.audit.entry(row),
  audit_heads: (judge, row) => judge.audit.head(row),
  audit_checkpoints: (judge, row) => judge.audit.checkpoint(row),
  audit_drops: (judge, row) => judge.audit.drop(row),
}
