/**
 * Runs work of one key one at a time. What is asked for while some runs becomes one run after it, however many ask:
 * so nobody's run began before they asked.
 */
export const createTrailing = <Result>() => {
  const flights = new Map<string, { running: Promise<Result>; next: Promise<Result> | null }>()

  const start = (key: string, work: () => Promise<Result>): Promise<Result> => {
    const flight = { running: work(), next: null as Promise<Result> | null }
    flights.set(key, flight)
    const over = () => {
      if (flight.next === null) flights.delete(key)
    }
    flight.running.then(over, over)
    return flight.running
  }

  return (key: string, work: () => Promise<Result>): Promise<Result> => {
    const flight = flights.get(key)
    if (!flight) return start(key, work)
    const begin = () => start(key, work)
    flight.next ??= flight.running.then(begin, begin)
    return flight.next
  }
}
