import { readFile } from "node:fs/promises"
import { expect, test } from "vitest"
import { PUBLIC_ROUTES } from "../../../core/access.ts"
import { nameOf } from "../../../functions/http/lazy-route.ts"
import { createManage } from "../../../functions/manage/manage.ts"
import { NO_PLATFORM, OPENAPI_FILE } from "../../../functions/manage/write-openapi.ts"

const { app, routes } = createManage(NO_PLATFORM)

// Fails if a group declares what the table does not name, or does not declare what it does.
test("every route that is declared can be called by its name, and by no other that the reference knows", async () => {
  const names = (await routes()).map(nameOf)
  const { paths } = JSON.parse(await readFile(OPENAPI_FILE, "utf8")) as { paths: Record<string, object> }
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => nameOf({ method, path })),
  )
  expect(names.filter((name) => !described.includes(name))).toEqual([])
  expect(new Set(names).size).toBe(names.length)
  expect(PUBLIC_ROUTES.filter((name) => !names.includes(name))).toEqual([])
})

test("what is answered without anything being loaded is refused as elsewhere where a query is none", async () => {
  expect(await (await app.request("/health")).json()).toEqual({ status: "ok" })
  const refused = await app.request("/health?verbose=1")
  expect(refused.status).toBe(400)
  expect(await refused.json()).toMatchObject({ code: "QUERY_INVALID" })
  expect((await app.request("/health", { method: "HEAD" })).status).toBe(200)
  expect((await app.request("/health", { method: "POST" })).status).toBe(405)
})
