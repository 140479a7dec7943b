import { writeFile } from "node:fs/promises"
import { DEFAULT_ENVIRONMENTS } from "../../core/environment.ts"
import type { ManagePlatform } from "../platform/compose-manage.ts"
import { systemIds } from "../platform/ids.ts"
import { createManage } from "./manage.ts"
import { openapiText } from "./openapi.ts"

/** To describe the routes nothing of the platform is needed: they are declared, not called. */
export const NO_PLATFORM = {
  settings: {
    environments: DEFAULT_ENVIRONMENTS,
    readerKeys: { keys: [] },
    adminTokenHash: null,
    jwtIssuers: [],
    corsOrigins: [],
  },
  ids: systemIds,
} as unknown as ManagePlatform

export const OPENAPI_FILE = "docs/openapi.json"

/** What the file should hold. */
export const currentOpenapi = async (): Promise<string> =>
  openapiText(await createManage(NO_PLATFORM).routes())

// `node functions/manage/write-openapi.ts` brings the committed file up to date.
if (import.meta.main) await writeFile(OPENAPI_FILE, await currentOpenapi())
