import { describe, expect, test } from "vitest"
import { createManage } from "../../../functions/manage/manage.ts"
import { NO_PLATFORM } from "../../../functions/manage/write-openapi.ts"
import { builtConsole } from "../../../local/console.ts"

const { app } = createManage({ ...NO_PLATFORM, consoleFiles: builtConsole })
const page = async () => await (await app.request("/")).text()
const assets = async () =>
  [...(await page()).matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path!)

describe("the console's page", () => {
  test("lets nothing run but its own files, and nothing be asked but this service", async () => {
    const { headers } = await app.request("/")
    const policy = headers.get("content-security-policy")?.split("; ")
    expect(policy).toEqual(
      expect.arrayContaining([
        ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"],
        ...["require-trusted-types-for 'script'", "trusted-types 'none'", "frame-ancestors 'none'"],
      ]),
    )
    expect(policy?.join()).not.toContain("unsafe")
    expect(await page()).not.toMatch(/<style|\son\w+=|\sstyle=|<script(?![^>]*\ssrc=)|https?:/)
    // Other pages need what this one does without.
    expect((await app.request("/docs")).headers.get("content-security-policy")).toContain("'unsafe-inline'")
  })

  test("is never kept, and what it loads for ever, under names that follow from the content", async () => {
    expect((await app.request("/")).headers.get("cache-control")).toBe("no-store")
    const paths = await assets()
    expect(paths.map((path) => path.replace(/-[A-Z0-9]{8}/, "-HASH")).sort()).toEqual([
      "/assets/console-HASH.js",
      "/assets/icon-HASH.svg",
      "/assets/style-HASH.css",
    ])
    for (const path of paths) {
      const { status, headers } = await app.request(path)
      expect(status, path).toBe(200)
      expect(headers.get("cache-control")).toBe("public, max-age=31536000, immutable")
    }
    const types = await Promise.all(
      paths.map(async (path) => (await app.request(path)).headers.get("content-type")),
    )
    expect(types.sort()).toEqual([
      "image/svg+xml",
      "text/css; charset=utf-8",
      "text/javascript; charset=utf-8",
    ])
    expect((await app.request("/assets/console-AAAAAAAA.js")).status).toBe(404)
  })

  test("says what is running and where to go, with or without the console", async () => {
    const bare = await createManage(NO_PLATFORM).app.request("/")
    expect(bare.status).toBe(200)
    for (const text of [await page(), await bare.text()]) {
      expect(text).toContain("Hotswap is running")
      for (const link of ["/docs", "/docs/errors", "/openapi.json", "/health"])
        expect(text).toContain(`href="${link}"`)
    }
  })
})
