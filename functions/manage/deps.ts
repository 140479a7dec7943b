import type { ReaderClaims } from "../http/tokens.ts"
import type { ManagePlatform } from "../platform/compose-manage.ts"
import type { FindExternal } from "./parse.ts"

/** What the routes need: the platform, and two things made of it once. */
export type ManageDeps = ManagePlatform & {
  findExternal: FindExternal
  signReader(claims: ReaderClaims): Promise<string>
}
