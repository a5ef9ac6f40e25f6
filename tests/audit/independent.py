"""Checks a mirror of an audit log and an export of it from the specifications alone (RFC 9162, RFC 2104, C2SP signed-note,
tlog-checkpoint, tlog-tiles, tlog-cosignature), with hashlib and the openssl command: it shares no code with Cloister.

    independent.py MIRROR EXPORT KEY...

Prints one line of JSON, or ends with 1 and says what is wrong.
"""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import tempfile

WIDTH = 256
PEM_PREFIX = bytes.fromhex("302a300506032b6570032100")


def fail(why):
    print(why, file=sys.stderr)
    sys.exit(1)


def sha256(data):
    return hashlib.sha256(data).digest()


def ed25519(public, message, signature):
    """openssl pkeyutl -verify -rawin"""
    with tempfile.TemporaryDirectory() as folder:
        names = {name: os.path.join(folder, name) for name in ("key", "message", "signature")}
        for name, data in (("key", PEM_PREFIX + public), ("message", message), ("signature", signature)):
            with open(names[name], "wb") as file:
                file.write(data)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", names["key"], "-rawin"]
        command += ["-in", names["message"], "-sigfile", names["signature"]]
        return subprocess.run(command, capture_output=True).returncode == 0


def parse_key(text):
    name, key_id, data = text.split("+", 2)
    data = base64.b64decode(data, validate=True)
    if hashlib.sha256(name.encode() + b"\n" + data).hexdigest()[:8] != key_id:
        fail("the id of a key is not that of its bytes")
    return name, key_id, data[0], data[1:]


def open_note(note, keys):
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    signers = []
    for line in signatures.splitlines():
        dash, name, data = line.split(" ")
        if dash != "\u2014":
            fail("a signature line does not begin with a dash")
        data = base64.b64decode(data, validate=True)
        for key_name, key_id, kind, public in keys:
            if key_name != name or key_id != data[:4].hex():
                continue
            if kind == 1:
                good = ed25519(public, text.encode(), data[4:])
            else:
                time = int.from_bytes(data[4:12], "big")
                message = "cosignature/v1\ntime %d\n%s" % (time, text)
                good = ed25519(public, message.encode(), data[12:])
            if not good:
                fail("a signature of %s is not good" % name)
            signers.append(name)
    return text, signers


def open_checkpoint(note, keys):
    text, signers = open_note(note, keys)
    origin, size, root = text.split("\n")[:3]
    if origin not in signers:
        fail("the log did not sign its checkpoint")
    return origin, int(size), base64.b64decode(root), signers


def tree_hash(leaves):
    """RFC 9162, 2.1.1, as it is written."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + tree_hash(leaves[:k]) + tree_hash(leaves[k:]))


def name_of(index, width):
    digits = "%03d" % (index % 1000)
    while index >= 1000:
        index //= 1000
        digits = "x%03d/%s" % (index % 1000, digits)
    return digits + ("" if width == WIDTH else ".p/%d" % width)


def read(mirror, *parts):
    with open(os.path.join(mirror, *parts), "rb") as file:
        return file.read()


def check_mirror(mirror, keys):
    origin, size, root, _ = open_checkpoint(read(mirror, "checkpoint").decode(), keys)
    entries = []
    for index in range((size + WIDTH - 1) // WIDTH):
        width = min(WIDTH, size - index * WIDTH)
        data = read(mirror, "tile", "entries", name_of(index, width))
        while data:
            length = int.from_bytes(data[:2], "big")
            entries.append(data[2 : 2 + length])
            data = data[2 + length :]
    hashes = [sha256(b"\x00" + entry) for entry in entries]
    leaves = hashes
    level = 0
    while hashes:
        for first in range(0, len(hashes), WIDTH):
            tile = hashes[first : first + WIDTH]
            if read(mirror, "tile", str(level), name_of(first // WIDTH, len(tile))) != b"".join(tile):
                fail("tile %d/%d is not what the entries say" % (level, first // WIDTH))
        hashes = [tree_hash(hashes[at : at + WIDTH]) for at in range(0, len(hashes) - WIDTH + 1, WIDTH)]
        level += 1
    if len(entries) != size or tree_hash(leaves) != root:
        fail("the entries have another root than was signed")
    return origin, entries, level


def check_export(path, keys, origin, entries):
    """Each content, under its salt, is the entry at its index."""
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    head, lines = lines[0], lines[1:]
    text, signers = open_note(head["head"], keys)
    if origin not in signers or text.split("\n")[0] != "cloister-audit-export/1":
        fail("the head of the export is not signed by the log")
    for line in lines:
        mac = hmac.new(base64.b64decode(line["salt"]), line["content"].encode(), hashlib.sha256).digest()
        if mac != entries[line["index"]]:
            fail("entry %d does not say what was hashed" % line["index"])
    former = [open_checkpoint(each["checkpoint"], keys) for each in head["witnessed"]]
    return len(lines), sorted({name for each in former for name in each[3]} - {origin})


def main(mirror, export, *key_texts):
    keys = [parse_key(text) for text in key_texts]
    origin, entries, levels = check_mirror(mirror, keys)
    exported, witnesses = check_export(export, keys, origin, entries)
    print(json.dumps({"size": len(entries), "levels": levels, "exported": exported, "witnesses": witnesses}))


main(*sys.argv[1:])
