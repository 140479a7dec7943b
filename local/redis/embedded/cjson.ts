import type { LuaState } from "fengari"
import { lauxlib, lua } from "./lua-state.ts"
import { fromLua, toLua } from "./lua-text.ts"

/** `cjson.encode` and `cjson.decode`, as scripts know them from Redis; `cjson.null` stands for JSON's null. */

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** lua-cjson's own limit. */
const MAX_DEPTH = 1_000
const SIGNIFICANT_DIGITS = 14

export const decode = (L: LuaState): number => {
  let value: Json
  try {
    value = JSON.parse(fromLua(lauxlib.luaL_checkstring(L, 1))) as Json
  } catch {
    return lauxlib.luaL_error(L, toLua("Expected value but found invalid token at character 1"))
  }
  pushJson(L, value, 0)
  return 1
}

export const encode = (L: LuaState): number => {
  lua.lua_settop(L, 1)
  lua.lua_pushstring(L, toLua(jsonAt(L, 0)))
  return 1
}

export const pushNull = (L: LuaState): void => lua.lua_pushlightuserdata(L, null)

const pushJson = (L: LuaState, value: Json, depth: number): void => {
  if (depth > MAX_DEPTH) lauxlib.luaL_error(L, toLua("Found too many nested data structures (1001)"))
  lua.lua_checkstack(L, 4)
  if (value === null) pushNull(L)
  else if (typeof value === "boolean") lua.lua_pushboolean(L, value)
  else if (typeof value === "number") lua.lua_pushnumber(L, value)
  else if (typeof value === "string") lua.lua_pushstring(L, toLua(value))
  else {
    lua.lua_createtable(L, 0, 0)
    if (Array.isArray(value))
      value.forEach((element, i) => {
        pushJson(L, element, depth + 1)
        lua.lua_rawseti(L, -2, i + 1)
      })
    else
      for (const [name, member] of Object.entries(value)) {
        lua.lua_pushstring(L, toLua(name))
        pushJson(L, member, depth + 1)
        lua.lua_rawset(L, -3)
      }
  }
}

const jsonAt = (L: LuaState, depth: number): string => {
  if (depth > MAX_DEPTH) lauxlib.luaL_error(L, toLua(`Cannot serialise, excessive depth (${MAX_DEPTH + 1})`))
  switch (lua.lua_type(L, -1)) {
    case lua.LUA_TNIL:
    case lua.LUA_TLIGHTUSERDATA:
      return "null"
    case lua.LUA_TBOOLEAN:
      return String(lua.lua_toboolean(L, -1))
    case lua.LUA_TNUMBER:
      return jsonNumber(L, lua.lua_tonumber(L, -1))
    case lua.LUA_TSTRING:
      return jsonString(fromLua(lua.lua_tostring(L, -1)))
    case lua.LUA_TTABLE:
      return jsonTable(L, depth)
    default:
      return lauxlib.luaL_error(L, toLua("Cannot serialise: type not supported"))
  }
}

const jsonNumber = (L: LuaState, value: number): string => {
  if (!Number.isFinite(value)) lauxlib.luaL_error(L, toLua("Cannot serialise number: must not be NaN or Inf"))
  return String(Number(value.toPrecision(SIGNIFICANT_DIGITS)))
}

/** lua-cjson escapes the slash and DEL, which JSON need not. */
const jsonString = (text: string): string =>
  JSON.stringify(text).replaceAll("/", "\\/").replaceAll("\u007f", "\\u007f")

/** An array when every key is a positive whole number and there is one; else an object. */
const jsonTable = (L: LuaState, depth: number): string => {
  lua.lua_checkstack(L, 4)
  const members: [key: string | number, text: string][] = []
  let length = 0
  let array = true
  lua.lua_pushnil(L)
  while (lua.lua_next(L, -2)) {
    const text = jsonAt(L, depth + 1)
    const key =
      lua.lua_type(L, -2) === lua.LUA_TNUMBER
        ? lua.lua_tonumber(L, -2)
        : lua.lua_type(L, -2) === lua.LUA_TSTRING
          ? fromLua(lua.lua_tostring(L, -2))
          : lauxlib.luaL_error(L, toLua("Cannot serialise table: table key must be a number or string"))
    if (typeof key === "number" && Number.isInteger(key) && key > 0) length = Math.max(length, key)
    else array = false
    members.push([key, text])
    lua.lua_pop(L, 1)
  }
  if (!array || members.length === 0)
    return `{${members.map(([key, text]) => `${jsonString(String(key))}:${text}`).join(",")}}`
  if (length > 10 && length > members.length * 2)
    lauxlib.luaL_error(L, toLua("Cannot serialise table: excessively sparse array"))
  const elements = new Array<string>(length).fill("null")
  for (const [key, text] of members) elements[(key as number) - 1] = text
  return `[${elements.join(",")}]`
}
