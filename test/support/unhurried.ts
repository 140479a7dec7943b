import { LIMITS_MS } from "../../functions/http/deadline.ts"

// What a request may take is promised where it has a processor to itself, and proven in test/faults/deadlines.test.ts. Here
// many files share few: none is to fail because others had their turn.
Object.assign(LIMITS_MS, { read: 20_000, write: 20_000 })
