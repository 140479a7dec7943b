import { useCallback, useEffect, useState } from "preact/hooks"
import { problemOf } from "../problem.ts"
import type { Page, Problem } from "../shapes.ts"
import { ProblemShown } from "./problem.tsx"

/** The pages that come after the first one, which is read again and again by itself. */
export const useMore = <Item,>(
  key: string,
  first: Page<Item> | null,
  read: (cursor: string) => Promise<Page<Item>>,
) => {
  const [later, setLater] = useState<{ key: string; items: Item[]; next: string | null } | null>(null)
  const [problem, setProblem] = useState<Problem | null>(null)
  useEffect(() => {
    setLater(null)
    setProblem(null)
  }, [key])
  const own = later?.key === key ? later : null
  const next = own ? own.next : (first?.nextCursor ?? null)
  const more = useCallback(async () => {
    if (next === null) return
    try {
      const page = await read(next)
      setProblem(null)
      setLater((before) => ({
        key,
        items: [...(before?.key === key ? before.items : []), ...page.items],
        next: page.nextCursor,
      }))
    } catch (error) {
      setProblem(problemOf(error))
    }
  }, [key, next, read])
  return { items: [...(first?.items ?? []), ...(own?.items ?? [])], hasMore: next !== null, more, problem }
}

export const MoreButton = ({
  hasMore,
  more,
  problem,
  label,
}: {
  hasMore: boolean
  more: () => Promise<void>
  problem: Problem | null
  label: string
}) => (
  <>
    {problem && <ProblemShown problem={problem} />}
    {hasMore && (
      <button type="button" class="more" onClick={() => void more()}>
        {label}
      </button>
    )}
  </>
)
