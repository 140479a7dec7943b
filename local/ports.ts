import { once } from "node:events"
import { createServer } from "node:net"
import { StartError } from "./settings.ts"

/** Throws StartError where a port cannot be had, before anything is started that would have to be stopped. */
export const checkPort = async (variable: string, port: number, host: string): Promise<void> => {
  if (port === 0) return
  const server = createServer().listen(port, host)
  try {
    await once(server, "listening")
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reasons: Record<string, string> = {
      EADDRINUSE: "is taken by another program",
      EACCES: "may not be used by this user",
      EADDRNOTAVAIL: `cannot be had, as ${host} is no address of this machine (HOST)`,
    }
    throw new StartError(
      `${variable}: port ${port} ${reasons[code ?? ""] ?? `cannot be had (${code})`}: choose another with ${variable}=…, or 0 for any`,
      { cause: error },
    )
  }
  const closed = once(server, "close")
  server.close()
  await closed
}
