import type { Link } from "./link.ts"
import type { Outcomes } from "./outcomes.ts"
import type { View } from "./types.ts"

/** Takes down how requests went; what counts and tells them is loaded with the first. */
export const reportsOver = (link: Link, instance: string, failed: (thrown: unknown) => void) => {
  let loading: Promise<Outcomes | null> | null = null
  const load = async (): Promise<Outcomes | null> => {
    try {
      const { Outcomes } = await import("./outcomes.ts")
      return new Outcomes(link, instance)
    } catch (thrown) {
      loading = null
      failed(thrown)
      return null
    }
  }
  return {
    add({ revision, arm }: View, ok: boolean, latencyMs: number | undefined): void {
      loading ??= load()
      void loading.then((outcomes) => outcomes?.add({ revision, arm }, ok, latencyMs))
    },
    async close(): Promise<void> {
      const outcomes = await loading
      await outcomes?.close()
    },
  }
}
