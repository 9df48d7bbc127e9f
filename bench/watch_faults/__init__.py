"""Breaks a running Cutline under hundreds of watchers and counts what they were not told, or told twice.

traffic   designs that change all the time: progress, ends and deletions
hearing   what one watcher was told, in the order it was told
watchers  watchers of the SDK, and watchers on the bare stub, which see what the SDK would hide
faults    what is broken
rounds    one fault under traffic and watchers, to the end of every design
findings  the accounts afterwards, from the store and from what was heard
"""
