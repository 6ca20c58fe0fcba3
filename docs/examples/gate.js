#!/usr/bin/env node
// Asks Andon's gate before an order, from JavaScript. Plain node, no packages.
//
//   node gate.js FOLDER VENUE STRATEGY SYMBOL
//
// prints `STATE SIZE_FACTOR RATE_FACTOR why` and exits with 0 where a position may be opened (OPEN, REDUCED: multiply
// size and rate by the factors), 3 for CLOSE_ONLY, 1 for HALTED, 2 for wrong usage. A bot requires it instead:
//
//   const { ask } = require("./gate.js");
//   const answer = await ask(folder, { venue, strategy, symbol });     // never rejects, takes a second at most
//
// Whatever can not be read within a second, is absent, stale, of an earlier boot or makes no sense is HALTED.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const PATIENCE_MS = 1000;
const LEASE_NS = 5e9;
const RANK = { __proto__: null, OPEN: 0, REDUCED: 1, CLOSE_ONLY: 2, HALTED: 3 };
const LEVELS = { __proto__: null, L1: "CLOSE_ONLY", L2: "CLOSE_ONLY", L3: "HALTED", L4: "HALTED" };

const halted = (because) => ({ state: "HALTED", sizeFactor: "0", rateFactor: "0", because });

async function ask(folder, order) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, halted("the gate could not be read within 1 s"));
  });
  try {
    return await Promise.race([late, look(folder, order)]);
  } catch (error) {
    return halted(`the gate can not be read: ${error.message}`);
  } finally {
    clearTimeout(timer);
  }
}

async function look(folder, order) {
  const latch = await bytes(path.join(folder, "cord.latch")); // the latch first: no writer of gate.json can clear it
  const gate = await bytes(path.join(folder, "gate.json"));
  const boot = (await fs.promises.readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  const uptime = await fs.promises.readFile("/proc/uptime", "utf8"); // CLOCK_BOOTTIME in seconds
  return decide(latch, gate, boot, Number(uptime.split(" ")[0]) * 1e9, order);
}

async function bytes(file) {
  try {
    return await fs.promises.readFile(file);
  } catch (error) {
    if (error.code === "ENOENT") return null; // only a file that is not there is absent
    throw error;
  }
}

/** The rules, on the files' bytes (null: absent), this boot's id and CLOCK_BOOTTIME in ns. */
function decide(latch, gate, boot, now, order) {
  if (gate === null) return halted("there is no gate.json");
  let answer;
  try {
    const told = json(gate);
    if (told.lease.boot_id !== boot) return halted("gate.json is of an earlier boot");
    const expires = told.lease.expires;
    if (typeof expires !== "number" || !(now <= expires && expires <= now + 2 * LEASE_NS)) {
      return halted("gate.json is stale: the guard no longer renews it");
    }
    answer = {
      state: known(told.state),
      sizeFactor: share(told.size_factor),
      rateFactor: share(told.rate_factor),
      because: String(told.because ?? ""),
    };
    if (typeof told.scopes !== "object" || told.scopes === null || Array.isArray(told.scopes)) throw new Error("no scopes");
    for (const [scope, state] of Object.entries(told.scopes)) {
      answer = stricter(answer, known(state), scope, order, `gate ${scope}`);
    }
  } catch (error) {
    return halted(`gate.json can not be read: ${error.message}`);
  }
  if (latch === null) return answer;
  try {
    const text = utf8(latch);
    const pulls = (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n").map((line) => JSON.parse(line));
    for (const pull of pulls) {
      const state = LEVELS[pull.level];
      if (state === undefined) throw new Error(`unknown level ${pull.level}`);
      answer = stricter(answer, state, pull.scope, order, `${pull.level} ${pull.scope} by ${pull.actor ?? "?"}`);
    }
  } catch (error) {
    return halted(`the latch can not be read: ${error.message}`);
  }
  return answer;
}

const utf8 = (data) => new TextDecoder("utf-8", { fatal: true }).decode(data);
const json = (data) => JSON.parse(utf8(data));

function known(state) {
  if (typeof state !== "string" || RANK[state] === undefined) throw new Error(`unknown state ${state}`);
  return state;
}

function share(text) {
  if (typeof text !== "string" || !/^[0-9.]+$/.test(text) || !(Number(text) >= 0 && Number(text) <= 1)) {
    throw new Error(`${text} is not a share from 0 to 1`);
  }
  return text;
}

function stricter(answer, state, scope, order, because) {
  const tighter = touches(scope, order) && RANK[state] > RANK[answer.state];
  return tighter ? { state, sizeFactor: "0", rateFactor: "0", because } : answer;
}

/** Scopes are `desk`, `venue:a,b`, `strategy:a` and `symbol:A,B`. Anything else is an error. */
function touches(scope, order) {
  if (scope === "desk" || scope === "all") return true;
  const colon = String(scope).indexOf(":");
  const kind = colon < 0 ? "" : scope.slice(0, colon);
  const names = colon < 0 ? [] : scope.slice(colon + 1).split(",").map((name) => name.trim()).filter(Boolean);
  if (!["venue", "strategy", "symbol"].includes(kind) || names.length === 0) throw new Error(`unknown scope ${scope}`);
  if (kind === "symbol") return names.map(normal).includes(normal(order.symbol));
  return names.includes(order[kind]);
}

/** `BTC/USD` and `BTCUSD` name one thing. */
const normal = (symbol) => symbol.replaceAll("/", "").trim().toUpperCase();

module.exports = { ask, decide };

if (require.main === module) {
  const [folder, venue, strategy, symbol, ...more] = process.argv.slice(2);
  if (symbol === undefined || more.length > 0) {
    console.error("usage: gate.js FOLDER VENUE STRATEGY SYMBOL");
    process.exit(2);
  }
  ask(folder, { venue, strategy, symbol }).then((answer) => {
    fs.writeSync(1, `${answer.state} ${answer.sizeFactor} ${answer.rateFactor} ${answer.because}\n`);
    const code = { OPEN: 0, REDUCED: 0, CLOSE_ONLY: 3 }[answer.state] ?? 1;
    // At its end node waits for a read that is stuck; SIGKILL waits for nothing, and is no 0 either.
    if (answer.because.startsWith("the gate could not be read within")) process.kill(process.pid, "SIGKILL");
    process.exit(code);
  });
}
