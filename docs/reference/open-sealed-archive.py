"""Opens a sealed archive of Cloister: python3 open-sealed-archive.py ARCHIVE KEY.pem > CLEAR

An independent reader for docs/reference/sealed-archive.md. It needs Python 3.9 and python3-cryptography."""
import base64, hashlib, json, sys
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

END = b"SEAL.END"


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def content_key(jwe, private_key):
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    for recipient in jwe["recipients"]:
        try:
            wrapping_key = private_key.decrypt(decode(recipient["encrypted_key"]), oaep)
        except ValueError:
            continue  # another recipient's
        sealed = decode(jwe["ciphertext"]) + decode(jwe["tag"])
        try:
            return AESGCM(wrapping_key).decrypt(decode(jwe["iv"]), sealed, jwe["protected"].encode())
        except InvalidTag:
            sys.exit("changed")
    sys.exit("wrong key")


def chunks(file, stream, chunk_bytes, key, prefix):
    index, start, marked = 0, stream + 40, file.endswith(END)
    while True:
        end = stream + (index + 1) * chunk_bytes
        last = marked and len(file) <= end + len(END)
        if not last and len(file) < end:
            sys.exit("cut")
        sealed = file[start : len(file) - len(END) if last else end]
        try:
            yield AESGCM(key).decrypt(prefix + index.to_bytes(4, "big") + bytes([last]), sealed, None)
        except InvalidTag:
            # A full last chunk whose end mark is gone would say so too: nothing follows it.
            sys.exit("changed" if last or len(file) > end + len(END) else "cut")
        if last:
            return
        index, start = index + 1, end


with open(sys.argv[1], "rb") as archive, open(sys.argv[2], "rb") as pem:
    file, private_key = archive.read(), serialization.load_pem_private_key(pem.read(), None)
if file[:9] != b"CLOISEAL\x01":
    sys.exit("not a sealed archive of version 1")
stream = 14 + int.from_bytes(file[10:14], "big")
salt, prefix = file[stream + 1 : stream + 33], file[stream + 33 : stream + 40]
info = hashlib.sha256(file[:stream]).digest()
main_key = content_key(json.loads(file[14:stream]), private_key)
key = HKDF(hashes.SHA256(), 32, salt, info).derive(main_key)
for clear in chunks(file, stream, 2 ** file[9], key, prefix):
    sys.stdout.buffer.write(clear)
