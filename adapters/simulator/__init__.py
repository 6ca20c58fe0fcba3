"""The simulated desk: a broker that speaks the Alpaca API on loopback, and strategies that trade on it.

The broker, from its pure core outwards: `sessions` and `market` (time and prices), `orders`, `account`, `admission` and
`matching` (what orders do), `broker` (all of it together, with `faults` and the `store`), `render`, `trading`,
`marketdata` and `stream` (the API), `wire` (keys, limits and faults in front of it), `control`, `server`.
"""
