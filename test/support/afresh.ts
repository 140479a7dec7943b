import { afterAll, vi } from "vitest"

// Files of this project share a process, one after the other. Each begins with modules of its own, all but those of
// packages, and leaves time, globals and settings as it found them.
vi.resetModules()
afterAll(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
  vi.unstubAllEnvs()
})
