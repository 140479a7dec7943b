import { apart } from "../../core/audit/people.ts"
import type { Commit, Reply } from "../../core/change/scope-state.ts"
import { murmur3 } from "../../core/release/bucket.ts"
import { EMPTY_CHUNK, EMPTY_RELEASE } from "../../core/release/compile.ts"
import type { Runner } from "../client.ts"
import { textQuery } from "../text-query.ts"

/** What to answer when the request is repeated; body members named in `stamps` become the time of the commit. */
export interface CommitReply {
  key: string
  fingerprint: string
  reply: Reply & { stamps: readonly string[] }
}

export type Committed =
  | {
      kind: "committed"
      at: string
      /** The pointer's, as it now stands. */
      seq: number
      /** Left in the outbox for whoever publishes; `null` when the pointer did not move. */
      mark: string | null
    }
  /**
   * Something moved since the state was loaded: the scope itself, a policy it inherits, or another shared scope that
   * began a rollout; or the idempotency key was taken. Nothing was written.
   */
  | { kind: "conflict" }

const commit = textQuery<{ outcome: string; at: string | null; seq: string | null; mark: string | null }>(
  "select outcome, at, seq, mark from hotswap.commit_scope($1, $2, $3::text::bigint, $4::text::jsonb, $5::text::jsonb)",
  ["scope", "environment", "expectedRev", "commit", "idempotency"],
)

/** Writes all that one decision came to, or nothing, in one transaction and one round trip. */
export const commitScope = async (
  runner: Runner,
  decided: Commit,
  idempotency?: CommitReply,
): Promise<Committed> => {
  const [row] = await runner.run(commit, {
    scope: decided.scope,
    environment: decided.environment,
    expectedRev: String(decided.expectedRev),
    commit: JSON.stringify(documentOf(decided)),
    idempotency: JSON.stringify(idempotency ? replyOf(idempotency) : null),
  })
  if (row?.outcome !== "committed") return { kind: "conflict" }
  return { kind: "committed", at: row.at!, seq: Number(row.seq), mark: row.mark }
}

const documentOf = (decided: Commit) => ({
  pointer: decided.pointer ?? null,
  ...(decided.policy === undefined ? {} : { policy: decided.policy }),
  inherited: Object.fromEntries(Object.entries(decided.inherited).filter(([, version]) => version !== 0)),
  notices: decided.notices,
  ...withEmptyRelease(decided),
  versions: decided.versions,
  newChanges: decided.changes.filter(({ isNew }) => isNew).map(newChange),
  changes: decided.changes.filter(({ isNew }) => !isNew).map(changedPart),
  audit: decided.audit.map(apart),
})

/** Every scope starts from the empty release without having stored it; a pointer that returns to it needs the row. */
const withEmptyRelease = ({ pointer, releases, chunks }: Commit) => {
  const isNamed = pointer?.stable === EMPTY_RELEASE.id || pointer?.candidate?.release === EMPTY_RELEASE.id
  return isNamed
    ? { releases: [...releases, EMPTY_RELEASE], chunks: [...chunks, EMPTY_CHUNK] }
    : { releases, chunks }
}

type CommittedChange = Commit["changes"][number]

const changedPart = ({ change, dueAt }: CommittedChange) => ({
  changeId: change.content.changeId,
  state: change.status.state,
  status: change.status,
  approvals: change.approvals,
  comments: change.comments,
  versions: change.versions ?? null,
  dueAt,
})

const newChange = (committed: CommittedChange) => ({
  ...changedPart(committed),
  content: committed.change.content,
  keyHashes: committed.change.content.edits.map(({ key }) => murmur3(key)),
})

const replyOf = ({ key, fingerprint, reply: { status, headers, body, stamps } }: CommitReply) => ({
  key,
  fingerprint,
  status,
  headers,
  body: JSON.stringify(body),
  stamps,
})
