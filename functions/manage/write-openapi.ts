import { writeFile } from "node:fs/promises"
import { DEFAULT_ENVIRONMENTS } from "../../core/environment.ts"
import type { ManagePlatform } from "../platform/compose-manage.ts"
import { createManage } from "./manage.ts"
import { openapiText } from "./openapi.ts"

/** To describe the routes nothing of the platform is needed: they are declared, not called. */
const NO_PLATFORM = {
  settings: {
    environments: DEFAULT_ENVIRONMENTS,
    readerKeys: { keys: [] },
    adminTokenHash: null,
    jwtIssuers: [],
    corsOrigins: [],
  },
} as unknown as ManagePlatform

export const OPENAPI_FILE = "docs/openapi.json"

/** What the file should hold. */
export const currentOpenapi = (): string => openapiText(createManage(NO_PLATFORM).app)

// `node functions/manage/write-openapi.ts` brings the committed file up to date.
if (import.meta.main) await writeFile(OPENAPI_FILE, currentOpenapi())
