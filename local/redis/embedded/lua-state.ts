import { createRequire } from "node:module"
import type * as Fengari from "fengari"
import type { LuaFunction, LuaState } from "fengari"
import type objects from "fengari/src/lobject.js"
import { fromLua, toLua } from "./lua-text.ts"

/**
 * Redis runs Lua 5.1, whose numbers are doubles; fengari is Lua 5.3 with integers of 32 bits, in which a time in
 * milliseconds plus one wraps around in silence. Before the interpreter loads, it is told to print whole floats
 * without ".0", and after that to keep every integer it computes as a float.
 */
process.env.FENGARICONF ??= JSON.stringify({ LUA_COMPAT_FLOATSTRING: true })
const require = createRequire(import.meta.url)
const fengari = require("fengari") as typeof Fengari
export const { lua, lauxlib } = fengari
const { lualib } = fengari
const { TValue } = require("fengari/src/lobject.js") as typeof objects
TValue.prototype.setivalue = TValue.prototype.setfltvalue

/** What Lua 5.1 had and 5.3 has not; what a script must not have; and no globals of a script's own. */
const PRELUDE = `
unpack = table.unpack
loadstring = load
math.pow = function(x, y) return x ^ y end
math.log10 = function(x) return math.log(x, 10) end
table.getn = function(t) return #t end
table.maxn = function(t)
  local most = 0
  for key in pairs(t) do if type(key) == "number" and key > most then most = key end end
  return most
end
local format, truncate = string.format, math.truncate
math.truncate = nil
string.format = function(text, ...)
  if not text:find("%%[-+ #0]*%d*%.?%d*[di]") then return format(text, ...) end
  local args, n = { ... }, 0
  local shaped = text:gsub("%%([-+ #0]*%d*%.?%d*)([%a%%])", function(flags, kind)
    if kind == "%" then return nil end
    n = n + 1
    if kind ~= "d" and kind ~= "i" then return nil end
    args[n] = truncate(args[n])
    return "%" .. flags .. ".0f"
  end)
  return format(shaped, unpack(args, 1, select("#", ...)))
end
for _, name in ipairs({ "dofile", "loadfile", "print", "collectgarbage" }) do _G[name] = nil end
setmetatable(_G, {
  __index = function(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end,
  __newindex = function() error("Attempt to modify a readonly table", 2) end,
})
`

/** A Lua state with what Redis gives a script, except `redis` and `cjson`. */
export const newLuaState = (libraries: Record<string, Record<string, LuaFunction | number>>): LuaState => {
  const L = lauxlib.luaL_newstate()
  lauxlib.luaL_requiref(L, toLua("_G"), lualib.luaopen_base, 1)
  lauxlib.luaL_requiref(L, toLua("math"), lualib.luaopen_math, 1)
  lauxlib.luaL_requiref(L, toLua("string"), lualib.luaopen_string, 1)
  lauxlib.luaL_requiref(L, toLua("table"), lualib.luaopen_table, 1)
  lua.lua_settop(L, 0)
  extend(L, "math", {
    floor: rounding(Math.floor),
    ceil: rounding(Math.ceil),
    truncate: rounding(Math.trunc),
  })
  for (const [name, members] of Object.entries(libraries)) {
    lua.lua_createtable(L, 0, 8)
    lua.lua_setglobal(L, toLua(name))
    extend(L, name, members)
  }
  if (
    lauxlib.luaL_loadbuffer(L, toLua(PRELUDE), null, toLua("=prelude")) !== lua.LUA_OK ||
    lua.lua_pcall(L, 0, 0, 0) !== lua.LUA_OK
  )
    throw new Error(fromLua(lua.lua_tostring(L, -1)))
  return L
}

/** fengari's own would give an integer of 32 bits wherever one fits. */
const rounding =
  (round: (value: number) => number): LuaFunction =>
  (L) => {
    lua.lua_pushnumber(L, round(lauxlib.luaL_checknumber(L, 1)))
    return 1
  }

const extend = (L: LuaState, library: string, members: Record<string, LuaFunction | number>): void => {
  lua.lua_getglobal(L, toLua(library))
  for (const [name, member] of Object.entries(members)) {
    if (typeof member === "number") lua.lua_pushnumber(L, member)
    else lua.lua_pushcfunction(L, member)
    lua.lua_setfield(L, -2, toLua(name))
  }
  lua.lua_pop(L, 1)
}

/** Sets a global from outside, past the guard against globals of a script's own. */
export const setGlobal = (L: LuaState, name: string, push: () => void): void => {
  lua.lua_rawgeti(L, lua.LUA_REGISTRYINDEX, GLOBALS)
  lua.lua_pushstring(L, toLua(name))
  push()
  lua.lua_rawset(L, -3)
  lua.lua_pop(L, 1)
}
/** Where the registry keeps the table of globals (`LUA_RIDX_GLOBALS`). */
const GLOBALS = 2
