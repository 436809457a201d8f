"""The vendor's envelope of a callback: signature first, then AES-256-CBC, then whose it is."""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

KEY_CHARACTERS = 43
BLOCK_BYTES = 32  # PKCS#7 is filled to 32, though AES takes 16.
CIPHER_BYTES_MAX = 256 * 1024
_RANDOM_BYTES, _LENGTH_BYTES, _AES_BYTES = 16, 4, 16
# The one element taken out before anything is believed: base64, as CDATA or bare.
_ENCRYPTED = re.compile(
    rb"<Encrypt>\s*(?:<!\[CDATA\[\s*([A-Za-z0-9+/=]{1,400000})\s*\]\]>|([A-Za-z0-9+/=]{1,400000}))\s*</Encrypt>"
)


class Forged(Exception):
    """A callback that is not the vendor's for us; the text says which check failed and holds nothing of it."""


@dataclass(frozen=True)
class Signature:
    """What stands in the address of a callback."""

    msg_signature: str
    timestamp: str
    nonce: str


@dataclass(frozen=True)
class Envelope:
    """Opens what is sealed for one application of one corporation."""

    token: str = field(repr=False)
    encoding_aes_key: str = field(repr=False)
    corp_id: str

    def open(self, encrypted: str, signature: Signature) -> bytes:
        """The message inside, once its signature, its padding, its length and its receiver are right. Raises Forged."""
        signed = [self.token, signature.timestamp, signature.nonce, encrypted]
        digest = hashlib.sha1("".join(sorted(signed)).encode(), usedforsecurity=False).hexdigest()
        if not self.token or not hmac.compare_digest(digest.encode(), signature.msg_signature.encode()):
            raise Forged("signature")
        plain = _unpadded(self._decrypted(encrypted))
        start = _RANDOM_BYTES + _LENGTH_BYTES
        length = int.from_bytes(plain[_RANDOM_BYTES:start], "big")
        if len(plain) < start or length > len(plain) - start:
            raise Forged("length")
        message, receiver = plain[start : start + length], plain[start + length :]
        if not self.corp_id or not hmac.compare_digest(receiver, self.corp_id.encode()):
            raise Forged("receiver")
        return message

    def _decrypted(self, encrypted: str) -> bytes:
        try:
            sealed = base64.b64decode(encrypted, validate=True)
            key = base64.b64decode(f"{self.encoding_aes_key}=", validate=True)
        except (binascii.Error, ValueError) as error:
            raise Forged("base64") from error
        if not sealed or len(sealed) % _AES_BYTES or len(sealed) > CIPHER_BYTES_MAX:
            raise Forged("cipher length")
        opening = Cipher(algorithms.AES(key), modes.CBC(key[:_AES_BYTES])).decryptor()
        return opening.update(sealed) + opening.finalize()


def encrypted_in(body: bytes) -> str:
    """The cipher text of a callback's body, found without an XML parser. Raises Forged unless there is just one."""
    found = _ENCRYPTED.findall(body)
    if len(found) != 1:
        raise Forged("no cipher text")
    inside, bare = found[0]
    text: bytes = inside or bare
    return text.decode("ascii")


def key_of(encoding_aes_key: str) -> bytes | None:
    """The AES key an EncodingAESKey stands for; None when it is none."""
    if len(encoding_aes_key) != KEY_CHARACTERS:
        return None
    try:
        key = base64.b64decode(f"{encoding_aes_key}=", validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == BLOCK_BYTES else None


def unpadded_end(plain: bytes) -> bytes | None:
    """The plain bytes without their filling; None when it is no PKCS#7 to 32."""
    count = plain[-1] if plain else 0
    if not 1 <= count <= BLOCK_BYTES or plain[-count:] != bytes([count]) * count:
        return None
    return plain[:-count]


def _unpadded(plain: bytes) -> bytes:
    found = unpadded_end(plain)
    if found is None:
        raise Forged("padding")
    return found
