import { useLinks } from "../console.tsx"
import type { Origin } from "../shapes.ts"
import { roleOf, scopeOf } from "../words.ts"
import { Value } from "./diff.tsx"
import { Time } from "./time.tsx"

/** Which layer, version, change and people gave a value, and what lies under it. */
export const OriginShown = ({ origin }: { origin: Origin }) => {
  const link = useLinks()
  if (origin.scope === null || origin.version === null) return <p class="quiet">It is kept nowhere.</p>
  return (
    <div class="origin">
      <p>
        Version {origin.version} of <strong>{scopeOf(origin.scope)}</strong>: {origin.rule}.
      </p>
      <p>
        {origin.author ? (
          <>
            Changed by <span class="person">{origin.author}</span>
          </>
        ) : (
          "Changed"
        )}
        {origin.at && (
          <>
            {" "}
            <Time at={origin.at} />
          </>
        )}
        {origin.changeId && (
          <>
            {" in "}
            <a href={link("changes", origin.changeId)}>this change</a>
          </>
        )}
        {origin.comment && <q>{origin.comment}</q>}
      </p>
      {origin.approvers.length === 0 ? (
        <p>Nobody had to agree to it.</p>
      ) : (
        <ul class="approvers" aria-label="Who agreed to it">
          {origin.approvers.map(({ subject, role, at, comment }) => (
            <li key={`${role} ${subject}`}>
              <span class="person">{subject}</span> agreed as {roleOf(role)} <Time at={at} />
              {comment && <q>{comment}</q>}
            </li>
          ))}
        </ul>
      )}
      {origin.layers.length > 1 && (
        <details>
          <summary>What {origin.layers.length} layers say</summary>
          <ul class="layers">
            {origin.layers.map(({ layer, scope, version, value, locked }) => (
              <li key={scope} class={layer === origin.layer ? "wins" : ""}>
                <p>
                  {scopeOf(scope)}, version {version}
                  {locked && ", locked"}
                  {layer === origin.layer && ": this one counts"}
                </p>
                <Value value={value} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  )
}
