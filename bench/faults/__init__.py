"""Breaks a running Cutline on purpose and counts what was lost, what was done twice and how long recovery took.

farm        the real servers and services, more than one of each, every process within reach of a signal
gate        stands before the object store and makes it answer errors, or nothing
orders      artwork that says what shall happen to the worker that takes it
plain_work  the workers' slots without pixels: they follow the order and make small files
load        clients that submit and remember
faults      what can be broken, each with its recovery
ledger      the accounts afterwards, from the database and the streams
polling     waits for what nobody signals

cluster         a broker of three nodes, under 200 submits a second: `python -m bench.faults.cluster`
cluster_faults  what can happen to it
rush            submits at a fixed rate, each answer timed
"""
