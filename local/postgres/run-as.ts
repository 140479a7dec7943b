import { spawnSync } from "node:child_process"

/** PostgreSQL refuses to be root: how to start its programs as somebody it takes. */
export interface RunAs {
  /** Put in front of the command. */
  prefix: readonly string[]
  /** Becomes the owner of the files, or stays who we are. */
  uid: number | null
}

const NOBODY = 65534

/**
 * A plain user needs nothing. Root goes into a user namespace of its own, where it counts as nobody and still
 * owns its files; where namespaces are switched off, it drops to a user without rights.
 */
export const runAs = (): RunAs => {
  if (process.getuid?.() !== 0) return { prefix: [], uid: null }
  const probe = spawnSync("unshare", ["-U", "--", "true"], { stdio: "ignore" })
  return probe.status === 0 ? { prefix: ["unshare", "-U", "--"], uid: null } : { prefix: [], uid: NOBODY }
}
