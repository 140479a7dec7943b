import type { LuaState } from "fengari"
import { RedisFault, type Reply, Status } from "../reply.ts"
import { lua } from "./lua-state.ts"
import { fromLua, toLua } from "./lua-text.ts"
import { formatScore } from "./text.ts"

const ERR = toLua("err")
const OK_FIELD = toLua("ok")

/** A reply of a command as a script sees it (https://redis.io/docs/latest/develop/programmability/lua-api). */
export const pushReply = (L: LuaState, reply: Reply): void => {
  if (typeof reply === "string") lua.lua_pushstring(L, toLua(reply))
  else if (typeof reply === "number") lua.lua_pushnumber(L, reply)
  else if (reply === null) lua.lua_pushboolean(L, false)
  else if (reply instanceof Status) pushField(L, OK_FIELD, reply.text)
  else {
    lua.lua_checkstack(L, 4)
    lua.lua_createtable(L, reply.length, 0)
    reply.forEach((element, i) => {
      pushReply(L, element)
      lua.lua_rawseti(L, -2, i + 1)
    })
  }
}

export const pushField = (L: LuaState, name: Uint8Array, text: string): void => {
  lua.lua_createtable(L, 0, 1)
  lua.lua_pushstring(L, toLua(text))
  lua.lua_setfield(L, -2, name)
}

export const pushError = (L: LuaState, text: string): void => pushField(L, ERR, text)

export const pushTexts = (L: LuaState, texts: readonly string[]): void => {
  lua.lua_createtable(L, texts.length, 0)
  texts.forEach((text, i) => {
    lua.lua_pushstring(L, toLua(text))
    lua.lua_rawseti(L, -2, i + 1)
  })
}

/** What a script gave back, as a reply: numbers lose their fraction, a table ends at its first nil. */
export const popReply = (L: LuaState): Reply => {
  const reply = replyAt(L)
  lua.lua_pop(L, 1)
  return reply
}

const replyAt = (L: LuaState): Reply => {
  switch (lua.lua_type(L, -1)) {
    case lua.LUA_TSTRING:
      return fromLua(lua.lua_tostring(L, -1))
    case lua.LUA_TNUMBER:
      return Math.trunc(lua.lua_tonumber(L, -1))
    case lua.LUA_TBOOLEAN:
      return lua.lua_toboolean(L, -1) ? 1 : null
    case lua.LUA_TTABLE:
      return tableReply(L)
    default:
      return null
  }
}

const tableReply = (L: LuaState): Reply => {
  lua.lua_checkstack(L, 4)
  const error = fieldText(L, ERR)
  if (error !== null) throw new RedisFault(error)
  const status = fieldText(L, OK_FIELD)
  if (status !== null) return new Status(status)
  const elements: Reply[] = []
  for (let i = 1; ; i++) {
    lua.lua_rawgeti(L, -1, i)
    if (lua.lua_type(L, -1) === lua.LUA_TNIL) break
    elements.push(popReply(L))
  }
  lua.lua_pop(L, 1)
  return elements
}

/** The text of a field of the table on top of the stack, or `null`. */
const fieldText = (L: LuaState, name: Uint8Array): string | null => {
  lua.lua_pushstring(L, name)
  lua.lua_rawget(L, -2)
  const text = lua.lua_type(L, -1) === lua.LUA_TSTRING ? fromLua(lua.lua_tostring(L, -1)) : null
  lua.lua_pop(L, 1)
  return text
}

/** The error on top of the stack, raised by `error(…)`, by Lua or by a command. */
export const popError = (L: LuaState): string => {
  let text: string
  if (lua.lua_type(L, -1) === lua.LUA_TTABLE) text = fieldText(L, ERR) ?? "ERR unknown error"
  else if (lua.lua_type(L, -1) === lua.LUA_TSTRING) text = `ERR ${fromLua(lua.lua_tostring(L, -1))}`
  else text = "ERR unknown error"
  lua.lua_pop(L, 1)
  return text
}

/** The arguments of `redis.call`, as words; `null` where one is neither a string nor a number. */
export const argumentsOf = (L: LuaState): string[] | null => {
  const count = lua.lua_gettop(L)
  const words: string[] = []
  for (let i = 1; i <= count; i++) {
    const type = lua.lua_type(L, i)
    if (type === lua.LUA_TNUMBER) words.push(formatScore(lua.lua_tonumber(L, i)))
    else if (type === lua.LUA_TSTRING) words.push(fromLua(lua.lua_tostring(L, i)))
    else return null
  }
  return words
}
