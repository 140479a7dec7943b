import { v7 } from "uuid"

/** Where new ids come from: UUIDv7, so that they sort by time. */
export interface Ids {
  uuid(): string
}

export const systemIds: Ids = { uuid: () => v7() }
