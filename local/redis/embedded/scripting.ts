import { createHash } from "node:crypto"
import type { LuaFunction, LuaState } from "fengari"
import { OK, RedisFault, type Reply } from "../reply.ts"
import * as cjson from "./cjson.ts"
import { lauxlib, lua, newLuaState, setGlobal } from "./lua-state.ts"
import { fromLua, toLua } from "./lua-text.ts"
import { argumentsOf, popError, popReply, pushError, pushField, pushReply, pushTexts } from "./lua-values.ts"
import { parseCount } from "./text.ts"

/** A script that runs longer is ended: it holds up the whole process. */
const SCRIPT_DEADLINE_MS = 5_000
const INSTRUCTIONS_BETWEEN_CHECKS = 1_000_000
const CHUNK_NAME = toLua("@user_script")

const sha1 = (text: string | Uint8Array): string => createHash("sha1").update(text).digest("hex")

/** EVAL, EVALSHA and SCRIPT. Scripts run to their end before anything else does, so they are atomic. */
export class Scripts {
  readonly #run: (words: readonly string[]) => Reply
  readonly #functions = new Map<string, number>()
  readonly #state: LuaState
  #endsAtMs = 0

  /** `run` runs a command for a script and throws a `RedisFault` where it fails. */
  constructor(run: (words: readonly string[]) => Reply) {
    this.#run = run
    this.#state = newLuaState({
      redis: {
        call: (L) => this.#command(L, true),
        pcall: (L) => this.#command(L, false),
        error_reply: (L) => replyTable(L, pushError),
        status_reply: (L) => replyTable(L, (state, text) => pushField(state, toLua("ok"), text)),
        sha1hex: (L) => {
          lua.lua_pushstring(L, toLua(sha1(lauxlib.luaL_checkstring(L, 1))))
          return 1
        },
        log: () => 0,
        replicate_commands: (L) => {
          lua.lua_pushboolean(L, true)
          return 1
        },
        LOG_DEBUG: 0,
        LOG_VERBOSE: 1,
        LOG_NOTICE: 2,
        LOG_WARNING: 3,
      },
      cjson: { encode: guarded(cjson.encode), decode: guarded(cjson.decode) },
    })
    const L = this.#state
    lua.lua_getglobal(L, toLua("cjson"))
    cjson.pushNull(L)
    lua.lua_setfield(L, -2, toLua("null"))
    lua.lua_pop(L, 1)
    lua.lua_sethook(L, () => this.#checkTime(), lua.LUA_MASKCOUNT, INSTRUCTIONS_BETWEEN_CHECKS)
  }

  evaluate([source, keyCount, ...args]: readonly string[]): Reply {
    const { keys, rest } = splitKeys(keyCount!, args)
    return this.#call(this.load(source!), keys, rest)
  }

  evaluateKnown([sha, keyCount, ...args]: readonly string[]): Reply {
    const { keys, rest } = splitKeys(keyCount!, args)
    const known = sha!.toLowerCase()
    if (!this.#functions.has(known)) throw new RedisFault("NOSCRIPT No matching script. Please use EVAL.")
    return this.#call(known, keys, rest)
  }

  script([subcommand, ...args]: readonly string[]): Reply {
    switch (subcommand!.toLowerCase()) {
      case "load":
        if (args.length !== 1) break
        return this.load(args[0]!)
      case "exists":
        if (args.length === 0) break
        return args.map((sha) => (this.#functions.has(sha.toLowerCase()) ? 1 : 0))
      case "flush":
        this.#functions.clear()
        return OK
      default:
        throw new RedisFault(`ERR unknown subcommand '${subcommand}'. Try SCRIPT HELP.`)
    }
    throw new RedisFault(`ERR wrong number of arguments for 'script|${subcommand!.toLowerCase()}' command`)
  }

  /** Compiles a script unless it is known, and gives its SHA-1. */
  load(source: string): string {
    const sha = sha1(source)
    if (this.#functions.has(sha)) return sha
    const L = this.#state
    if (lauxlib.luaL_loadbuffer(L, toLua(source), null, CHUNK_NAME) !== lua.LUA_OK) {
      const reason = fromLua(lua.lua_tostring(L, -1))
      lua.lua_pop(L, 1)
      throw new RedisFault(`ERR Error compiling script (new function): ${reason}`)
    }
    this.#functions.set(sha, lauxlib.luaL_ref(L, lua.LUA_REGISTRYINDEX))
    return sha
  }

  #call(sha: string, keys: readonly string[], args: readonly string[]): Reply {
    const L = this.#state
    setGlobal(L, "KEYS", () => pushTexts(L, keys))
    setGlobal(L, "ARGV", () => pushTexts(L, args))
    lua.lua_rawgeti(L, lua.LUA_REGISTRYINDEX, this.#functions.get(sha)!)
    this.#endsAtMs = performance.now() + SCRIPT_DEADLINE_MS
    try {
      if (lua.lua_pcall(L, 0, 1, 0) === lua.LUA_OK) return popReply(L)
      throw new RedisFault(`${popError(L)} script: ${sha}, on @user_script:1.`)
    } finally {
      lua.lua_settop(L, 0)
    }
  }

  #command(L: LuaState, raises: boolean): number {
    try {
      const words = argumentsOf(L)
      if (words === null)
        throw new RedisFault("ERR Lua redis lib command arguments must be strings or integers")
      if (words.length === 0)
        throw new RedisFault("ERR Please specify at least one argument for this redis lib call")
      pushReply(L, this.#run(words))
      return 1
    } catch (error) {
      if (!(error instanceof RedisFault)) throw error
      pushError(L, error.message)
    }
    return raises ? lua.lua_error(L) : 1
  }

  #checkTime(): void {
    if (performance.now() > this.#endsAtMs)
      lauxlib.luaL_error(
        this.#state,
        toLua(`Script ran for more than ${SCRIPT_DEADLINE_MS} ms and was ended`),
      )
  }
}

const splitKeys = (
  count: string,
  args: readonly string[],
): { keys: readonly string[]; rest: readonly string[] } => {
  const keys = parseCount(count)
  if (keys > args.length) throw new RedisFault("ERR Number of keys can't be greater than number of args")
  if (keys < 0) throw new RedisFault("ERR Number of keys can't be negative")
  return { keys: args.slice(0, keys), rest: args.slice(keys) }
}

const replyTable = (L: LuaState, push: (L: LuaState, text: string) => void): number => {
  const text = fromLua(lauxlib.luaL_checkstring(L, 1))
  push(L, push === pushError ? withCode(text) : text)
  return 1
}
/** Every error of Redis begins with a code; one word alone is no code. */
const withCode = (text: string): string => {
  const bare = text.startsWith("-") ? text.slice(1) : text
  return bare.includes(" ") ? bare : `ERR ${bare}`
}

/** Keeps a library function's own stack from growing into its caller's when it fails half way. */
const guarded =
  (run: LuaFunction): LuaFunction =>
  (L) => {
    lua.lua_checkstack(L, 8)
    return run(L)
  }
