import { ErrorCode, ProviderEvents } from "@openfeature/server-sdk"
import { expect } from "vitest"
import { FLAGS, type Shown, world } from "./requirements-world.ts"
import { BOOLEAN } from "./service.ts"

/** Section 5: https://github.com/open-feature/spec/blob/main/specification/sections/05-events.md */
export const EVENTS: Shown[] = [
  [
    "5.1.1",
    "it has ready, error, changed and stale to tell, with details",
    async () => {
      const one = await world()
      one.service.publish({ ...FLAGS, boolean: { ...BOOLEAN, defaultVariant: "off" } })
      await one.hotswap.reload()
      await one.lose(500)
      expect(one.heard.slice(1)).toMatchObject([
        [ProviderEvents.ConfigurationChanged, { flagsChanged: ["boolean"] }],
        [ProviderEvents.Stale, { message: expect.stringContaining("500") }],
      ])
    },
  ],
  [
    "5.1.2",
    "what it tells reaches the application, which then finds it so",
    async () => {
      const one = await world()
      let found: Promise<boolean> | undefined
      one.client.addHandler(ProviderEvents.ConfigurationChanged, () => {
        found = one.client.getBooleanValue("boolean", true)
      })
      one.service.publish({ ...FLAGS, boolean: { ...BOOLEAN, defaultVariant: "off" } })
      await one.hotswap.reload()
      expect(await found).toBe(false)
    },
  ],
  [
    "5.1.3",
    "nobody else's handlers are told",
    async () => {
      const [one, other] = [await world(), await world()]
      other.heard.length = 0
      one.service.publish({})
      await one.hotswap.reload()
      await one.lose(500)
      expect(other.heard).toEqual([])
    },
  ],
  [
    "5.1.4",
    "an error has a message",
    async () => {
      const one = await world()
      await one.lose(403)
      expect(one.heard.at(-1)).toMatchObject([
        ProviderEvents.Error,
        { message: expect.stringContaining("403") },
      ])
    },
  ],
  [
    "5.1.5",
    "an error has a code",
    async () => {
      const one = await world()
      await one.lose(403)
      expect(one.heard.at(-1)).toMatchObject([ProviderEvents.Error, { errorCode: ErrorCode.GENERAL }])
    },
  ],
]
