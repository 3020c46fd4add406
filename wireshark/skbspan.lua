-- Typed fields out of the comments that skbspan writes (docs/wireshark.md), for filters, columns and colours:
--
--   skbspan.drop_reason == "NETFILTER_DROP"      skbspan.duration > 1000000      skbspan.func == "ip_forward"
--
-- Put it into Wireshark's folder of personal Lua plugins (Help > About > Folders), or start with -X lua_script:skbspan.lua.
-- The fields are fixed, so a filter or a column with them is valid in any file. Wireshark 4.0 (Lua 5.2) to 4.4 (Lua 5.4).

local skbspan = Proto("skbspan", "skbspan: the packet's path through the kernel")
local comment_field = Field.new("frame.comment")
local fields = skbspan.fields

local function add(name, kind, label, base)
  fields[name] = ProtoField[kind]("skbspan." .. name, label, base)
end

add("path", "string", "Path: function after function")
add("func", "string", "Function")
add("call", "string", "Call")
add("duration", "uint64", "Duration in ns", base.DEC)
add("call_duration", "uint64", "Duration of a call in ns", base.DEC)
add("drop_reason", "string", "Drop reason")
add("program", "string", "Dropped by program")
add("verdict", "string", "Verdict of a program")
add("outcome", "string", "What became of it")
add("rule", "string", "Rule of nftables that dropped it")
add("how", "string", "End")
add("location", "string", "Freed or dropped at")
add("netns", "string", "Network namespace")
add("dev", "string", "Device")
add("task", "string", "Task")
add("pid", "uint32", "Process", base.DEC)
add("tid", "uint32", "Thread", base.DEC)
add("cpu", "uint32", "CPU", base.DEC)
add("life", "uint64", "Life", base.DEC)
add("id", "uint64", "Packet", base.DEC)
add("trace", "string", "OpenTelemetry trace id")
add("seq", "uint32", "Sequence number in its life", base.DEC)
add("depth", "uint32", "Depth", base.DEC)
add("calls", "uint32", "Calls", base.DEC)
add("lives", "uint32", "Lives", base.DEC)
add("link", "string", "Made by")
add("mark", "uint32", "Mark", base.HEX)
add("was", "string", "Renamed: addresses that the packet had")
add("losses", "uint32", "Missing parts", base.DEC)
add("direction", "string", "Direction")

local function utf8_of(code)
  if code < 0x80 then return string.char(code) end
  if code < 0x800 then return string.char(0xc0 + math.floor(code / 64), 0x80 + code % 64) end
  return string.char(0xe0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
end

-- Values are ASCII without spaces; other characters stand as %XX or %uXXXX.
local function decode(word)
  if not word:find("%%") then return word end
  word = word:gsub("%%u(%x%x%x%x)", function(hex) return utf8_of(tonumber(hex, 16)) end)
  return (word:gsub("%%(%x%x)", function(hex) return utf8_of(tonumber(hex, 16)) end))
end

local function words_of(comment)
  local words = {}
  for key, value in comment:gmatch(" ([%w_]+)=([^ \n]*)") do
    if words[key] == nil then words[key] = value end
  end
  return words
end

-- `20300ns` as UInt64; nil if it is no number.
local function nanoseconds(word)
  local digits = word and word:match("^(%d+)ns$")
  return digits and UInt64.new(tonumber(digits) % 4294967296, math.floor(tonumber(digits) / 4294967296))
end

local function number(word)
  return word and tonumber(word)
end

local function text(tree, name, value)
  if value ~= nil and value ~= "" then tree:add(fields[name], decode(value)) end
end

local function integer(tree, name, value)
  value = number(value)
  if value ~= nil then tree:add(fields[name], value) end
end

local function big(tree, name, value)
  value = number(value)
  if value ~= nil then
    tree:add(fields[name], UInt64.new(value % 4294967296, math.floor(value / 4294967296)))
  end
end

-- Each name of a list `a,b` by itself.
local function list(tree, name, value)
  if value == nil then return end
  for each in value:gmatch("[^,]+") do text(tree, name, each) end
end

local function add_common(tree, words)
  list(tree, "netns", words.netns)
  list(tree, "dev", words.dev)
  text(tree, "task", words.task)
  integer(tree, "pid", words.pid)
  integer(tree, "tid", words.tid)
  text(tree, "trace", words.trace)
end

local function add_end(tree, words)
  text(tree, "how", words.how)
  text(tree, "drop_reason", words.reason)
  text(tree, "outcome", words.outcome)
  text(tree, "rule", words.rule)
  text(tree, "location", words.loc)
  text(tree, "program", words.program)
end

local kinds = {}

-- A whole path: in path mode with calls, in hop mode beside its first record.
function kinds.path(tree, words)
  list(tree, "verdict", words.verdicts)
  big(tree, "id", words.id)
  local duration = nanoseconds(words.dur)
  if duration then tree:add(fields.duration, duration) end
  big(tree, "life", words.life)
  integer(tree, "calls", words.calls)
  integer(tree, "lives", words.lives)
  list(tree, "link", words.links)
  text(tree, "direction", words.dir)
  if words.mark then
    for mark in words.mark:gmatch("[^,]+") do integer(tree, "mark", mark) end
  end
  list(tree, "was", words.was)
  integer(tree, "losses", words.losses)
  add_common(tree, words)
  add_end(tree, words)
end

-- A record of hop mode: one call.
function kinds.call(tree, words)
  text(tree, "func", words.func)
  text(tree, "verdict", words.verdict)
  local duration = nanoseconds(words.dur)
  if duration then tree:add(fields.call_duration, duration) end
  integer(tree, "cpu", words.cpu)
  integer(tree, "depth", words.depth)
  integer(tree, "seq", words.seq)
  integer(tree, "mark", words.mark)
  big(tree, "life", words.life)
  add_common(tree, words)
end

kinds["end"] = function(tree, words)
  big(tree, "life", words.life)
  text(tree, "trace", words.trace)
  add_end(tree, words)
end

function kinds.packet(tree, words)
  big(tree, "life", words.life)
  integer(tree, "seq", words.seq)
  add_common(tree, words)
end

function kinds.life(tree, words)
  local operation = words.from and words.from:match("/(%a+)$")
  text(tree, "link", operation)
end

-- The list of calls of path mode: a line each.
local function add_calls(tree, comment)
  local names = {}
  for line in comment:gmatch("\n([^\n]+)") do
    local func, rest = line:match("^ *(%S+) (.*at=%d+ns.*)$")
    if func then
      names[#names + 1] = decode(func)
      local item = tree:add(fields.call, decode(line))
      item:add(fields.func, decode(func))
      local duration = nanoseconds((" " .. rest):match(" dur=(%d+ns)"))
      if duration then item:add(fields.call_duration, duration) end
    end
  end
  if #names > 0 then tree:add(fields.path, table.concat(names, " > ")) end
end

function skbspan.dissector(_, _, root)
  local comments = { comment_field() }
  local tree = nil
  for _, info in ipairs(comments) do
    local comment = tostring(info.value)
    local kind = comment:match("^(%a+) %a[%w_]*=")
    if kind and kinds[kind] and (comment:find(" trace=", 1, true) or kind == "path" or kind == "life") then
      tree = tree or root:add(skbspan)
      kinds[kind](tree, words_of(comment))
    elseif comment:sub(1, 6) == "calls\n" then
      tree = tree or root:add(skbspan)
      add_calls(tree, comment)
    end
  end
end

register_postdissector(skbspan)
