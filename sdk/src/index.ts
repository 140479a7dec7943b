export { HotswapClient } from "./client.ts"
export { HotswapError } from "./failures.ts"
export type * from "./types.ts"
