const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/**
 * Origins of web pages, with commas between: each as a browser sends it, so that comparing is all there is to do. No
 * wildcard, no `null`, and https unless it is this machine's. Throws with one actionable line.
 */
export const parseWebOrigins = (list: string): readonly string[] =>
  list.split(",").map((one) => {
    const origin = one.trim()
    const url = URL.parse(origin)
    const isSafe = url?.protocol === "https:" || (url?.protocol === "http:" && LOOPBACK.test(url.hostname))
    if (url?.origin !== origin || !isSafe || origin.includes("*"))
      throw new Error("is not a list of origins like https://console.example.com,https://host:8443")
    return origin
  })
