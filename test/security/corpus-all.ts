import { BODY_CASES } from "./attacks-body.ts"
import { EDGE_CASES } from "./attacks-edge.ts"
import { MEMBER_CASES } from "./attacks-members.ts"
import { OUTBOUND_CASES } from "./attacks-outbound.ts"
import { PLACE_CASES } from "./attacks-place.ts"
import { PROTOTYPE_CASES } from "./attacks-prototype.ts"
import { SCHEMA_CASES } from "./attacks-schema.ts"
import { TAG_CASES } from "./attacks-tags.ts"
import { WIRE_CASES } from "./attacks-wire.ts"
import { WORD_CASES } from "./attacks-words.ts"
import type { Case } from "./corpus.ts"

/** What is shown by every case of a family coming to nothing. */
export const PROVED: Readonly<Record<string, string>> = {
  JSON: "A body has one reading, and what is kept is what was sent, or nothing is.",
  "Size and coding":
    "Bytes are counted as they come; nothing is unpacked, and no claim about a length is believed.",
  "Mass assignment":
    "What the service writes by itself nobody writes for it; what has no place is refused, not passed over.",
  "Prototype pollution": "A name is only a name: none of them reaches an object's prototype, or is lost.",
  "JSON Schema": "A tenant's schema reaches nothing outside itself, and costs a bounded amount of work.",
  "Server-side requests":
    "What a tenant names is called only at public addresses, over TLS, at the very address that was judged.",
  Paths: "However a path is spelt, it leads to what its reader may see, or nowhere.",
  "Host and method": "What a request does and where is said by its request line, and by nothing else.",
  "Request smuggling": "Where a request ends is beyond doubt, or the connection is.",
  Cache:
    "Nothing a reader writes reaches what another is given, and nobody is given it without being judged.",
  Answers: "A browser that comes upon an answer runs, frames, guesses and keeps nothing.",
  "Response splitting": "What is repeated of a request stays data.",
  "Words in messages": "What people write to each other through the service is words, wherever it is shown.",
  Log: "Nobody writes a line of the log but the service.",
  Cursors: "Whoever writes a cursor of their own gains nothing by it.",
  "Idempotency and versions":
    "A key repeats one's own request only, and a version is one that was given out.",
  "Other origins": "No web page but those of the origins that are named is let near an answer.",
  Alarms: "Only what Amazon SNS has signed, lately and for this topic, is believed without a token.",
}

export const CASES: readonly Case[] = [
  ...BODY_CASES,
  ...MEMBER_CASES,
  ...PROTOTYPE_CASES,
  ...SCHEMA_CASES,
  ...OUTBOUND_CASES,
  ...PLACE_CASES,
  ...WIRE_CASES,
  ...EDGE_CASES,
  ...WORD_CASES,
  ...TAG_CASES,
]
