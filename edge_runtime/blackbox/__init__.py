"""The black box: the last minute of a pipeline in one file, and its replay on another machine.

A recording is a zip file without compression:

    manifest.json       what it is, the settings in force, the machine, and size and SHA-256 of each part
    results.jsonl       a line for each result, as the output FILE.jsonl writes it
    frames.jsonl        a line for each result: where its picture is, hashes, boxes before tracking, settings
    log.jsonl           faults, changes of state, warnings
    status.jsonl        a line a second: states, drops, watts, clocks, temperatures
    streams/0-1.mkv     encoded pictures of a stream, from one beginning to the next; streams/0-1.json has their times
    pixels/N.bin        pixels of a frame that has no encoded picture, plane after plane
    outputs/N.npz       outputs of the network for some frames
"""
