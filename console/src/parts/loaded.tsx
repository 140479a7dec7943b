import type { ComponentChildren } from "preact"
import type { Live } from "../live.ts"
import { ProblemShown } from "./problem.tsx"

/** What is read: until it is there, that it is on its way; where it fails, why, above what was read last. */
export const Loaded = <Data,>({
  live,
  what,
  children,
}: {
  live: Live<Data>
  what: string
  children: (data: Data) => ComponentChildren
}) => (
  <>
    {live.problem && <ProblemShown problem={live.problem} onReload={() => void live.refresh()} />}
    {live.data === null
      ? live.isLoading && (
          <p class="loading" role="status">
            Reading {what}…
          </p>
        )
      : children(live.data)}
  </>
)

export const Empty = ({ title, children }: { title: string; children?: ComponentChildren }) => (
  <div class="empty">
    <p class="empty-title">{title}</p>
    {children}
  </div>
)
