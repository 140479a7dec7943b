import type { EditDifference, Json, ValueDifference } from "../shapes.ts"
import { isFlagValue, isMarker, keyWords, pretty, reachOf } from "../words.ts"

const WORDS = { added: "new", removed: "deleted", changed: "changed", unchanged: "unchanged" } as const

/** A value as people read it; a secret is named and never shown. */
export const Value = ({ value }: { value: Json | undefined }) => {
  if (value === undefined) return <span class="quiet">nothing</span>
  if (isMarker(value)) return <span class="secret">a secret, sealed</span>
  return <pre class="value">{pretty(value)}</pre>
}

const Side = ({ name, value }: { name: "before" | "after"; value: Json | undefined }) => (
  <div class={`side ${name}`}>
    <span class="side-name">{name}</span>
    <Value value={value} />
  </div>
)

/** Where two values differ, place by place. */
export const Differences = ({ values }: { values: readonly ValueDifference[] }) => (
  <ul class="differences">
    {values.map(({ path, kind, before, after }) => (
      <li key={`${path} ${kind}`}>
        <p class="difference-path">
          <code>{path === "" ? "the whole value" : path}</code>{" "}
          <span class={`tag ${kind}`}>{WORDS[kind]}</span>
        </p>
        <div class="sides">
          {kind !== "added" && <Side name="before" value={before} />}
          {kind !== "removed" && <Side name="after" value={after} />}
        </div>
      </li>
    ))}
  </ul>
)

const EditShown = ({ edit }: { edit: EditDifference }) => {
  const isWhole = edit.values.length === 0 || edit.kind !== "changed"
  return (
    <li class="edit">
      <h4>
        <code>{keyWords(edit.key)}</code> <span class={`tag ${edit.kind}`}>{WORDS[edit.kind]}</span>
      </h4>
      {isFlagValue(edit.after) && (
        <p class="reach">
          {isFlagValue(edit.before) && `${reachOf(edit.before)}, until now. `}
          <strong>{reachOf(edit.after)}</strong>
          {isFlagValue(edit.before) ? ", once it is live." : "."}
        </p>
      )}
      {edit.schemaChanged && <p>Its schema changes.</p>}
      {edit.locked !== undefined && (
        <p>
          {edit.locked
            ? "It is locked: nearer layers are not read any more."
            : "It is unlocked: nearer layers count again."}
        </p>
      )}
      {isWhole ? (
        (edit.before !== undefined || edit.after !== undefined) &&
        edit.kind !== "unchanged" && (
          <div class="sides">
            {edit.kind !== "added" && <Side name="before" value={edit.before} />}
            {edit.kind !== "removed" && <Side name="after" value={edit.after} />}
          </div>
        )
      ) : (
        <Differences values={edit.values} />
      )}
    </li>
  )
}

/** What a change does to each of its keys. */
export const Diff = ({ edits }: { edits: readonly EditDifference[] }) => (
  <ul class="edits">
    {edits.map((edit) => (
      <EditShown key={edit.key} edit={edit} />
    ))}
  </ul>
)
