import type { Problem, Who } from "./shapes.ts"

const TOKEN = "hotswap.token"
const LAST = "hotswap.last"

/** The token lives as long as the tab, and nowhere but in it. */
export const keptToken = (): string | null => sessionStorage.getItem(TOKEN)
export const keepToken = (token: string): void => sessionStorage.setItem(TOKEN, token)
export const forgetAll = (): void => sessionStorage.clear()

interface Last {
  tenant: string | null
  environment: string | null
}

/** Which tenant and environment were looked at last in this tab. */
export const lastLookedAt = (): Last => {
  try {
    return {
      tenant: null,
      environment: null,
      ...(JSON.parse(sessionStorage.getItem(LAST) ?? "{}") as Partial<Last>),
    }
  } catch {
    return { tenant: null, environment: null }
  }
}
export const keepLast = (last: Last): void => sessionStorage.setItem(LAST, JSON.stringify(last))

/** Who reads for applications has nothing to look at here. */
export const isForApplications = ({ roles }: Pick<Who, "roles">): boolean =>
  roles.every((role) => role === "reader")

export const READER_PROBLEM: Problem = {
  type: "about:blank",
  title: "This token is for applications",
  status: 403,
  detail: "It reads what is served to them, and may not look at how that came about.",
  code: "CONSOLE_READER",
}
