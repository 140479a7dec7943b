/** The part of fengari's C-like API that is used here; the package ships no types of its own. */
declare module "fengari" {
  /** A Lua state. */
  export interface LuaState {
    readonly __lua: unique symbol
  }
  /** A Lua string: its bytes. */
  export type LuaString = Uint8Array
  export type LuaFunction = (L: LuaState) => number

  interface Lua {
    LUA_OK: number
    LUA_REGISTRYINDEX: number
    LUA_MASKCOUNT: number
    LUA_TNIL: number
    LUA_TBOOLEAN: number
    LUA_TLIGHTUSERDATA: number
    LUA_TNUMBER: number
    LUA_TSTRING: number
    LUA_TTABLE: number
    lua_checkstack(L: LuaState, slots: number): boolean
    lua_createtable(L: LuaState, arraySize: number, hashSize: number): void
    lua_error(L: LuaState): never
    lua_getfield(L: LuaState, index: number, name: LuaString): number
    lua_getglobal(L: LuaState, name: LuaString): number
    lua_gettop(L: LuaState): number
    lua_next(L: LuaState, index: number): number
    lua_pcall(L: LuaState, args: number, results: number, handler: number): number
    lua_pop(L: LuaState, count: number): void
    lua_pushboolean(L: LuaState, value: boolean): void
    lua_pushcfunction(L: LuaState, run: LuaFunction): void
    lua_pushlightuserdata(L: LuaState, value: unknown): void
    lua_pushnil(L: LuaState): void
    lua_pushnumber(L: LuaState, value: number): void
    lua_pushstring(L: LuaState, text: LuaString): void
    lua_pushvalue(L: LuaState, index: number): void
    lua_rawget(L: LuaState, index: number): number
    lua_rawgeti(L: LuaState, index: number, n: number): number
    lua_rawlen(L: LuaState, index: number): number
    lua_rawset(L: LuaState, index: number): void
    lua_rawseti(L: LuaState, index: number, n: number): void
    lua_sethook(L: LuaState, hook: ((L: LuaState) => void) | null, mask: number, count: number): void
    lua_setfield(L: LuaState, index: number, name: LuaString): void
    lua_setglobal(L: LuaState, name: LuaString): void
    lua_settop(L: LuaState, top: number): void
    lua_toboolean(L: LuaState, index: number): boolean
    lua_tonumber(L: LuaState, index: number): number
    lua_tostring(L: LuaState, index: number): LuaString
    lua_touserdata(L: LuaState, index: number): unknown
    lua_type(L: LuaState, index: number): number
  }
  interface LuaLibrary {
    luaL_checknumber(L: LuaState, index: number): number
    luaL_checkstring(L: LuaState, index: number): LuaString
    luaL_error(L: LuaState, message: LuaString): never
    luaL_loadbuffer(L: LuaState, code: LuaString, size: number | null, name: LuaString): number
    luaL_newstate(): LuaState
    luaL_ref(L: LuaState, table: number): number
    luaL_requiref(L: LuaState, name: LuaString, open: LuaFunction, global: number): void
    luaL_where(L: LuaState, level: number): void
  }
  interface LuaLibraries {
    luaopen_base: LuaFunction
    luaopen_math: LuaFunction
    luaopen_string: LuaFunction
    luaopen_table: LuaFunction
  }
  export const lua: Lua
  export const lauxlib: LuaLibrary
  export const lualib: LuaLibraries
}

declare module "fengari/src/lobject.js" {
  interface LuaValue {
    setivalue(value: number): void
    setfltvalue(value: number): void
  }
  const lobject: { TValue: { prototype: LuaValue } }
  export default lobject
}
