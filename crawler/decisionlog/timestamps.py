"""RFC 3161 timestamps of checkpoints: asked of an authority, checked against roots that the reader trusts.

A token says that the note existed at its time; with the authority's word, history from before cannot be made
anew, not even with the log's own key. The token is checked as of its own time, so that it stays valid when
the authority's certificate has ended (RFC 3161 section 4.3). Needs the extra `anchors`; below 1.0.5 its
library checks too little (CVE-2025-52556).

Builds and checks octets; sends nothing.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from blocklists.errors import UsageError
from crawler.decisionlog.errors import LogError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

QUERY_TYPE: Final = "application/timestamp-query"
LONGEST_REPLY: Final = 64 * 1024
_LONGEST_ROOTS: Final = 1024 * 1024  # all roots that a system trusts take a fifth of it
_TOLERANCE_S: Final = 300  # clocks of a log and of an authority differ


# What libraries raise on a certificate that is none: no signature covers them, and anybody can add one.
_MALFORMED: Final = (
    ValueError, TypeError, KeyError, AssertionError, OverflowError, UnsupportedAlgorithm,
    x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType,
)  # fmt: skip


class TimestampError(LogError):
    """An authority's answer is no timestamp of what was asked, or not by whom is trusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request for a timestamp of a message, and the octets to send."""

    message: bytes
    octets: bytes
    nonce: int | None


def _library() -> Any:  # noqa: ANN401 - the module, which is there with the extra only
    try:
        return importlib.import_module("rfc3161_client")
    except ImportError:
        raise UsageError("timestamps need: pip install 'sekisho[anchors]'") from None


def question(message: bytes) -> Question:
    """Return a request for a timestamp of the message, with a nonce and asking for certificates."""
    library = _library()
    request = (
        library.TimestampRequestBuilder()
        .data(message)
        .hash_algorithm(library.HashAlgorithm.SHA256)
        .nonce(nonce=True)
        .cert_request(cert_request=True)
        .build()
    )
    return Question(message=message, octets=request.as_bytes(), nonce=request.nonce)


def load_roots(path: Path) -> list[x509.Certificate]:
    """Return the certificates in a PEM file. Raises UsageError."""
    try:
        with path.open("rb") as file:
            octets = file.read(_LONGEST_ROOTS + 1)
        if len(octets) > _LONGEST_ROOTS:
            raise UsageError(f"{path} is too long to be a file of root certificates")
        return x509.load_pem_x509_certificates(octets)
    except OSError as error:
        raise UsageError(f"the root certificates {path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(
            f"{path} holds no certificates in PEM: name the file with the authority's root"
        ) from error


def check(
    reply: bytes,
    message: bytes,
    roots: Sequence[x509.Certificate],
    *,
    nonce: int | None = None,
    not_before_us: int | None = None,
) -> int:
    """Return the time of a timestamp of the message (UTC, microseconds). Raises TimestampError.

    `not_before_us` is when the message was made: an earlier timestamp cannot be true.
    """
    library = _library()
    try:
        response = library.decode_timestamp_response(reply)
        builder = library.VerifierBuilder(roots=list(roots), nonce=nonce)
        builder.build().verify_message(response, message)
        time_us = int(response.tst_info.gen_time.timestamp() * 1_000_000)
        _check_usage(response)
    except (*_MALFORMED, library.VerificationError) as error:
        raise TimestampError(f"no timestamp of this: {' '.join(str(error).split())[:300]}") from error
    if not_before_us is not None and time_us < not_before_us - _TOLERANCE_S * 1_000_000:
        raise TimestampError("its time lies before what it is a timestamp of")
    return time_us


def signed_by(reply: bytes) -> str:
    """Return whose certificate signed a timestamp that `check` has accepted: its subject (RFC 4514)."""
    return _signing(_library().decode_timestamp_response(reply)).subject.rfc4514_string()


def _signing(response: Any) -> x509.Certificate:  # noqa: ANN401 - of the library
    """Return the certificate that signed."""
    (signer,) = response.signed_data.signer_infos
    certificates = [x509.load_der_x509_certificate(octets) for octets in response.signed_data.certificates]
    signing = [
        one
        for one in certificates
        if (one.issuer, one.serial_number) == (signer.issuer, signer.serial_number)
    ]
    if len(signing) != 1:
        raise TimestampError("the answer does not have the one certificate that signed it")
    return signing[0]


def _check_usage(response: Any) -> None:  # noqa: ANN401 - of the library
    """See that the certificate that signed is for timestamps, and for nothing else (RFC 3161 section 2.3)."""
    try:
        usage = _signing(response).extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE)
    except x509.ExtensionNotFound as error:
        raise TimestampError("the certificate that signed says nothing of timestamps") from error
    purposes = list(cast("x509.ExtendedKeyUsage", usage.value))
    if not usage.critical or purposes != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise TimestampError("the certificate that signed is not for timestamps alone")
